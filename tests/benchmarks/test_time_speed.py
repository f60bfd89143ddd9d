"""Time: many schedules due at once, many that only wait, lateness, and the search of cron."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.benchmarks.measuring import (
    at_least,
    compare,
    compare_rates,
    in_turn,
    limit,
    median,
    ours,
    tell,
)

BURST = 10_000
CONCURRENCY = 100
SCHEDULES = 100_000
IDLE_SECONDS = 10
EACH_SECOND = 200
LATENESS_SECONDS = 10
CRON_SECONDS = 1


@pytest.mark.parametrize(("kind", "goal"), [("memory", 1), ("sqlite", 2), ("postgresql", 3)])
def test_cron_schedules_due_in_the_same_second(
    kind: str, goal: float, empty: Callable[[str], str]
) -> None:
    runs = in_turn(
        ours=lambda: ours("ours_burst.py", empty(kind), BURST, CONCURRENCY),
        apscheduler3=lambda: ours("peer_apscheduler3_burst.py", BURST),
    )
    name = f"time, {kind}, {BURST:,} cron schedules due at once"
    limit(f"{name}, last one dispatched", median(runs["ours"], "last_s"), "s", goal)
    tell(f"{name}, last one recorded: ours {median(runs['ours'], 'recorded_s'):.2f} s")
    peer_s = median(runs["apscheduler3"], "last_s")
    tell(f"{name}, last one dispatched by APScheduler 3.11 in memory: {peer_s:.2f} s")


def test_many_schedules_that_wait(empty: Callable[[str], str]) -> None:
    runs = in_turn(
        ours=lambda: ours("ours_schedules.py", "memory://", SCHEDULES, IDLE_SECONDS),
        apscheduler3=lambda: ours("peer_apscheduler3_schedules.py", SCHEDULES),
    )
    name = f"time, memory, {SCHEDULES:,} cron schedules"
    mine = runs["ours"]
    at_least(f"{name}, made", median(mine, "per_second"), 5_000)
    single, theirs = median(mine, "single"), median(runs["apscheduler3"], "per_second")
    compare_rates(f"{name}, made one by one", single, "APScheduler 3.11", theirs)
    limit(f"{name}, none due", median(mine, "idle_percent"), "% of a core", 2)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
def test_a_tenth_as_many_in_a_durable_store(kind: str, empty: Callable[[str], str]) -> None:
    tenth = SCHEDULES // 10
    runs = in_turn(ours=lambda: ours("ours_schedules.py", empty(kind), tenth, IDLE_SECONDS))["ours"]
    at_least(f"time, {kind}, {tenth:,} cron schedules, made at once", median(runs, "bulk"), 2_000)
    at_least(f"time, {kind}, cron schedules, made one by one", median(runs, "single"))
    idle = median(runs, "idle_percent")
    limit(f"time, {kind}, {tenth:,} cron schedules, none due", idle, "% of a core", 2)


def test_lateness_of_schedules_each_second() -> None:
    order = (EACH_SECOND, LATENESS_SECONDS)
    runs = in_turn(
        ours=lambda: ours("ours_lateness.py", *order),
        apscheduler3=lambda: ours("peer_apscheduler3_lateness.py", *order),
    )
    name = f"time, memory, {EACH_SECOND} schedules each second, lateness"
    limit(f"{name} p99", median(runs["ours"], "p99_ms"), "ms", 5)
    for figure in ("p50_ms", "p99_ms"):
        mine, theirs = median(runs["ours"], figure), median(runs["apscheduler3"], figure)
        tell(f"{name} {figure[:3]}: ours {mine:.2f} ms, APScheduler 3.11 {theirs:.2f} ms")


@pytest.mark.parametrize("text", ["15 * * * *", "30 2 * * *", "0 9 * * 1", "0 0 29 2 *"])
def test_next_instant_of_a_cron_text(text: str) -> None:
    runs = in_turn(
        ours=lambda: ours("ours_cron.py", text, CRON_SECONDS),
        cronsim=lambda: ours("peer_cronsim.py", text, CRON_SECONDS),
    )
    compare(f"time, next of {text!r}, cronsim", runs["ours"], runs["cronsim"], 1)
    compare(
        f"time, parse and first of {text!r}, cronsim", runs["ours"], runs["cronsim"], 1, "first"
    )
