"""What clock changes do to triggers, and what triggers do, in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger as ForeignCron

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import (
    AndTrigger,
    CronTrigger,
    DailyTrigger,
    EventTrigger,
    ForeignCalendarTrigger,
    IntervalTrigger,
    MonthlyTrigger,
    ObjectTrigger,
    OneTimeTrigger,
    OrTrigger,
    TimestampTrigger,
    Trigger,
    WeeklyTrigger,
    as_trigger,
    describe,
    lint,
    next_runs,
)
from tests.unit.triggers.occurrences import upcoming, utc

NEW_YORK: Any = {"timezone": "America/New_York"}
SINCE = utc("2026-10-01")  # clocks change on 2026-11-01 and 2027-03-14
HALF_A_YEAR = 180


@pytest.mark.parametrize(
    ("trigger", "lines"),
    [
        (
            DailyTrigger("02:30", **NEW_YORK),
            ["2027-03-14 02:30 does not exist in America/New_York: runs at 03:00 instead"],
        ),
        (
            CronTrigger("30 2 * * *", gap="skip", **NEW_YORK),
            ["2027-03-14 02:30 does not exist in America/New_York: is skipped"],
        ),
        (
            CronTrigger("0,30 2,3 * * *", **NEW_YORK),
            [
                (
                    "2027-03-14 02:00 to 02:30 (2 times) do not exist in America/New_York: "
                    "they run once, at 03:00 instead"
                )
            ],
        ),
        (
            WeeklyTrigger("sun", "01:30", **NEW_YORK),
            ["2026-11-01 01:30 happens twice in America/New_York: runs the first time"],
        ),
        (
            WeeklyTrigger("sun", "01:30", fold="second", **NEW_YORK),
            ["2026-11-01 01:30 happens twice in America/New_York: runs the second time"],
        ),
        (
            WeeklyTrigger("sun", "01:30", fold="both", **NEW_YORK),
            ["2026-11-01 01:30 happens twice in America/New_York: runs both times"],
        ),
        (
            CronTrigger("* * * * *", **NEW_YORK),
            [
                (
                    "2026-11-01 01:00 to 01:59 (60 times) happen twice in America/New_York: "
                    "they run both times"
                ),
                (
                    "2027-03-14 02:00 to 02:59 (60 times) do not exist in America/New_York: "
                    "they are skipped"
                ),
            ],
        ),
        (
            CronTrigger("* * * * * *", end_time="2026-12-01", **NEW_YORK),
            [
                (
                    "2026-11-01 01:00 and 999 or more times after it happen twice in "
                    "America/New_York: they run both times"
                )
            ],
        ),
        (WeeklyTrigger("mon", "02:30", **NEW_YORK), []),
        (DailyTrigger("02:30"), []),
        (DailyTrigger("02:30", end_time="2027-03-01", **NEW_YORK), []),
        (DailyTrigger("02:30", start_time="2027-03-15", **NEW_YORK), []),
        (DailyTrigger("02:30", start_time="2026-01-01", max_runs=300, **NEW_YORK), []),
        (DailyTrigger("01:30", start_time="2026-01-01", max_runs=300, **NEW_YORK), []),
        (DailyTrigger("01:30", start_time="2026-11-02", **NEW_YORK), []),
        (IntervalTrigger(1800, **NEW_YORK), []),
        (
            OneTimeTrigger("2027-03-14T02:30", **NEW_YORK),
            ["2027-03-14 02:30 does not exist in America/New_York: runs at 03:00 instead"],
        ),
        (EventTrigger("x"), []),
        (
            OrTrigger(
                [DailyTrigger("02:30", **NEW_YORK), WeeklyTrigger("sun", "02:30", **NEW_YORK)]
            ),
            ["2027-03-14 02:30 does not exist in America/New_York: runs at 03:00 instead"],
        ),
        (
            ForeignCalendarTrigger([0, 0, 0, 1], [2, 30, 0], "2026-01-01", **NEW_YORK),
            ["2027-03-14 02:30 does not exist in America/New_York: is skipped"],
        ),
    ],
)
def test_each_change_of_the_clocks_that_matters_has_one_line(
    trigger: Trigger, lines: list[str]
) -> None:
    assert lint(trigger, SINCE, HALF_A_YEAR) == lines


def test_jitter_is_left_out() -> None:
    delayed = DailyTrigger("02:30", jitter=3600, **NEW_YORK)

    assert lint(delayed, SINCE) == lint(DailyTrigger("02:30", **NEW_YORK), SINCE)


def test_two_years_are_looked_at_unless_told_otherwise() -> None:
    trigger = DailyTrigger("02:30", **NEW_YORK)

    assert len(lint(trigger, SINCE)) == 2
    assert len(lint(trigger, SINCE, days=3660)) == 10
    with pytest.raises(InvalidTrigger, match="days=-1 must be"):
        lint(trigger, SINCE, days=-1)
    with pytest.raises(InvalidTrigger, match="days=nan must be"):
        lint(trigger, SINCE, days=float("nan"))


def test_a_change_is_told_also_from_within_and_up_to_its_end() -> None:
    trigger = DailyTrigger("01:30", **NEW_YORK)  # twice from 05:00 to 07:00 UTC

    assert lint(trigger, utc("2026-11-01T06:59:59"), 1) != []
    assert lint(trigger, utc("2026-11-01T07:00"), 1) == []
    assert lint(trigger, utc("2026-10-31T05:00"), 1) != []
    assert lint(trigger, utc("2026-10-31T04:59:59"), 1) == []


@pytest.mark.parametrize(
    ("zone", "since", "time", "line"),
    [
        (
            "Australia/Lord_Howe",
            "2024-10-01",
            "02:15",
            "does not exist in {}: runs at 02:30 instead",
        ),
        ("Australia/Lord_Howe", "2024-04-01", "01:45", "happens twice in {}: runs the first time"),
        ("Africa/Cairo", "2024-04-20", "00:30", "does not exist in {}: runs at 01:00 instead"),
        ("Asia/Beirut", "2024-10-20", "23:30", "happens twice in {}: runs the first time"),
        ("America/Santiago", "2024-09-01", "00:00", "does not exist in {}: runs at 01:00 instead"),
        ("Pacific/Apia", "2011-12-20", "12:00", "does not exist in {}: is skipped"),
    ],
)
def test_other_clocks_change_by_other_amounts_and_at_other_times(
    zone: str, since: str, time: str, line: str
) -> None:
    (found,) = lint(DailyTrigger(time, timezone=zone), utc(since), 20)

    assert found.split(" ", 2)[1:] == [time, line.format(zone)]


def test_what_apscheduler_does_is_read_off_its_answers() -> None:
    trigger = as_trigger(ForeignCron(hour=2, minute=30, timezone="America/New_York"))

    (line,) = lint(trigger, SINCE, HALF_A_YEAR)

    assert line.startswith("2027-03-14 02:30 does not exist in America/New_York: ")
    following = upcoming(trigger, "2027-03-14T06:00", 1)[0]
    assert line.endswith(f"runs at {following:%H:%M} instead" if following.hour == 3 else "skipped")


def test_runs_that_a_change_affects_have_a_note() -> None:
    trigger = CronTrigger("30 1,2 * * *", **NEW_YORK)

    autumn = next_runs(trigger, 3, utc("2026-11-01T04:00"))
    spring = next_runs(trigger, 4, utc("2027-03-13T07:00"))

    assert [run.instant for run in autumn] == upcoming(trigger, "2026-11-01T04:00", 3)
    assert [run.note for run in autumn] == [
        "2026-11-01 01:30 happens twice in America/New_York: runs the first time",
        None,
        None,
    ]
    assert [run.note for run in spring] == [
        None,
        None,
        "2027-03-14 02:30 does not exist in America/New_York: runs at 03:00 instead",
        None,
    ]
    assert str(spring[0].instant.tzinfo) == "America/New_York"


def test_the_run_after_skipped_ones_has_a_note() -> None:
    trigger = DailyTrigger("02:30", gap="skip", **NEW_YORK)

    runs = next_runs(trigger, 3, utc("2027-03-13T00:00"))

    assert [run.note for run in runs] == [
        None,
        "2027-03-14 02:30 does not exist in America/New_York: is skipped",
        None,
    ]


def test_both_passes_have_a_note() -> None:
    runs = next_runs(DailyTrigger("01:30", fold="both", **NEW_YORK), 3, utc("2026-11-01T05:00"))

    assert [run.note is None for run in runs] == [False, False, True]


def test_there_may_be_fewer_runs_or_none() -> None:
    assert next_runs(EventTrigger("x"), 5, SINCE) == []
    assert len(next_runs(OneTimeTrigger("2027-01-01"), 5, SINCE)) == 1
    assert len(next_runs(OneTimeTrigger("2020-01-01"), 5, SINCE)) == 1


class Moon:
    """Rises every day."""

    def get_next_run_time(self, after_time: float) -> float:
        return after_time + timedelta(hours=25).total_seconds()

    def __repr__(self) -> str:
        return "Moon()"


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (IntervalTrigger(300), "every 5 minutes, UTC"),
        (IntervalTrigger(3600), "every hour, UTC"),
        (IntervalTrigger(90), "every 90 seconds, UTC"),
        (IntervalTrigger(0.25), "every 0.25 seconds, UTC"),
        (IntervalTrigger(timedelta(weeks=2)), "every 2 weeks, UTC"),
        (DailyTrigger("02:30", timezone="Europe/Berlin"), "at 02:30 every day, Europe/Berlin"),
        (DailyTrigger(["9:00", "13:00", "17:00"]), "at 09:00, 13:00 and 17:00 every day, UTC"),
        (WeeklyTrigger(["mon", "thu"], "10:00"), "every Monday and Thursday at 10:00, UTC"),
        (
            MonthlyTrigger([1, 2, 3, 11, 22, -1], "12:00"),
            "on the 1st, 2nd, 3rd, 11th, 22nd and last day of every month at 12:00, UTC",
        ),
        (
            MonthlyTrigger(31, "12:00", short="last"),
            "on the 31st of every month at 12:00 (the last day where a month is too short), UTC",
        ),
        (CronTrigger("0 9 * * 1-5"), "at 09:00 every Monday to Friday, UTC"),
        (
            CronTrigger(
                "0 9 * * *",
                timezone="UTC",
                start_time="2026-01-01T00:00",
                end_time="2026-02-01T12:00:05",
                max_runs=3,
            ),
            "at 09:00 every day, UTC, from 2026-01-01 00:00, until 2026-02-01 12:00:05, 3 times",
        ),
        (OneTimeTrigger("2026-05-01T10:00"), "once at 2026-05-01 10:00, UTC"),
        (EventTrigger("low_stock"), "at every event low_stock"),
        (TimestampTrigger([0, 500, 2000]), "at 3 moments within 2 s of its own time"),
        (
            TimestampTrigger([0], start_time="2026-01-01"),
            "at 1 moment within 0 s from 2026-01-01 00:00:00, UTC",
        ),
        (
            OrTrigger([DailyTrigger("09:00"), IntervalTrigger(60)]),
            "any of: at 09:00 every day, UTC; every minute, UTC",
        ),
        (AndTrigger([DailyTrigger("09:00")]), "when all agree: at 09:00 every day, UTC"),
        (
            as_trigger(ForeignCron(day_of_week="mon", hour=9, timezone="UTC")),
            "APScheduler's cron day_of_week='mon', hour='9', UTC",
        ),
        (
            ForeignCalendarTrigger([0, 1, 0, 2], [9, 30, 0], "2026-01-01"),
            "every 1 months and 2 days at 09:30:00, from 2026-01-01 on, UTC",
        ),
        (ObjectTrigger(Moon()), "when Moon() says so"),
    ],
)
def test_a_trigger_is_told_in_words(trigger: Trigger, words: str) -> None:
    assert describe(trigger) == words
