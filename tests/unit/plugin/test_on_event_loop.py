"""The executor under AsyncIOScheduler: engine and coroutines are on the loop of the host."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from advanced_scheduler.plugin import AdvancedExecutor
from tests.support.waiting import eventually_async


async def where() -> int:
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop())


async def test_coroutines_run_on_the_loop_of_the_application(tmp_path: Path) -> None:
    executor = AdvancedExecutor(store=f"sqlite:///{tmp_path}/jobs.db")
    however_late = {"misfire_grace_time": None}  # on a busy machine
    apscheduler = AsyncIOScheduler(timezone="UTC", job_defaults=however_late)
    apscheduler.add_executor(executor)
    heard: list[tuple[Any, threading.Thread]] = []
    apscheduler.add_listener(
        lambda event: heard.append((event.retval, threading.current_thread())), EVENT_JOB_EXECUTED
    )
    apscheduler.add_job(where)
    apscheduler.add_job(threading.current_thread)
    apscheduler.start()
    await eventually_async(lambda: len(heard) == 2, what="both jobs have run")
    values = [value for value, _ in heard]
    assert id(asyncio.get_running_loop()) in values
    assert threading.current_thread() not in values, "a plain function runs in a thread"
    assert {thread for _, thread in heard} == {threading.current_thread()}
    apscheduler.shutdown()
    await eventually_async(lambda: not executor.advanced.started, what="the engine ends as well")
    await executor.advanced.stop()


async def test_an_application_that_ends_at_once_waits_for_the_engine(tmp_path: Path) -> None:
    executor = AdvancedExecutor(store=f"sqlite:///{tmp_path}/jobs.db")
    apscheduler = AsyncIOScheduler(timezone="UTC")
    apscheduler.add_executor(executor)
    apscheduler.start()
    await eventually_async(lambda: executor.advanced.started, what="the engine runs")
    apscheduler.shutdown()
    await executor.advanced.stop()
    assert not executor.advanced.started
