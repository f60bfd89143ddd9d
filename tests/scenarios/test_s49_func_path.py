"""S49: functions that cannot be found, or whose module misbehaves when it is imported."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.config import Settings
from advanced_scheduler.lifecycle import FINAL
from tests.scenarios import breaks, checks
from tests.scenarios.harness import PATIENT, SCALED, Cluster, waited
from tests.scenarios.tasks import definition, note, register
from tests.support.definitions import write_module

IMPORT_SECONDS = 2.0
TICK = 0.02
LONGEST_STALL = 0.75 * IMPORT_SECONDS


@pytest.mark.parametrize(
    ("source", "attribute", "told"),
    [
        (None, "run", ["no_such_module_anywhere"]),
        ("def ran(): ...", "run", ["run", "ran"]),
        ("run = 42", "run", ["int", "cannot be called"]),
        ("raise OSError('no licence')", "run", ["OSError", "no licence"]),
        ("import sys; sys.exit(3)", "run", ["SystemExit"]),
    ],
    ids=["no module", "no attribute", "not callable", "raises", "exits"],
)
def test_trouble_is_told_clearly_when_the_task_is_registered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str | None,
    attribute: str,
    told: list[str],
) -> None:
    module = "no_such_module_anywhere"
    if source is not None:
        module = write_module(tmp_path, monkeypatch, source)
    bad = TaskDefinition("bad", "Bad", f"{module}:{attribute}")
    scheduler = AdvancedTaskScheduler()
    with pytest.raises(ValueError, match=module) as refused:
        scheduler.register_task(bad)
    assert all(word in str(refused.value) for word in told)
    assert scheduler.task_queue.is_empty()
    scheduler.close()


async def slow_import(path: str, *, in_thread: bool) -> list[str]:
    """Others are scheduled and run while a module takes its time; the longest stall is noted."""
    scheduler = AdvancedTaskScheduler(settings=Settings(poll_seconds=0.2))
    register(scheduler)
    await scheduler.start()
    slow = TaskDefinition("slow", "Slow", path)
    began = time.monotonic()
    if in_thread:
        importing = asyncio.create_task(asyncio.to_thread(scheduler.register_task, slow))
    else:
        importing = asyncio.create_task(_at_once(scheduler, slow))
    stall, ids = 0.0, []
    while not importing.done():
        before = time.monotonic()
        ids.append(scheduler.schedule_task("note"))
        await asyncio.sleep(TICK)
        stall = max(stall, time.monotonic() - before)
    await importing
    took = time.monotonic() - began
    rows = [scheduler.get_task_status(one) for one in ids[: len(ids) // 4]]
    last = scheduler.schedule_task("slow")
    answer = await asyncio.to_thread(scheduler.result, last, 20)
    await scheduler.stop()
    scheduler.close()
    return [
        *([] if took >= IMPORT_SECONDS else [f"the import took only {took:.1f} s"]),
        *([] if stall < LONGEST_STALL else [f"the loop stood still for {stall:.1f} s"]),
        *(
            []
            if rows and all(one and one["status"] == "completed" for one in rows)
            else [f"others waited: {rows}"]
        ),
        *([] if answer == 42 else [f"answered {answer}"]),
    ]


async def _at_once(scheduler: AdvancedTaskScheduler, definition: TaskDefinition) -> None:
    scheduler.register_task(definition)


@pytest.fixture
def slow_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    source = f"import time\ntime.sleep({IMPORT_SECONDS})\ndef run(): return 42\n"
    return write_module(tmp_path, monkeypatch, source)


@pytest.mark.usefixtures("cluster")
def test_an_import_that_blocks_holds_nobody_else_up(slow_module: str) -> None:
    assert asyncio.run(slow_import(f"{slow_module}:run", in_thread=True)) == []


@pytest.mark.usefixtures("cluster")
def test_control_a_blocked_loop_is_seen(slow_module: str) -> None:
    assert asyncio.run(slow_import(f"{slow_module}:run", in_thread=False))


def gone_after_a_restart(cluster: Cluster, patience: float = 20.0) -> list[str]:
    """The function of a stored execution is gone: it waits, visibly, and claims no slot in turn."""
    before = AdvancedTaskScheduler(store=cluster.store_url)
    before.register_task(TaskDefinition("gone", "Gone", note))
    orphan = before.schedule_task("gone")
    before.close()

    settings = Settings(**SCALED | PATIENT)
    after = AdvancedTaskScheduler(None, 1, store=cluster.store_url, settings=settings)
    after.register_task(definition(note))
    with after.running():
        others = [after.schedule_task("note") for _ in range(20)]
        waited(lambda: all(cluster.row(one).status in FINAL for one in others), patience)
        time.sleep(1)  # for a storm to gather
        row = cluster.row(orphan)
    after.close()
    return [
        *checks.done_once(cluster, others),
        *([] if row.fence <= 2 else [f"claimed {row.fence} times by a node that cannot run it"]),
        *([] if row.attempt == 0 else [f"{row.attempt} attempts burnt"]),
        *([] if "not registered" in str(row.reason) else [f"reason={row.reason}"]),
    ]


def test_a_function_that_is_gone_makes_no_retry_storm(cluster: Cluster) -> None:
    assert gone_after_a_restart(cluster) == []


def test_control_a_storm_is_seen(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks.apply("claims-anything", monkeypatch.setattr)
    assert any("claimed" in one for one in gone_after_a_restart(cluster, patience=1))
