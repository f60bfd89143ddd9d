"""S16: thousands of schedules that are due in the same second."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskPriority
from advanced_scheduler.config import Settings
from advanced_scheduler.lifecycle import FINAL
from advanced_scheduler.models import ExecutionFilter, Schedule, TaskStatus, TickOutcome
from advanced_scheduler.stores.base import Firing, Store
from advanced_scheduler.stores.rows import SCHEDULE
from advanced_scheduler.stores.sql import SqlStore
from advanced_scheduler.stores.sql_schema import schedules
from advanced_scheduler.triggers import CronTrigger
from tests.scenarios import breaks
from tests.scenarios.clusters import STORES, on
from tests.scenarios.harness import PATIENT, POLL, SCALED, Cluster, waited
from tests.scenarios.tasks import definition, note

ANSWERED = 1.0  # seconds, in which a report comes
BUSY = 2.0  # seconds that a busy machine may add to one in ten of them
PATIENCE = 40.0  # seconds: the stated time within which 10,000 are dispatched on two slow cores
SLOTS = 50
LEAD = 3.0  # seconds to store the schedules; on a slow machine they are due before it starts
ASKED = 20  # the ledger of each twentieth schedule: to ask for all would take longer than the burst
NEVER_TWICE = timedelta(hours=1)


def put_schedules(store: Any, count: int, at: datetime) -> None:
    """Schedules 0, 1, 2.. of all five priorities in turn, all due at the same second."""
    trigger = CronTrigger(f"{at.second} {at.minute} {at.hour} {at.day} {at.month} *").to_json()
    made = [
        Schedule(
            schedule_id=f"{number:05}",
            task_id="note",
            trigger=trigger,
            priority=wanted(f"{number:05}"),
            next_fire_time=at,
        )
        for number in range(count)
    ]
    if isinstance(store, SqlStore):  # one by one they take half a minute on PostgreSQL
        columns = [SCHEDULE.dump(one) for one in made]
        store._write(lambda db: store._dialect.insert(db, schedules, columns))
    else:
        assert all(store.put(one, expected=None) for one in made)


def wanted(schedule_id: str | None) -> TaskPriority:
    """The priority that a schedule was given."""
    return TaskPriority(int(schedule_id or 0) % len(TaskPriority))


def timed(store: Store) -> dict[str, float]:
    """When each execution that the store fires from now on is there to be claimed."""
    stored: dict[str, float] = {}
    fire = store.fire

    def firing(firings: Sequence[Firing]) -> list[bool]:
        fired = fire(firings)
        now = time.time()
        stored.update((row.execution_id, now) for one in firings for row in one.executions)
        return fired

    vars(store)["fire"] = firing
    return stored


@contextmanager
def asking(scheduler: AdvancedTaskScheduler) -> Iterator[list[float]]:
    """How many seconds each report of health took that was asked for within the block."""
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.05):
            began = time.monotonic()
            scheduler.get_health_status()
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def burst(cluster: Cluster, count: int, url: str) -> list[str]:
    scheduler = AdvancedTaskScheduler(None, SLOTS, store=url, settings=Settings(**SCALED | PATIENT))
    scheduler.register_task(definition(note))
    due = (datetime.now(UTC) + timedelta(seconds=LEAD)).replace(microsecond=0)
    put_schedules(scheduler.store, count, due)
    stored = timed(scheduler.store)

    def all_ran() -> bool:
        counts = scheduler.store.counts()
        return sum(n for (status, _), n in counts.items() if status in FINAL) >= count

    with scheduler.running(), asking(scheduler) as took:
        waited(all_ran, timeout=PATIENCE)
    violations = [
        *slow(took),
        *each_once(cluster, scheduler.store, count, due),
        *in_order(scheduler.store, stored),
    ]
    scheduler.close()
    return violations


def slow(took: list[float]) -> list[str]:
    late = [f"health took {one:.2f} s" for one in sorted(took) if one >= ANSWERED]
    if len(took) <= 10:
        return [f"health answered {len(took)} times", *late]
    return late if len(late) > len(took) // 10 or max(took) >= ANSWERED + BUSY else []


def each_once(cluster: Cluster, store: Store, count: int, due: datetime) -> list[str]:
    rows = store.find(ExecutionFilter(limit=10 * count))
    runs = Counter(row.schedule_id for row in rows)
    ends = Counter(line["execution"] for line in cluster.ends())
    return [
        *([] if len(runs) == count else [f"{len(runs)} of {count} schedules ran"]),
        *(f"{one} made {n} executions" for one, n in runs.items() if n != 1),
        *(
            f"{row.execution_id} is {row.status} with {ends[row.execution_id]} end lines"
            for row in rows
            if row.status is not TaskStatus.COMPLETED or ends[row.execution_id] != 1
        ),
        *(
            f"the ledger of {row.schedule_id} has {outcomes}"
            for row in rows[::ASKED]
            if (outcomes := outcomes_of(store, str(row.schedule_id), due)) != [TickOutcome.FIRED]
        ),
    ]


def outcomes_of(store: Store, schedule_id: str, due: datetime) -> list[TickOutcome]:
    return [tick.outcome for tick in store.ticks(schedule_id, due - NEVER_TWICE, due + NEVER_TWICE)]


def in_order(store: Store, stored: Mapping[str, float]) -> list[str]:
    """I9: none is claimed while one of a higher priority has waited for a dispatch interval.

    By the rows: what is claimed may still wait for a thread that a busy machine starves.
    """
    waits = [
        (wanted(row.schedule_id), stored[row.execution_id] + POLL, row.started_time.timestamp())
        for row in store.find(ExecutionFilter(limit=10**6))
        if row.started_time is not None
    ]
    early = Counter[TaskPriority]()
    for level in TaskPriority:
        higher = sorted((since, start - POLL) for one, since, start in waits if one < level)
        begins = [since for since, _ in higher]
        ends = list(accumulate((end for _, end in higher), max))
        for priority, _, start in waits:
            before = bisect_left(begins, start)
            early[priority] += priority == level and before > 0 and start < ends[before - 1]
    return [f"I9: {n} of priority {one.name} too early" for one, n in early.items() if n]


def test_ten_thousand_in_one_second(cluster: Cluster) -> None:
    assert burst(cluster, 10_000, "memory://") == []


@on(*STORES)
def test_as_many_on_a_store_that_lasts(cluster: Cluster) -> None:
    url = cluster.store_url
    quick = f"{url}?synchronous=normal" if url.startswith("sqlite") else url
    assert burst(cluster, 10_000, quick) == []


def test_control_ticks_that_fire_twice_are_seen(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("fires-twice", monkeypatch.setattr)
    assert any("made 2 executions" in one for one in burst(cluster, 500, "memory://"))


def test_control_without_priorities_the_order_is_that_of_arrival(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("ignores-priority", monkeypatch.setattr)
    assert any("I9" in one for one in burst(cluster, 10_000, "memory://"))
