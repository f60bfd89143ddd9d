"""S18: nobody looked for an hour, and each policy makes of it what it says."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.models import MisfirePolicy, TickOutcome
from tests.scenarios import breaks
from tests.scenarios.clusters import STORES, on
from tests.scenarios.harness import Cluster
from tests.scenarios.tasks import definition, note

START = datetime(2030, 1, 1, 12, 0, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LAST = datetime(2030, 1, 1, 13, 0, tzinfo=UTC)  # of the instants that were missed
MISSED = 60
DEFAULT = None


def opened(cluster: Cluster, clock: ManualClock) -> AdvancedTaskScheduler:
    scheduler = AdvancedTaskScheduler(store=cluster.store_url, clock=clock)
    scheduler.register_task(definition(note))
    return scheduler


def an_hour_later(
    cluster: Cluster, policy: MisfirePolicy | None, late: float
) -> tuple[Counter[TickOutcome], list[datetime], list[str]]:
    """Scheduled every minute by a node that ends; another begins ``late`` seconds after an hour.

    Answers the outcomes, the instants that ran within the hour and in the minute after it, and
    what is wrong with the ledger.
    """
    clock = ManualClock(START)
    first = opened(cluster, clock)
    schedule_id = first.schedule_cron_task("note", "* * * * *")
    if policy is not DEFAULT:
        (schedule,) = first.get_schedules()
        changed = replace(schedule, misfire=policy, max_catch_up=10, version=2)
        assert first.store.put(changed, expected=schedule)
    first.close()
    clock.set(LAST + timedelta(seconds=late))
    second = opened(cluster, clock)
    drain(second)
    clock.set(LAST + MINUTE)
    drain(second)
    ticks = second.store.ticks(schedule_id, START, LAST + 2 * MINUTE)
    rows = cluster.rows()
    ended = {line["execution"] for line in cluster.ends()}
    ran = sorted(rows[one].scheduled_time for one in ended)
    second.close()
    wrong = [
        *(f"a gap at {a.instant}" for a, b in pairwise(ticks) if b.instant - a.instant != MINUTE),
        *(
            f"{tick.instant} is {tick.outcome} with {tick.execution_id} and {tick.reason}"
            for tick in ticks
            if (tick.outcome is TickOutcome.FIRED) != (tick.execution_id in ended)
            or (tick.outcome is TickOutcome.FIRED) == bool(tick.reason)
        ),
        *([] if len(rows) == len(ended) == len(cluster.starts()) else ["some did not run once"]),
        *([] if len(ticks) == MISSED + 1 else [f"{len(ticks)} ticks"]),
    ]
    return Counter(tick.outcome for tick in ticks), ran, wrong


def drain(scheduler: AdvancedTaskScheduler) -> None:
    while asyncio.run(scheduler.run_due()):
        pass


@on(*STORES)
@pytest.mark.parametrize(
    ("policy", "late", "outcomes", "runs"),
    [
        (DEFAULT, 45, {TickOutcome.COALESCED: 59, TickOutcome.FIRED: 2}, 1),
        (MisfirePolicy.RUN_LATEST, 45, {TickOutcome.COALESCED: 59, TickOutcome.FIRED: 2}, 1),
        (MisfirePolicy.SKIP, 45, {TickOutcome.MISFIRED: 60, TickOutcome.FIRED: 1}, 0),
        (MisfirePolicy.SKIP, 15, {TickOutcome.MISFIRED: 59, TickOutcome.FIRED: 2}, 1),  # in time
        (MisfirePolicy.RUN_ALL, 45, {TickOutcome.MISFIRED: 50, TickOutcome.FIRED: 11}, 10),
    ],
    ids=["default", "latest", "skip", "skip-in-time", "all-up-to-10"],
)
def test_a_policy_decides_about_the_missed_hour_and_the_ledger_tells(
    cluster: Cluster,
    policy: MisfirePolicy | None,
    late: float,
    outcomes: dict[TickOutcome, int],
    runs: int,
) -> None:
    seen, ran, wrong = an_hour_later(cluster, policy, late)
    assert wrong == []
    assert seen == outcomes
    assert ran == [LAST - n * MINUTE for n in reversed(range(runs))] + [LAST + MINUTE]


def test_control_without_the_default_the_hour_is_dropped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("drops-misfires", monkeypatch.setattr)
    _, ran, _ = an_hour_later(cluster, DEFAULT, 45)
    assert ran == [LAST + MINUTE]


def test_control_executions_that_nobody_accounts_for_are_seen(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("fires-twice", monkeypatch.setattr)
    assert an_hour_later(cluster, DEFAULT, 45)[1] == [LAST, LAST, *[LAST + MINUTE] * 2]
