"""S14 and S20: what cron texts mean, told by the runs; and those that are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from tests.scenarios import breaks
from tests.scenarios.harness import Cluster
from tests.scenarios.tasks import definition, note

TUESDAY = datetime(2030, 1, 1, 0, 0, 30, tzinfo=UTC)

BASICS = {
    "0 9 * * 1": ["01-07 09:00", "01-14 09:00"],  # Monday
    "0 9 * * 0": ["01-06 09:00", "01-13 09:00"],  # Sunday
    "0 9 * * 7": ["01-06 09:00", "01-13 09:00"],  # Sunday as well
    "0 9 * * MON-FRI": [f"01-0{day} 09:00" for day in (1, 2, 3, 4, 7)],
    "0 9 * * fri-mon": [f"01-0{day} 09:00" for day in (4, 5, 6, 7)],
    "0 9 * * MON-SUN": [f"01-0{day} 09:00" for day in range(1, 9)],
    "30 0 9 * * 1": ["01-07 09:00:30", "01-14 09:00:30"],
    "*/20 59 23 * * *": ["01-01 23:59:00", "01-01 23:59:20", "01-01 23:59:40", "01-02 23:59:00"],
    "@yearly": ["12-31 24:00"],
    "@annually": ["12-31 24:00"],
    "@monthly": ["02-01 00:00", "03-01 00:00"],
    "@weekly": ["01-06 00:00", "01-13 00:00"],
    "@daily": ["01-02 00:00", "01-03 00:00"],
    "@midnight": ["01-02 00:00", "01-03 00:00"],
    "@hourly": ["01-01 01:00", "01-01 02:00"],
    "0 0 13 * FRI": ["01-04 00:00", "01-11 00:00", "01-13 00:00", "01-18 00:00"],  # either
    "0 0 */2 * FRI": ["01-11 00:00", "01-25 00:00"],  # both: a field starts with *
    "5/15 8 * * *": ["01-01 08:05", "01-01 08:20", "01-01 08:35", "01-01 08:50", "01-02 08:05"],
}

REFUSED = {
    "61 * * * *": ("minute", "61"),
    "* 24 * * *": ("hour", "24"),
    "* * 0 * *": ("day-of-month", "0"),
    "* * * 13 *": ("month", "13"),
    "* * * * 8": ("day-of-week", "8"),
    "60 * * * * *": ("second", "60"),
    "*/0 * * * *": ("minute", "*/0"),
    "*/60 * * * *": ("minute", "*/60"),
    "* * * * FOO": ("day-of-week", "FOO"),
    "* * * * * * *": ("field", "7"),
    "@reboot": ("macro", "@reboot"),
    "٣ * * * *": ("minute", "٣"),  # a digit of another script
    "0 0 31 2 *": ("day-of-month", "31"),
    "0 0 30 2 *": ("day-of-month", "30"),
    "0 0 31 4,6,9,11 *": ("day-of-month", "31"),
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(TUESDAY)


@pytest.fixture
def scheduler(cluster: Cluster, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    scheduler = AdvancedTaskScheduler(store=cluster.store_url, clock=clock)
    scheduler.register_task(definition(note))
    yield scheduler
    scheduler.close()


def moment(text: str) -> datetime:
    """``month-day hour:minute[:second]`` of 2030; hour 24 is the end of the day."""
    day, _, clock = text.partition(" ")
    hour, minute, second = (*map(int, clock.split(":")), 0)[:3]
    start = datetime.fromisoformat(f"2030-{day}T00:00:00+00:00")
    return start + timedelta(hours=hour, minutes=minute, seconds=second)


def strays(
    cluster: Cluster, scheduler: AdvancedTaskScheduler, clock: ManualClock, text: str
) -> list[str]:
    """Steps to each expected instant, and to a second before it; what differs."""
    expected = [moment(one) for one in BASICS[text]]
    scheduler.schedule_cron_task("note", text)
    for instant in expected:
        for now in (instant - timedelta(seconds=1), instant):
            clock.set(now)
            asyncio.run(scheduler.run_due())
    ran = sorted(row.scheduled_time for row in cluster.rows().values())
    return [
        *(f"{text} did not run at {one}" for one in expected if one not in ran),
        *(f"{text} ran at {one}" for one in ran if one not in expected),
        *([] if len(cluster.ends()) == len(expected) else [f"{len(cluster.ends())} runs"]),
    ]


@pytest.mark.parametrize("text", BASICS)
def test_a_cron_text_runs_when_it_says(
    cluster: Cluster, scheduler: AdvancedTaskScheduler, clock: ManualClock, text: str
) -> None:
    assert strays(cluster, scheduler, clock, text) == []


@pytest.mark.parametrize("text", ["0 9 * * 1", "0 9 * * 7", "0 9 * * MON-FRI", "0 0 13 * FRI"])
def test_control_with_weekdays_of_apscheduler_it_runs_on_other_days(
    cluster: Cluster,
    scheduler: AdvancedTaskScheduler,
    clock: ManualClock,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    breaks.apply("monday-is-zero", monkeypatch.setattr)
    assert strays(cluster, scheduler, clock, text)


def complaints(scheduler: AdvancedTaskScheduler, text: str) -> list[str]:
    """What is wrong with how a text is refused."""
    began, message = time.thread_time(), ""  # which does not count what others do meanwhile
    try:
        scheduler.schedule_cron_task("note", text)
    except ValueError as error:
        message = str(error)
    took = time.thread_time() - began
    named = all(part in message for part in ("Invalid cron expression", *REFUSED[text]))
    return [
        *([] if named else [f"said {message!r}"]),
        *([] if took < 1 else [f"took {took:.1f} s"]),
        *(f"stored {one.schedule_id}" for one in scheduler.get_schedules()),
    ]


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_cron_text_is_refused_at_once_by_field_and_token(
    scheduler: AdvancedTaskScheduler, text: str
) -> None:
    assert complaints(scheduler, text) == []


def test_control_without_the_check_a_date_that_never_comes_gets_another_answer(
    scheduler: AdvancedTaskScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("never-is-fine", monkeypatch.setattr)
    assert complaints(scheduler, "0 0 31 2 *")
