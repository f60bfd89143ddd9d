"""S19: schedules run through the clock changes of New York, a minute of theirs at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.models import TickOutcome
from tests.scenarios import breaks
from tests.scenarios.harness import Cluster
from tests.scenarios.tasks import definition, note

STEP = timedelta(minutes=10)
DAYS = timedelta(days=3)
SPRING = datetime(2030, 3, 9, 5, tzinfo=UTC)  # midnight; on the 10th 02:00 becomes 03:00
AUTUMN = datetime(2030, 11, 2, 4, tzinfo=UTC)  # midnight; on the 3rd 02:00 becomes 01:00


def half_hours(start: datetime) -> list[datetime]:
    """All of them in real time, whatever the clock on the wall shows."""
    return [start + n * timedelta(minutes=30) for n in range(2 * 24 * DAYS.days)]


def at(*texts: str) -> list[datetime]:
    return [datetime.fromisoformat(f"2030-{text}:00+00:00") for text in texts]


RULE = {
    SPRING: {
        "30 1 * * *": at("03-09T06:30", "03-10T06:30", "03-11T05:30"),
        "30 2 * * *": at("03-09T07:30", "03-10T07:00", "03-11T06:30"),  # right after the jump
        "*/30 * * * *": half_hours(SPRING),
    },
    AUTUMN: {
        "30 1 * * *": at("11-02T05:30", "11-03T05:30", "11-04T06:30"),  # the first of two
        "30 2 * * *": at("11-02T06:30", "11-03T07:30", "11-04T07:30"),
        "*/30 * * * *": half_hours(AUTUMN),
    },
}


def through(cluster: Cluster, start: datetime) -> list[str]:
    """What a scheduler that runs through three days does otherwise than the rule says."""
    clock = ManualClock(start)
    scheduler = AdvancedTaskScheduler(store=cluster.store_url, clock=clock)
    scheduler.register_task(definition(note))
    expected = {
        scheduler.schedule_cron_task("note", form, timezone="America/New_York"): (form, instants)
        for text, instants in RULE[start].items()
        for form in (text, f"0 {text}")
    }

    async def run() -> None:
        while clock.now() < start + DAYS:
            await scheduler.run_due()
            clock.advance(STEP)

    asyncio.run(run())
    wrong = []
    for schedule_id, (form, instants) in expected.items():
        wrong += compare(form, ran(cluster, schedule_id), instants)
        ticks = scheduler.store.ticks(schedule_id, start, start + DAYS)
        fired = [tick.instant for tick in ticks if tick.outcome is TickOutcome.FIRED]
        wrong += compare(f"the ledger of {form}", fired, instants)
    scheduler.close()
    return wrong


def ran(cluster: Cluster, schedule_id: str) -> list[datetime]:
    """The instants of the executions of a schedule whose body wrote exactly one end line."""
    ends = [line["execution"] for line in cluster.ends()]
    return sorted(
        row.scheduled_time
        for row in cluster.rows().values()
        if row.schedule_id == schedule_id and ends.count(row.execution_id) == 1
    )


def compare(what: str, seen: Sequence[datetime], expected: Sequence[datetime]) -> list[str]:
    return [
        *(f"{what} lost {one}" for one in expected if one not in seen),
        *(f"{what} has {one}" for one in seen if one not in expected),
        *([f"{what} has an instant twice"] if len(set(seen)) < len(seen) else []),
    ]


@pytest.mark.parametrize(
    ("cluster", "start"),
    [("sqlite", SPRING), ("sqlite", AUTUMN), ("postgresql", AUTUMN), ("redis", SPRING)],
    ids=["spring", "autumn", "autumn-postgresql", "spring-redis"],
    indirect=["cluster"],
)
def test_every_schedule_keeps_the_rule_through_a_clock_change(
    cluster: Cluster, start: datetime
) -> None:
    assert through(cluster, start) == []


@pytest.mark.parametrize(
    ("start", "broken", "violation"),
    [
        (SPRING, "no-gap", "30 2 * * * lost 2030-03-10"),
        (AUTUMN, "both-passes", "30 1 * * * has 2030-11-03"),
    ],
)
def test_control_without_the_rule_runs_are_lost_or_doubled(
    cluster: Cluster,
    start: datetime,
    broken: str,
    violation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaks.apply(broken, monkeypatch.setattr)
    assert any(one.startswith(violation) for one in through(cluster, start))
