"""Time series: what all nodes did, from what they left in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    ScheduleOptions,
    Settings,
    TaskPriority,
)
from advanced_scheduler.api.series import TimeSeries
from advanced_scheduler.engine.recorder import COARSE, FINE, Recorder, series_key
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.models import Record, RecordKind, TaskStatus
from advanced_scheduler.models.series import quantile
from tests.contract.rows import execution
from tests.support.definitions import define
from tests.support.waiting import eventually

from .rest import Rest

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def works() -> None:
    """Completes."""


@pytest.fixture
def scheduler() -> Iterator[AdvancedTaskScheduler]:
    made = AdvancedTaskScheduler(clock=ManualClock(NOW))
    made.register_task(define(works, task_id="works"))
    yield made
    made.close()


class Node:
    """What one node tells of."""

    def __init__(self, scheduler: AdvancedTaskScheduler, name: str = "n") -> None:
        self.scheduler = scheduler
        self.recorder = Recorder(scheduler.store, scheduler.events, scheduler.clock, name)

    def ended(
        self,
        status: TaskStatus = TaskStatus.COMPLETED,
        seconds: float = 0.02,
        wait: float = 0.2,
        **fields: Any,
    ) -> None:
        """An execution of so many seconds, that had waited before."""
        now = self.scheduler.clock.now()
        row = execution(
            "e",
            status=status,
            due_time=now - timedelta(seconds=wait + seconds),
            started_time=now - timedelta(seconds=seconds),
            **fields,
        )
        self.recorder.hear(Event(EventType.FINISHED, now, row, {"duration": seconds}))

    def later(self, seconds: float = FINE) -> None:
        """Write what is over."""
        clock = self.scheduler.clock
        assert isinstance(clock, ManualClock)
        clock.advance(seconds=seconds)
        self.recorder.write()


def read(scheduler: AdvancedTaskScheduler) -> TimeSeries:
    """As a process that was just started reads it."""
    return TimeSeries(scheduler.store, scheduler.clock)


def test_ends_are_counted_by_outcome_in_the_step_in_which_they_came(
    scheduler: AdvancedTaskScheduler,
) -> None:
    node = Node(scheduler)
    for _ in range(300):
        node.ended()
    node.ended(TaskStatus.FAILED)
    node.ended(TaskStatus.SKIPPED)
    node.later()
    node.ended(TaskStatus.CANCELLED)
    node.later()
    series = read(scheduler).read("15m")
    assert (series.step, len(series.points)) == (10, 90)
    assert series.time_of(89) == NOW + timedelta(seconds=20)
    first, second, third = series.points[-3:]
    none = {"completed": 0, "failed": 0, "timed_out": 0, "cancelled": 0, "skipped": 0}
    assert first.finished == {**none, "completed": 300, "failed": 1, "skipped": 1}
    assert second.finished == {**none, "cancelled": 1}
    assert third.finished == none


def test_durations_are_told_as_quantiles_of_buckets(scheduler: AdvancedTaskScheduler) -> None:
    node = Node(scheduler)
    for _ in range(9):
        node.ended(seconds=0.02, wait=0.2)
    node.ended(seconds=20, wait=200)
    node.later()
    point = read(scheduler).read("15m").points[-2]
    assert point.run_p50 is not None
    assert 0.01 < point.run_p50 <= 0.025
    assert point.run_p95 is not None
    assert 10 < point.run_p95 <= 30
    assert point.wait_p50 is not None
    assert 0.1 < point.wait_p50 <= 0.25
    assert point.wait_p95 is not None
    assert 60 < point.wait_p95 <= 300


def test_each_priority_has_its_own_wait(scheduler: AdvancedTaskScheduler) -> None:
    a, b = Node(scheduler, "a"), Node(scheduler, "b")
    a.ended(wait=0.2, priority=TaskPriority.HIGH)
    a.later()
    a.ended(wait=200, priority=TaskPriority.LOW)
    b.ended(wait=200, priority=TaskPriority.LOW)
    a.later(COARSE)
    b.recorder.write()
    for window in ("15m", "1h"):
        waits = read(scheduler).read("1h" if window == "1h" else "15m").lane_p95
        assert (waits["critical"], waits["normal"], waits["background"]) == (None,) * 3
        assert waits["high"] is not None
        assert 0.1 < waits["high"] <= 0.25
        assert waits["low"] is not None
        assert 60 < waits["low"] <= 300


def test_what_ends_before_its_retry_has_not_waited(scheduler: AdvancedTaskScheduler) -> None:
    node = Node(scheduler)
    node.ended(TaskStatus.CANCELLED, seconds=5, wait=-60)
    node.later()
    series = read(scheduler).read("15m")
    assert series.points[-2].finished["cancelled"] == 1
    assert (series.points[-2].wait_p95, series.lane_p95["normal"]) == (None, None)


def test_of_a_node_of_the_release_before_no_priority_is_known(
    scheduler: AdvancedTaskScheduler,
) -> None:
    told = {"finished": {"completed": 1}, "runs": {"3": 1}, "waits": {"3": 1}, "waiting": {}}
    record = Record(
        kind=RecordKind.SERIES,
        record_id=f"{series_key(FINE, NOW.timestamp())}:n",
        written_time=NOW,
        data=told,
    )
    scheduler.store.save_record(record)
    series = read(scheduler).read("15m")
    assert series.points[-1].wait_p95 is not None
    assert {*series.lane_p95.values()} == {None}


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [({}, 0.5, None), ({0: 2}, 0.5, 0.0005), ({9: 4}, 1.0, 1.0), ({20: 1}, 0.5, 86400.0)],
)
def test_a_quantile_lies_in_its_bucket(
    buckets: dict[int, float], share: float, expected: float | None
) -> None:
    assert quantile(buckets, share) == expected


@pytest.mark.parametrize(("window", "step", "points"), [("1h", 60, 60), ("6h", 300, 72)])
def test_long_windows_are_made_of_minutes_of_all_nodes(
    scheduler: AdvancedTaskScheduler, window: str, step: int, points: int
) -> None:
    nodes = Node(scheduler, "a"), Node(scheduler, "b")
    for _ in range(6):
        for node in nodes:
            node.ended()
        nodes[0].later()
        nodes[1].recorder.write()
    series = read(scheduler).read("1h" if window == "1h" else "6h")
    assert (series.step, len(series.points)) == (step, points)
    assert sum(one.finished["completed"] for one in series.points) == 12


def test_what_waits_is_told_when_it_changes(scheduler: AdvancedTaskScheduler) -> None:
    node = Node(scheduler)
    later = ScheduleOptions(delay=9000, priority=TaskPriority.HIGH)
    scheduler.schedule_task("works", options=later)
    node.later()
    for _ in range(3):
        node.later()
    none = {"critical": 0, "high": 0, "normal": 0, "low": 0, "background": 0}
    before, *points = read(scheduler).read("15m").points[-6:]
    assert before.waiting is None
    assert [one.waiting for one in points] == [{**none, "high": 1}] * 5
    assert len(scheduler.store.records(RecordKind.SERIES)) == 1


def test_nothing_is_written_where_nothing_happens(scheduler: AdvancedTaskScheduler) -> None:
    node = Node(scheduler)
    node.later()
    before = len(scheduler.store.records(RecordKind.SERIES))
    for _ in range(20):
        node.later()
    assert len(scheduler.store.records(RecordKind.SERIES)) - before <= 1


def test_records_go_when_no_window_reaches_them(scheduler: AdvancedTaskScheduler) -> None:
    node = Node(scheduler)
    for _ in range(6 * 60 + 10):
        node.ended()
        node.later(60)
    kept = scheduler.store.records(RecordKind.SERIES, limit=10_000)
    fine = [one for one in kept if one.record_id.startswith("010:")]
    assert (len(fine), len(kept) - len(fine)) == (17, 362)


def test_a_node_that_runs_leaves_records() -> None:
    scheduler = AdvancedTaskScheduler(settings=Settings(poll_seconds=0.02))
    scheduler.register_task(define(works, task_id="works"))
    with scheduler.running():
        scheduler.wait_for_task(scheduler.schedule_task("works"), timeout=30)
        node = scheduler._node
        assert node is not None
        node.recorder._slots[FINE] -= FINE  # as if ten seconds had gone by
        told = eventually(
            lambda: [
                one.data["finished"]
                for one in scheduler.store.records(RecordKind.SERIES)
                if one.data["finished"]
            ]
        )
    assert told[0] == {"completed": 1}
    scheduler.close()


def test_rest_tells_the_series(rest: Rest) -> None:
    node = Node(rest.scheduler)
    node.ended()
    node.later()
    told = rest.get("/series?window=15m")
    assert (told["step"], len(told["points"])) == (10, 90)
    assert told["points"][-2]["finished"]["completed"] == 1
    assert told["points"][-2]["time"] == "2030-01-01T12:00:00Z"
    assert told["lane_p95"]["low"] is None
    assert told["lane_p95"]["normal"] > 0.1
    assert rest.get("/series")["step"] == 10
    rest.get("/series?window=2y", status=422)
