"""What cannot be used here is kept, and listed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine import steps
from advanced_scheduler.engine.parked import parked
from advanced_scheduler.metrics import SchedulerMetrics
from advanced_scheduler.models import Parked
from advanced_scheduler.stores import open_store
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.definitions import define, nothing
from tests.unit.engine.kit import add_task, execution, faulty, parts, schedule, scheduler


def test_tasks_and_schedules_that_nobody_here_knows(clock: ManualClock, tmp_path: Path) -> None:
    made = parts(open_store(f"sqlite:///{tmp_path}/jobs.db"), clock)
    made.store.add([execution("a"), execution("b"), execution("c", task_id="known")])
    newer = {**schedule().trigger, "v": 99}
    made.store.put(schedule(task_id="gone", schedule_id="s1"), expected=None)
    of_tomorrow = replace(schedule(task_id="known", schedule_id="s2"), trigger=newer)
    made.store.put(of_tomorrow, expected=None)
    made.store.put(schedule(task_id="known", schedule_id="s3"), expected=None)
    made.registry.register(define(nothing, task_id="known"))
    found = parked(made.store, made.registry, {})
    assert [(one.kind, one.id, one.count) for one in found] == [
        ("task", "job", 2),
        ("schedule", "s1", 1),
        ("schedule", "s2", 1),
    ]
    assert found[0].reason == "task 'job' is not registered on this node"
    assert "newer release" in found[2].reason
    made.registry.register(define(nothing))
    assert [one.id for one in parked(made.store, made.registry, {})] == ["s1", "s2"]
    made.close()


def test_rows_that_cannot_be_read_are_listed_though_nobody_has_met_them(
    clock: ManualClock, tmp_path: Path
) -> None:
    made = parts(open_store(f"sqlite:///{tmp_path}/jobs.db"), clock)
    made.registry.register(define(nothing))
    made.store.add([execution("a"), execution("b")])
    database = sa.create_engine(f"sqlite:///{tmp_path}/jobs.db")
    with database.begin() as db:
        db.execute(sa.text("UPDATE executions SET args = '[1' WHERE execution_id = 'a'"))
    database.dispose()
    (found,) = parked(made.store, made.registry, {})
    assert found == Parked(kind="execution", id="a", reason=found.reason)
    assert found.reason
    made.close()


class Moody:
    """A trigger of an application that works once."""

    def __init__(self) -> None:
        self.broken = False

    def get_next_run_time(self, after_time: float) -> float:
        if self.broken:
            raise RuntimeError("of the application")
        return after_time + 60


def test_lists_counts_and_metrics_agree(clock: ManualClock) -> None:
    target = scheduler(clock=clock)
    add_task(target, nothing, "known")
    for number in range(3):
        target.store.put(schedule(task_id="gone", schedule_id=f"s{number}"), expected=None)
    moody = Moody()
    own = target.create_schedule("known", moody, schedule_id="own")
    target.create_schedule("known", IntervalTrigger(60))
    moody.broken = True
    clock.advance(minutes=1)
    asyncio.run(target.run_due())
    assert [(one.kind, one.id) for one in target.parked()] == [
        ("schedule", one) for one in (own, "s0", "s1", "s2")
    ]
    reason = target.parked()[0].reason
    assert "of the application" in reason
    for later in range(2):  # one that it told before, and one that it does not tell
        instant = clock.now() + timedelta(minutes=later)
        assert target.explain(own, instant).reason == f"parked: {reason}"
    assert target.get_health_status()["parked"] == {"task": 0, "execution": 0, "schedule": 4}
    assert b'scheduler_parked{kind="schedule"} 4.0' in SchedulerMetrics(target).render()[0]
    moody.broken = False
    asyncio.run(target.run_due())
    assert [one.id for one in target.parked()] == ["s0", "s1", "s2"]
    target.close()


def test_a_schedule_whose_reason_changes_is_logged_once_a_minute_at_most(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reasons = (f"reason {number}" for number in count())

    def read(_: object) -> NoReturn:
        raise ZeroDivisionError(next(reasons))

    monkeypatch.setattr(steps, "trigger_from_json", read)
    made = parts(faulty().face, clock)
    made.registry.register(define(nothing))
    made.store.put(schedule(), expected=None)
    for _ in range(3):
        made.ticker.tick()
        clock.advance(seconds=20)
    assert [one.args for one in caplog.records] == [("s", "reason 0")]
    made.ticker.tick()
    assert [one.args for one in caplog.records] == [("s", "reason 0"), ("s", "reason 3")]


def test_a_store_that_is_away_has_no_count(clock: ManualClock) -> None:
    store = faulty()
    target = scheduler(store.face, clock=clock)
    store.break_down()
    assert target.get_health_status()["parked"] == {}


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_parked_in_a_store_whose_tasks_are_all_known(
    count: int, clock: ManualClock
) -> None:
    made = parts(open_store("memory://"), clock)
    made.registry.register(define(nothing))
    made.store.add([execution(str(n)) for n in range(count)])
    assert parked(made.store, made.registry, {}) == []
