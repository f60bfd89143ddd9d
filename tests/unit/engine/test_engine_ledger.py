"""Anybody can ask what became of an instant; a gap does not go unnoticed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine import ledger as module
from advanced_scheduler.engine.ledger import SLICE, Ledger
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.engine.schedules import Schedules
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.errors import InvalidArguments, ScheduleNotFound
from advanced_scheduler.models import (
    ExecutionFilter,
    Schedule,
    ScheduleFilter,
    TaskStatus,
    Tick,
    TickOutcome,
)
from advanced_scheduler.stores.base import Firing
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.triggers import CronTrigger
from tests.support.definitions import define, nothing
from tests.unit.engine.kit import MINUTE, NOW, add_cron, by, edit, parts, schedule

HOUR = timedelta(hours=1)


@pytest.fixture
def made(clock: ManualClock) -> Parts:
    made = parts(MemoryStore(), clock, history_days=1)
    made.registry.register(define(nothing))
    return made


@pytest.fixture
def schedules(made: Parts) -> Schedules:
    return Schedules(made)


@pytest.fixture
def minutely(schedules: Schedules) -> str:
    return add_cron(schedules, "job", CronTrigger("* * * * *"), {})


def why(made: Parts, schedule_id: str, instant: datetime) -> str:
    """The words for an instant without a record."""
    found = made.ledger.explain(schedule_id, instant)
    assert (found.outcome, found.execution_id, found.status) == (None, None, None)
    return found.reason


def finish(made: Parts, error: str | None = None) -> None:
    """What has been fired runs, and ends."""
    now = made.clock.now()
    for row in made.store.claim(by(now=now)):
        ended = lifecycle.complete(row, result=None, metrics={}, now=now)
        if error is not None:
            ended = lifecycle.fail(row, error=error, now=now)
        made.settler.settle([Change(row, ended)])


def skip_a_minute(made: Parts, schedule_id: str) -> datetime:
    """What must never happen: the schedule moves on, and there is no record."""
    (seen,) = made.store.schedules([schedule_id])
    assert seen.next_fire_time is not None
    step = Firing(
        schedule_id=schedule_id,
        version=seen.version,
        expected=seen.next_fire_time,
        last=seen.last_fire_time,
        next_fire_time=seen.next_fire_time + MINUTE,
        ticks=[],
        executions=[],
    )
    assert made.store.fire([step]) == [True]
    return seen.next_fire_time


def test_an_instant_that_fired_names_its_execution_and_how_that_went(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    made.ticker.tick()
    (row,) = made.store.find(ExecutionFilter(schedule_id=minutely))
    waiting = made.ledger.explain(minutely, NOW)
    assert (waiting.outcome, waiting.status) == (TickOutcome.FIRED, TaskStatus.PENDING)
    assert waiting.reason == f"execution {row.execution_id} pending"
    finish(made, error="ValueError: no")
    ended = made.ledger.explain(minutely, NOW)
    assert (ended.status, ended.execution_id) == (TaskStatus.FAILED, row.execution_id)
    assert ended.reason == f"execution {row.execution_id} failed: ValueError: no"
    clock.advance(hours=1)
    made.store.prune(keep=0, before=clock.now(), older_than=NOW, limit=9)
    trimmed = made.ledger.explain(minutely, NOW)
    assert (trimmed.outcome, trimmed.status) == (TickOutcome.FIRED, None)
    assert "has no more" in trimmed.reason


def test_an_instant_that_did_not_fire_says_why(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    clock.advance(minutes=1)
    made.ticker.tick()
    found = made.ledger.explain(minutely, NOW)
    assert found.outcome is TickOutcome.COALESCED
    assert found.reason.startswith("missed; run once for all, at 2030-01-01T00:01")


def test_an_instant_of_another_zone_is_the_same_instant(made: Parts, minutely: str) -> None:
    made.ticker.tick()
    there = datetime.fromisoformat("2030-01-01T01:00:00+01:00")
    assert made.ledger.explain(minutely, there).outcome is TickOutcome.FIRED


def test_instants_without_a_record_say_why_there_is_none(
    made: Parts, schedules: Schedules, minutely: str, clock: ManualClock
) -> None:
    assert why(made, minutely, NOW) == (
        "due, and not fired yet: no running node has looked, or none knows the task"
    )
    assert why(made, minutely, NOW + MINUTE) == "still to come"
    assert why(made, minutely, NOW + MINUTE / 2) == (
        "not an instant of this schedule; the next one after it is 2030-01-01T00:01:00+00:00"
    )
    assert "version 1 of this schedule began later, at 2030-01-01T00:00" in why(
        made, minutely, NOW - MINUTE
    )
    schedules.pause(minutely)
    assert "decided when it is resumed" in why(made, minutely, NOW)
    assert why(made, minutely, NOW + MINUTE) == "still to come; the schedule is paused"
    schedules.resume(minutely, catch_up=True)
    made.registry.unregister("job")
    assert why(made, minutely, NOW) == "parked: task 'job' is not registered on this node"


def test_a_trigger_of_a_newer_release_is_parked(made: Parts, minutely: str) -> None:
    (seen,) = made.store.schedules([minutely])
    newer = {**seen.trigger, "v": 99}
    made.store.put(_with_trigger(seen, newer), expected=seen)
    assert "newer release" in why(made, minutely, NOW)
    assert made.ledger.audit(minutely, NOW, NOW + HOUR).missing == []
    made.ledger.check()
    assert made.ledger.gaps == 0


def _with_trigger(seen: Any, trigger: dict[str, Any]) -> Any:

    return replace(seen, trigger=trigger)


def test_a_gap_is_told_from_what_was_trimmed(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    gap = skip_a_minute(made, minutely)
    assert why(made, minutely, gap).startswith("missing")
    clock.advance(days=2)
    assert why(made, minutely, gap) == "its record has been trimmed, or was older than 1 days"


@pytest.mark.parametrize("schedule_id", ["unknown", "with\0nul", ["no text"]])
def test_who_was_never_there_is_not_found(schedule_id: Any, made: Parts) -> None:
    with pytest.raises(ScheduleNotFound, match="never existed"):
        made.ledger.explain(schedule_id, NOW)
    with pytest.raises(ScheduleNotFound, match="never existed"):
        made.ledger.audit(schedule_id, NOW, NOW + HOUR)


def test_a_time_without_a_zone_is_refused(made: Parts, minutely: str) -> None:
    with pytest.raises(InvalidArguments, match=r"instant=.* must be an aware datetime"):
        made.ledger.explain(minutely, NOW.replace(tzinfo=None))
    with pytest.raises(InvalidArguments, match="end='soon' must be an aware datetime"):
        made.ledger.audit(minutely, NOW, "soon")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    "instant",
    [
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(-MINUTE)),
        datetime.min.replace(tzinfo=timezone(MINUTE)),
    ],
)
def test_a_time_beyond_all_years_is_refused(made: Parts, minutely: str, instant: datetime) -> None:
    with pytest.raises(InvalidArguments, match="within the years 1 to 9999"):
        made.ledger.explain(minutely, instant)


def test_an_audit_may_span_all_years(made: Parts, minutely: str) -> None:
    made.ticker.tick()
    ever = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
    assert [tick.instant for tick in made.ledger.audit(minutely, *ever).ticks] == [NOW]
    with pytest.raises(InvalidArguments, match="within the years 1 to 9999"):
        made.ledger.audit(minutely, NOW, datetime.max.replace(tzinfo=timezone(-MINUTE)))


def test_an_audit_holds_every_instant_and_what_is_missing(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    made.ticker.tick()
    gap = skip_a_minute(made, minutely)
    clock.advance(minutes=3)
    made.ticker.tick()
    found = made.ledger.audit(minutely, NOW, NOW + HOUR)
    assert [(one.instant, one.outcome) for one in found.ticks] == [
        (NOW, TickOutcome.FIRED),
        (NOW + 2 * MINUTE, TickOutcome.COALESCED),
        (NOW + 3 * MINUTE, TickOutcome.FIRED),
    ]
    assert found.missing == [gap] == [NOW + MINUTE]
    assert made.ledger.audit(minutely, NOW + 2 * MINUTE, NOW + 3 * MINUTE).missing == []


def test_the_ledger_of_a_removed_schedule_stays(made: Parts, minutely: str) -> None:
    made.ticker.tick()
    made.store.remove(minutely)
    (tick,) = made.ledger.audit(minutely, NOW, NOW + HOUR).ticks
    assert tick.outcome is TickOutcome.FIRED
    assert made.ledger.explain(minutely, NOW).outcome is TickOutcome.FIRED


def test_an_audit_that_ends_before_it_starts_is_refused(made: Parts, minutely: str) -> None:
    with pytest.raises(InvalidArguments, match=r"end=2030-01-01 00:00.* before start=.*01:00"):
        made.ledger.audit(minutely, NOW + HOUR, NOW)
    assert made.ledger.audit(minutely, NOW, NOW).ticks == []


def test_an_audit_of_more_than_can_be_shown_is_refused(
    made: Parts, minutely: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 100)
    clock.advance(minutes=100)
    made.ticker.tick()
    with pytest.raises(InvalidArguments, match="more than 100 instants"):
        made.ledger.audit(minutely, NOW, NOW + timedelta(days=1))
    whole = made.ledger.audit(minutely, NOW, NOW + 100 * MINUTE)
    assert (len(whole.ticks), whole.missing) == (100, [])


def test_what_the_store_has_trimmed_is_not_missing(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    clock.advance(minutes=10)
    made.ticker.tick()
    made.store.prune(keep=9, before=NOW, older_than=NOW + 5 * MINUTE, limit=9)
    found = made.ledger.audit(minutely, NOW, clock.now())
    assert (len(found.ticks), found.missing) == (5, [])
    assert why(made, minutely, NOW).startswith("its record has been trimmed")


def test_the_check_counts_each_gap_once(made: Parts, minutely: str, clock: ManualClock) -> None:
    made.ticker.tick()
    made.ledger.check()
    skip_a_minute(made, minutely)
    clock.advance(minutes=3)
    made.ticker.tick()
    for _ in range(3):
        made.ledger.check()
    assert made.ledger.gaps == 1


def test_the_check_finds_nothing_in_a_pause_or_after_an_edit(
    made: Parts, schedules: Schedules, minutely: str, clock: ManualClock
) -> None:
    made.ticker.tick()
    schedules.pause(minutely)
    clock.advance(minutes=5, seconds=1)
    made.ledger.check()
    schedules.resume(minutely)
    made.ledger.check()
    made.ticker.tick()
    edit(schedules, minutely, {"expression": "*/2 * * * *"}, {})
    clock.advance(minutes=5)
    made.ticker.tick()
    made.ledger.check()
    assert made.ledger.gaps == 0
    assert made.ledger.audit(minutely, NOW, clock.now()).missing == []


def many(made: Parts, number: int, **fields: Any) -> list[str]:
    """Schedules of which the ledger has its first instants."""
    ids = [f"s{n:03}" for n in range(number)]
    made.store.add_schedules([schedule(schedule_id=one, ledger_from=NOW, **fields) for one in ids])
    return ids


def test_the_check_goes_round_all_schedules(made: Parts, clock: ManualClock) -> None:
    ids = many(made, SLICE + 50)
    clock.advance(minutes=5)
    made.ledger.check()
    assert list(made.ledger._checked) == ids[:SLICE]
    made.ledger.check()
    assert (list(made.ledger._before), made.ledger._checked) == (ids, {})
    for one in ids:
        made.store.remove(one)
    made.ledger.check()
    assert (made.ledger._before, made.ledger._checked) == ({}, {})


def test_no_step_of_the_check_reads_more_than_a_page(clock: ManualClock) -> None:
    class Watched(MemoryStore):
        """Notes how many schedules were read."""

        read: list[int]

        def schedules(self, ids: Collection[str] | None = None) -> list[Schedule]:
            return self._note(super().schedules(ids))

        def find_schedules(self, query: ScheduleFilter) -> list[Schedule]:
            return self._note(super().find_schedules(query))

        def _note(self, found: list[Schedule]) -> list[Schedule]:
            self.read.append(len(found))
            return found

    store = Watched()
    made = parts(store, clock)
    many(made, 3 * SLICE + 1)
    store.read = []
    for _ in range(5):
        made.ledger.check()
    assert store.read == [SLICE, SLICE, SLICE, 1, SLICE]


def test_each_node_goes_on_where_it_has_fired_and_still_comes_round(
    made: Parts, clock: ManualClock
) -> None:
    ids = many(made, 3 * SLICE, next_fire_time=NOW + HOUR)
    made.store.put(schedule(schedule_id="s250x", ledger_from=NOW), expected=None)
    made.ticker.tick()
    made.ledger.check()
    made.ledger.check()
    assert list(made.ledger._before) == [*ids[:SLICE], *ids[251:]]
    for _ in range(4):
        made.ledger.check()
    assert made.ledger._before.keys() == {*ids, "s250x"}


def test_no_more_schedules_are_remembered_than_two_rounds_of_a_limit(
    made: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", SLICE)
    ids = many(made, 3 * SLICE + 1)
    for _ in range(3):
        made.ledger.check()
    assert (list(made.ledger._before), made.ledger._checked) == (ids[2 * SLICE : 3 * SLICE], {})


def test_a_check_that_comes_late_misses_nothing_that_was_trimmed(
    made: Parts, minutely: str, clock: ManualClock
) -> None:
    made.ticker.tick()
    made.ledger.check()
    clock.advance(minutes=30)
    made.ticker.tick()
    clock.advance(hours=23, minutes=50)
    made.ticker.tick()
    made.store.prune(keep=9, before=NOW, older_than=clock.now() - 24 * HOUR, limit=900)
    made.ledger.check()
    assert made.ledger.gaps == 0


def test_a_schedule_of_an_older_release_has_no_beginning_and_no_gaps(
    made: Parts, clock: ManualClock
) -> None:

    made.store.put(schedule(next_fire_time=NOW + HOUR), expected=None)
    clock.advance(hours=0.5)
    ledger = Ledger(made, kept=HOUR)
    ledger.check()
    assert ledger.gaps == 0
    assert "began later, at None" in ledger.explain("s", NOW).reason


def test_a_tick_of_a_removed_execution_keeps_its_words(made: Parts, minutely: str) -> None:
    (seen,) = made.store.schedules([minutely])
    why: dict[str, Any] = {"outcome": TickOutcome.MISFIRED, "reason": "because"}
    tick = Tick(schedule_id=minutely, instant=NOW, version=1, recorded_time=NOW, **why)
    step = Firing(
        schedule_id=minutely,
        version=1,
        expected=NOW,
        next_fire_time=seen.next_fire_time,
        ticks=[tick],
        executions=(),
    )
    assert made.store.fire([step]) == [True]
    assert made.ledger.explain(minutely, NOW).reason == "because"
