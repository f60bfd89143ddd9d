"""Live events: who listens hears each once, in order, from all processes, or must read anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import live as module
from advanced_scheduler.api.hearing import KEPT, Envelope
from advanced_scheduler.api.live import BUFFER, Client, LiveEvents, Wanted
from advanced_scheduler.engine import feed
from advanced_scheduler.metrics import SchedulerMetrics
from advanced_scheduler.models import RecordKind
from tests.support.definitions import define
from tests.support.waiting import eventually_async
from tests.unit.metrics.samples import values


def works() -> None:
    """Completes."""


@contextmanager
def opened(url: str = "memory://") -> Iterator[AdvancedTaskScheduler]:
    """A scheduler of a store."""
    scheduler = AdvancedTaskScheduler(store=url)
    scheduler.register_task(define(works, task_id="works"))
    scheduler.register_task(define(works, task_id="other"))
    try:
        yield scheduler
    finally:
        scheduler.close()


async def heard(client: Client, number: int) -> list[Envelope]:
    """So many events; what is lost fails the test."""
    found: list[Envelope] = []
    async with asyncio.timeout(30):
        while len(found) < number:
            news = await client.next()
            assert news is not None, "something was missed"
            found += news
    return found


def alone(check: Callable[[AdvancedTaskScheduler, LiveEvents], Awaitable[None]]) -> None:
    """Run a check on a scheduler in memory."""

    async def run() -> None:
        with opened() as scheduler:
            live = LiveEvents(scheduler)
            await check(scheduler, live)
            live.close()

    asyncio.run(run())


def test_each_event_is_told_once_with_rising_ids() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        client = live.join()
        made = [scheduler.schedule_task("works") for _ in range(3)]
        await scheduler.run_due()
        found = await heard(client, 9)
        for execution_id in made:
            mine = [one.type for one in found if one.data["execution_id"] == execution_id]
            assert mine == ["execution.scheduled", "execution.started", "execution.finished"]
        ids = [one.id for one in found]
        assert ids == sorted(set(ids))
        told = json.loads(found[0].json)
        assert set(told) == {"id", "type", "time", "data"}
        assert told["data"] == {
            "execution_id": made[0],
            "task_id": "works",
            "status": "pending",
            "priority": "normal",
            "queue": "default",
            "node": None,
            "schedule_id": None,
            "workflow_id": None,
        }

    alone(check)


def test_nothing_is_heard_before_somebody_listens() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        scheduler.schedule_task("works")
        client = live.join()
        scheduler.schedule_task("other")
        (found,) = await heard(client, 1)
        assert found.data["task_id"] == "other"

    alone(check)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (Wanted(types={"execution.scheduled"}), 2),
        (Wanted(fields={"task_id": "other"}), 3),
        (Wanted(types={"execution.finished"}, fields={"task_id": "other"}), 1),
        (Wanted(fields={"queue": "default"}), 6),
    ],
)
def test_a_client_hears_only_what_it_asked_for(wanted: Wanted, number: int) -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        client, everything = live.join(wanted), live.join()
        scheduler.schedule_task("works")
        scheduler.schedule_task("other")
        await scheduler.run_due()
        await heard(everything, 6)
        assert len(await heard(client, number)) == number
        assert await client.next(0) == []

    alone(check)


def test_who_comes_back_is_told_what_it_missed() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        first = live.join()
        scheduler.schedule_task("works")
        (seen,) = await heard(first, 1)
        live.leave(first)
        other = live.join()
        scheduler.schedule_task("other")
        (missed,) = await heard(other, 1)
        assert [one.id for one in await heard(live.join(after=seen.id), 1)] == [missed.id]

    alone(check)


def test_who_asks_for_what_is_not_known_reads_anew() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        first = live.join()
        scheduler.schedule_task("works")
        (seen,) = await heard(first, 1)
        for unknown in (1, seen.id - 1_000_000, seen.id + 1):
            assert await live.join(after=unknown).next(0) is None
        assert await live.join(after=seen.id).next(0) == []

    alone(check)


def test_ids_of_a_time_when_nobody_listened_are_not_mistaken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0)

    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        first = live.join()
        scheduler.schedule_task("works")
        (seen,) = await heard(first, 1)
        live.leave(first)
        await asyncio.sleep(0.01)
        scheduler.schedule_task("works")
        assert await live.join(after=seen.id).next(0) is None

    alone(check)


def test_who_is_slow_is_told_to_read_anew_and_counted() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        metrics = SchedulerMetrics(scheduler)
        slow, picky = live.join(), live.join(Wanted(fields={"task_id": "other"}))
        scheduler.schedule_task("other")
        scheduler.schedule_task_many("works", [()] * (BUFFER + 1))
        assert len(await heard(picky, 1)) == 1
        assert await slow.next() is None
        assert values(metrics, "live_connections", "transport") == {"sse": 2}
        dropped = {"sse": BUFFER + 2}
        assert values(metrics, "live_events_dropped_total", "transport") == dropped
        live.leave(slow)
        assert values(metrics, "live_connections", "transport") == {"sse": 1}
        scheduler.schedule_task("other")
        assert len(await heard(picky, 1)) == 1, "it goes on"

    alone(check)


def test_more_than_can_be_kept_is_missed_by_all() -> None:
    async def check(scheduler: AdvancedTaskScheduler, live: LiveEvents) -> None:
        client = live.join(Wanted(fields={"task_id": "other"}))
        scheduler.schedule_task_many("works", [()] * (KEPT + 1))
        assert await client.next() is None

    alone(check)


@asynccontextmanager
async def two(tmp_path: Path) -> AsyncIterator[tuple[LiveEvents, AdvancedTaskScheduler]]:
    """Who listens in a process that only serves, and a node in another."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    with opened(url) as web, opened(url) as node:
        live = LiveEvents(web)
        await node.start()
        yield live, node
        await node.stop()
        await asyncio.to_thread(live.close)


def run(check: Coroutine[Any, Any, None]) -> None:
    """On a loop of its own."""
    asyncio.run(check)


def test_a_process_that_only_serves_hears_the_nodes(tmp_path: Path) -> None:
    async def check() -> None:
        async with two(tmp_path) as (live, node):
            client = live.join()
            store = node.store
            await eventually_async(lambda: store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
            await eventually_async(
                lambda: node.schedule_task("other") and live.scheduler.feed.has_company
            )
            await asyncio.to_thread(node.schedule_task, "works")
            found: list[Envelope] = []
            async with asyncio.timeout(30):
                while not (mine := _of(found, "works"))[2:]:
                    found += await client.next() or []
            steps = ["execution.scheduled", "execution.started", "execution.finished"]
            assert [one.type for one in mine] == steps

    run(check())


def test_what_two_processes_do_with_an_execution_is_told_in_order(tmp_path: Path) -> None:
    async def check() -> None:
        async with two(tmp_path) as (live, node):
            client = live.join()
            store = node.store
            await eventually_async(lambda: store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
            await eventually_async(
                lambda: node.schedule_task("other") and live.scheduler.feed.has_company
            )
            web = live.scheduler
            made = await asyncio.to_thread(web.schedule_task, "works")
            found: list[Envelope] = []
            async with asyncio.timeout(30):
                while not any(
                    one.type == "execution.finished" and one.data["execution_id"] == made
                    for one in found
                ):
                    found += await client.next() or []
            steps = ["execution.scheduled", "execution.started", "execution.finished"]
            assert [one.type for one in _of(found, "works")] == steps

    run(check())


def _of(found: list[Envelope], task_id: str) -> list[Envelope]:
    return [one for one in found if one.data["task_id"] == task_id]
