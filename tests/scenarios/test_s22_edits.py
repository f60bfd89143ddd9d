"""S22: a schedule is edited, or paused, while other nodes are about to fire it."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.models import Tick, TickOutcome
from tests.scenarios import checks
from tests.scenarios.clusters import STORES, Clusters
from tests.scenarios.harness import PATIENT, POLL, SLACK, Cluster, waited

SCHEDULES = 24
OLD, NEW = "*/2 * * * * *", "1-59/2 * * * * *"  # even and odd seconds
SECOND = timedelta(seconds=1)
AHEAD = timedelta(hours=1)


def spread(scheduler: AdvancedTaskScheduler, text: str) -> list[str]:
    """Schedules of the same text; what differs is their end."""
    end = datetime.now(UTC) + AHEAD
    return [
        scheduler.schedule_cron_task("note", text, end_time=end + n * SECOND)
        for n in range(SCHEDULES)
    ]


def until_second(parity: int, offset: float) -> None:
    """Sleep until ``offset`` seconds after the next even (0) or odd (1) second."""
    now = time.time()
    target = int(now) + 4 + (int(now) + parity) % 2 + offset  # after one instant at least
    time.sleep(target - now)


def ledger(cluster: Cluster, schedule_id: str) -> list[Tick]:
    now = datetime.now(UTC)
    return cluster.store.ticks(schedule_id, now - AHEAD, now + AHEAD)


def fired(cluster: Cluster, schedule_id: str) -> set[datetime]:
    ticks = ledger(cluster, schedule_id)
    return {tick.instant for tick in ticks if tick.outcome is TickOutcome.FIRED}


def edited(cluster: Cluster, broken: str | None = None) -> list[str]:
    """Around an instant of the old text, one edit after the other, to the new one."""
    cluster.team("a", "b", broken=broken, settings=PATIENT)
    scheduler = cluster.scheduler()
    ids = spread(scheduler, OLD)
    until_second(0, -0.1)
    edits: dict[str, tuple[datetime, datetime]] = {}
    for one in ids:
        before = datetime.now(UTC)
        scheduler.update_schedule(one, cron_expression=NEW)
        edits[one] = before, datetime.now(UTC)
        time.sleep(0.01)
    waited(lambda: all(len(_odd(ledger(cluster, one))) >= 2 for one in ids), timeout=10)
    for one in ids:
        scheduler.remove_schedule(one)
    cluster.until_ended(timeout=20)
    return [
        *(bad for one in ids for bad in _strays(ledger(cluster, one), *edits[one])),
        *_one_for_each_tick(cluster, ids),
        *checks.invariants(cluster),
    ]


def _odd(ticks: list[Tick]) -> list[datetime]:
    """The instants that only the new text has."""
    return [tick.instant for tick in ticks if tick.instant.second % 2 == 1]


def _strays(ticks: list[Tick], before: datetime, after: datetime) -> list[str]:
    """Up to the edit the old instants, from then on the new ones; at once, and without a gap."""
    instants = [tick.instant for tick in ticks]
    old = [one for one in instants if one.second % 2 == 0]
    new = _odd(ticks)
    late = [t for t in ticks if t.recorded_time - t.instant > (POLL + SLACK) * SECOND]
    expected = [new[0] + n * 2 * SECOND for n in range(len(new))] if new else []
    told = {
        "an edit between its instants": bool(old and new) and old[-1] < new[0],
        f"no old instant after the edit, unlike {old[-1:]}": all(one <= after for one in old),
        f"no new instant before the edit, unlike {new[:1]}": all(one > before for one in new),
        "the new instants, each once": new == expected and len(new) >= 2,
        "the first of them to be the next": bool(new) and new[0] - after <= 2 * SECOND,
        f"none later than a poll, unlike {late[:1]}": not late,
    }
    return checks.unmet(told)


def _one_for_each_tick(cluster: Cluster, ids: list[str]) -> list[str]:
    runs = Counter((row.schedule_id, row.scheduled_time) for row in cluster.rows().values())
    ticks = {(one, instant) for one in ids for instant in fired(cluster, one)}
    return [
        *(f"I5: {n} executions of {one}" for one, n in runs.items() if n > 1),
        *(f"{one} ran and was not fired" for one in runs.keys() - ticks),
        *(f"{one} was fired and did not run" for one in ticks - runs.keys()),
    ]


def test_either_the_old_instant_fires_or_the_new_one(clusters: Clusters) -> None:
    controls = {"no-compare on sqlite"}
    found = clusters.run(edited, *STORES, controls=controls)
    assert found.keys() == controls, found


def paused(cluster: Cluster, broken: str | None = None) -> list[str]:
    """Around an instant, one pause after the other; nothing fires once it has returned."""
    cluster.team("a", "b", broken=broken, settings=PATIENT)
    scheduler = cluster.scheduler()
    ids = spread(scheduler, "* * * * * *")
    until_second(0, -0.1)
    seen = {}
    for one in ids:
        scheduler.pause_schedule(one)
        seen[one] = fired(cluster, one)
        time.sleep(0.01)
    time.sleep(2.5)
    cluster.until_ended(timeout=20)
    late = {one: n for one in ids if (n := len(fired(cluster, one) - seen[one]))}
    for one in ids:
        scheduler.resume_schedule(one)
    goes_on = waited(lambda: all(fired(cluster, one) - seen[one] for one in ids), timeout=15)
    for one in ids:
        scheduler.remove_schedule(one)
    cluster.until_ended(timeout=10)
    told = {
        f"no tick after a pause, unlike {late}": not late,
        "each to go on when it is resumed": goes_on,
    }
    return [*checks.unmet(told), *_one_for_each_tick(cluster, ids), *checks.invariants(cluster)]


def test_no_tick_fires_once_a_pause_has_returned(clusters: Clusters) -> None:
    controls = {"no-compare on sqlite"}
    found = clusters.run(paused, *STORES, controls=controls)
    assert found.keys() == controls, found
