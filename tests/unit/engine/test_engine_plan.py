"""What becomes of every instant at which a schedule was due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler.engine.plan import STRETCH, Decision, Standing, instants_between, plan
from advanced_scheduler.models import (
    MisfirePolicy,
    OverlapPolicy,
    TickOutcome,
)
from advanced_scheduler.triggers import CronTrigger, OneTimeTrigger
from tests.unit.engine.kit import MINUTE, MINUTELY, NOW, schedule

FIRED, COALESCED, MISFIRED, OVERLAP = (
    TickOutcome.FIRED,
    TickOutcome.COALESCED,
    TickOutcome.MISFIRED,
    TickOutcome.OVERLAP,
)


NOTHING, SECOND = Standing(), timedelta(seconds=1)


def outcomes(late: timedelta, *, standing: Standing = NOTHING, **fields: Any) -> list[TickOutcome]:
    """What a schedule of every minute makes of the instants since ``NOW``."""
    planned = plan(schedule(**fields), MINUTELY, NOW + late, standing)
    return [one.outcome for one in planned.decisions]


def test_an_instant_fires_at_its_time_and_the_next_one_is_known() -> None:
    planned = plan(schedule(), MINUTELY, NOW)
    assert [(one.instant, one.outcome, one.reason) for one in planned.decisions] == [
        (NOW, FIRED, None)
    ]
    assert planned.next_fire_time == NOW + MINUTE


def test_nothing_happens_before_the_time() -> None:
    planned = plan(schedule(), MINUTELY, NOW - timedelta(microseconds=1))
    assert (planned.decisions, planned.next_fire_time) == ([], NOW)


def test_the_last_instant_of_a_trigger_has_none_after_it() -> None:
    once = OneTimeTrigger(NOW)
    planned = plan(schedule(once), once, NOW + timedelta(days=9))
    assert [one.outcome for one in planned.decisions] == [FIRED]
    assert planned.next_fire_time is None


def test_a_schedule_that_has_ended_decides_nothing() -> None:
    planned = plan(schedule(next_fire_time=None), MINUTELY, NOW)
    assert (planned.decisions, planned.next_fire_time) == ([], None)


def test_run_latest_runs_the_latest_and_says_so_at_the_others() -> None:
    planned = plan(schedule(), MINUTELY, NOW + 2.5 * MINUTE)
    latest = NOW + 2 * MINUTE
    reason = f"missed; run once for all, at {latest.isoformat()}"
    assert [(one.outcome, one.reason) for one in planned.decisions] == [
        (COALESCED, reason),
        (COALESCED, reason),
        (FIRED, None),
    ]
    assert planned.next_fire_time == NOW + 3 * MINUTE


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        (0, [MISFIRED, MISFIRED, MISFIRED, FIRED]),
        (1, [MISFIRED, MISFIRED, MISFIRED, FIRED]),
        (3, [MISFIRED, FIRED, FIRED, FIRED]),
        (9, [FIRED, FIRED, FIRED, FIRED]),
    ],
)
def test_run_all_runs_as_many_as_it_may_the_latest_ones(
    catch_up: int, expected: list[TickOutcome]
) -> None:
    found = outcomes(3 * MINUTE, misfire=MisfirePolicy.RUN_ALL, max_catch_up=catch_up)
    assert found == expected


@pytest.mark.parametrize(
    ("seconds_late", "expected"),
    [(0, [FIRED]), (30, [FIRED]), (30.001, [MISFIRED]), (59, [MISFIRED])],
)
def test_skip_forgives_half_the_time_to_the_next_instant(
    seconds_late: float, expected: list[TickOutcome]
) -> None:
    late = timedelta(seconds=seconds_late)
    assert outcomes(late, misfire=MisfirePolicy.SKIP) == expected


@pytest.mark.parametrize(("seconds_late", "expected"), [(5, FIRED), (5.001, MISFIRED)])
def test_skip_forgives_what_the_schedule_says(seconds_late: float, expected: TickOutcome) -> None:
    late = timedelta(seconds=seconds_late)
    assert outcomes(late, misfire=MisfirePolicy.SKIP, grace_seconds=5) == [expected]


def test_skip_runs_the_instant_that_is_in_time_though_others_were_missed() -> None:
    late = 2 * MINUTE + timedelta(seconds=1)
    assert outcomes(late, misfire=MisfirePolicy.SKIP) == [MISFIRED, MISFIRED, FIRED]


def test_skip_forgives_any_delay_of_the_last_instant() -> None:
    once = OneTimeTrigger(NOW)
    late = plan(schedule(once, misfire=MisfirePolicy.SKIP), once, NOW + timedelta(days=99))
    assert [one.outcome for one in late.decisions] == [FIRED]


BUSY, BOTH = Standing(begun=True), Standing(begun=True, waiting=True)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (OverlapPolicy.SKIP, [FIRED, OVERLAP, OVERLAP, OVERLAP]),
        (OverlapPolicy.QUEUE_ONE, [FIRED, FIRED, OVERLAP, OVERLAP]),
        (OverlapPolicy.QUEUE_ALL, [FIRED, FIRED, FIRED, FIRED]),
        (OverlapPolicy.CANCEL_RUNNING, [FIRED, FIRED, FIRED, FIRED]),
        (OverlapPolicy.ALLOW, [FIRED, FIRED, FIRED, FIRED]),
    ],
)
def test_the_overlap_policy_decides_beside_what_has_not_ended(
    policy: OverlapPolicy, expected: list[TickOutcome]
) -> None:
    standings = [Standing(), BUSY, Standing(waiting=True), BOTH]
    found = [outcomes(timedelta(0), standing=one, overlap=policy) for one in standings]
    assert found == [[one] for one in expected]


@pytest.mark.parametrize(
    ("policy", "standing", "expected"),
    [
        (OverlapPolicy.SKIP, Standing(), [FIRED, OVERLAP, OVERLAP]),
        (OverlapPolicy.QUEUE_ONE, Standing(), [FIRED, OVERLAP, OVERLAP]),
        (OverlapPolicy.QUEUE_ONE, BOTH, [OVERLAP, OVERLAP, OVERLAP]),
        (OverlapPolicy.QUEUE_ALL, BOTH, [FIRED, FIRED, FIRED]),
        (OverlapPolicy.CANCEL_RUNNING, BOTH, [OVERLAP, OVERLAP, FIRED]),
    ],
)
def test_what_is_caught_up_at_once_overlaps_with_itself(
    policy: OverlapPolicy, standing: Standing, expected: list[TickOutcome]
) -> None:
    found = outcomes(2 * MINUTE, standing=standing, misfire=MisfirePolicy.RUN_ALL, overlap=policy)
    assert found == expected


def test_every_instant_that_overlaps_says_why() -> None:
    for policy in (OverlapPolicy.SKIP, OverlapPolicy.QUEUE_ONE, OverlapPolicy.CANCEL_RUNNING):
        due = schedule(misfire=MisfirePolicy.RUN_ALL, overlap=policy)
        planned = plan(due, MINUTELY, NOW + 2 * MINUTE, BUSY)
        assert all(one.reason for one in planned.decisions if one.outcome is OVERLAP)


@pytest.mark.parametrize("policy", list(MisfirePolicy))
def test_instants_of_a_pause_are_recorded_and_never_run(policy: MisfirePolicy) -> None:
    resumed = NOW + 2 * MINUTE
    found = outcomes(3 * MINUTE, misfire=policy, resumed_time=resumed)
    assert found[:2] == [TickOutcome.PAUSED] * 2
    assert TickOutcome.PAUSED not in found[2:]
    assert found[3] is FIRED
    only = plan(schedule(resumed_time=NOW + MINUTE), MINUTELY, NOW)
    assert only.decisions == [Decision(NOW, TickOutcome.PAUSED, "the schedule was paused")]


def test_a_long_pause_is_recorded_in_steps() -> None:
    now = NOW + 3 * STRETCH * MINUTE
    step = plan(schedule(resumed_time=now), MINUTELY, now)
    assert {one.outcome for one in step.decisions} == {TickOutcome.PAUSED}
    assert len(step.decisions) == STRETCH


def test_instants_between_are_those_of_the_trigger_and_no_more_than_asked_for() -> None:
    assert instants_between(MINUTELY, NOW + SECOND, NOW + 3 * MINUTE, 9) == [
        NOW + MINUTE,
        NOW + 2 * MINUTE,
    ]
    assert instants_between(MINUTELY, NOW, NOW + 3 * MINUTE, 2) == [NOW, NOW + MINUTE]
    assert instants_between(OneTimeTrigger(NOW), NOW + SECOND, NOW + MINUTE, 9) == []


@pytest.mark.parametrize("catch_up", [0, 1, 10])
@pytest.mark.parametrize("policy", list(MisfirePolicy))
def test_a_long_absence_is_worked_off_in_steps_that_lose_no_instant(
    policy: MisfirePolicy, catch_up: int
) -> None:
    missed = 3 * STRETCH + 7
    now = NOW + missed * MINUTE
    current = schedule(misfire=policy, max_catch_up=catch_up)
    decisions: list[Decision] = []
    while current.next_fire_time is not None and current.next_fire_time <= now:
        step = plan(current, MINUTELY, now)
        assert 0 < len(step.decisions) <= STRETCH + max(catch_up, 1)
        decisions += step.decisions
        current = schedule(
            misfire=policy, max_catch_up=catch_up, next_fire_time=step.next_fire_time
        )
    assert [one.instant for one in decisions] == [NOW + n * MINUTE for n in range(missed + 1)]
    runs = max(catch_up, 1) if policy is MisfirePolicy.RUN_ALL else 1
    assert [one.outcome is FIRED for one in decisions] == (
        [False] * (missed + 1 - runs) + [True] * runs
    )


def test_no_reason_names_an_instant_that_does_not_run() -> None:
    now = NOW + 2 * STRETCH * MINUTE
    step = plan(schedule(), MINUTELY, now)
    assert {one.reason for one in step.decisions} == {"missed; run once for all, at the latest one"}


def test_instants_are_utc_though_the_zone_of_the_trigger_changes_its_clocks() -> None:
    start = datetime.fromisoformat("2026-10-25T00:00:00+00:00")  # clocks go back at 01:00 UTC
    trigger = CronTrigger("30 * * * *", timezone="Europe/Berlin")
    due = schedule(trigger, misfire=MisfirePolicy.RUN_ALL, next_fire_time=start + 30 * MINUTE)
    planned = plan(due, trigger, start + timedelta(hours=3))
    assert [one.instant for one in planned.decisions] == [
        start + timedelta(minutes=30, hours=hours) for hours in range(3)
    ]
    assert {str(one.instant.tzinfo) for one in planned.decisions} == {"UTC"}
