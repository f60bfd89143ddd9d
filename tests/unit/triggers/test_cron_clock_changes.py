"""Which instants a cron trigger means where clocks are changed.  All times expected are in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import CronTrigger
from tests.unit.triggers.occurrences import upcoming_utc

NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"
APIA = "Pacific/Apia"
SPRING = "2024-03-10T05:30"  # 02:00 -> 03:00 in New York at 07:00
AUTUMN = "2024-11-03T04:30"  # 02:00 -> 01:00 in New York at 06:00


def day(text: str, *times: str) -> list[str]:
    return [f"{text}T{time}" for time in times]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["2024-03-10T07:00", "2024-03-11T06:30"]),
        ("0 2 * * *", ["2024-03-10T07:00", "2024-03-11T06:00"]),
        ("30 2 * * SUN", ["2024-03-10T07:00", "2024-03-17T06:30"]),
        ("30 2 10 * *", ["2024-03-10T07:00", "2024-04-10T06:30"]),
        ("30 2 10 3 *", ["2024-03-10T07:00", "2025-03-10T06:30"]),
        ("0 30 2 * * *", ["2024-03-10T07:00", "2024-03-11T06:30"]),
        ("*/30 30 2 * * *", ["2024-03-10T07:00", "2024-03-11T06:30", "2024-03-11T06:30:30"]),
        ("15,45 2 * * *", ["2024-03-10T07:00", "2024-03-11T06:15", "2024-03-11T06:45"]),
        ("0 2,3 * * *", ["2024-03-10T07:00", "2024-03-11T06:00", "2024-03-11T07:00"]),
        ("30 3 * * *", ["2024-03-10T07:30", "2024-03-11T07:30"]),
        ("30 0-23 * * *", ["2024-03-10T05:30", "2024-03-10T06:30", "2024-03-10T07:00"]),
    ],
)
def test_skipped_fixed_times_run_once_right_after_the_jump(
    expression: str, expected: list[str]
) -> None:
    trigger = CronTrigger(expression, timezone=NEW_YORK)

    assert upcoming_utc(trigger, SPRING, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 1 * * *", ["2024-11-03T05:30", "2024-11-04T06:30"]),
        ("0 30 1 * * *", ["2024-11-03T05:30", "2024-11-04T06:30"]),
        ("0 1,2 * * *", ["2024-11-03T05:00", "2024-11-03T07:00", "2024-11-04T06:00"]),
        ("30 1 * * SUN", ["2024-11-03T05:30", "2024-11-10T06:30"]),
        ("30 1 3 * *", ["2024-11-03T05:30", "2024-12-03T06:30"]),
        ("59 59 1 * * *", ["2024-11-03T05:59:59", "2024-11-04T06:59:59"]),
    ],
)
def test_repeated_fixed_times_run_once(expression: str, expected: list[str]) -> None:
    trigger = CronTrigger(expression, timezone=NEW_YORK)

    assert upcoming_utc(trigger, AUTUMN, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "spring", "autumn"),
    [
        (
            "*/30 * * * *",
            ["05:30", "06:00", "06:30", "07:00"],
            ["04:30", "05:00", "05:30", "06:00"],
        ),
        ("0 */30 * * * *", ["05:30", "06:00", "06:30"], ["04:30", "05:00", "05:30", "06:00"]),
        ("15 * * * *", ["06:15", "07:15", "08:15"], ["05:15", "06:15", "07:15"]),
        ("@hourly", ["06:00", "07:00", "08:00"], ["05:00", "06:00", "07:00"]),
        ("15 */2 * * *", ["08:15", "10:15"], ["07:15", "09:15"]),
        ("*/30 1 * * *", ["06:00", "06:30"], ["05:00", "05:30", "06:00", "06:30"]),
    ],
)
def test_wildcard_jobs_follow_the_wall_clock_in_real_time(
    expression: str, spring: list[str], autumn: list[str]
) -> None:
    trigger = CronTrigger(expression, timezone=NEW_YORK)

    assert upcoming_utc(trigger, SPRING, len(spring)) == day("2024-03-10", *spring)
    assert upcoming_utc(trigger, AUTUMN, len(autumn)) == day("2024-11-03", *autumn)


def test_a_rare_wildcard_job_runs_in_the_second_pass_too() -> None:
    trigger = CronTrigger("*/30 1 3 11 *", timezone=NEW_YORK)

    expected = day("2024-11-03", "05:00", "05:30", "06:00", "06:30")
    assert upcoming_utc(trigger, AUTUMN, 4) == expected


def test_a_summer_time_of_one_week_is_noticed() -> None:
    trigger = CronTrigger("0 12 * * *", timezone="America/Boa_Vista")

    runs = upcoming_utc(trigger, "2000-10-07", 10)

    assert [run[-5:-3] for run in runs] == ["16", *["15"] * 7, "16", "16"]


def test_a_wildcard_job_of_the_skipped_hour_does_not_run_that_day() -> None:
    trigger = CronTrigger("*/30 2 * * *", timezone=NEW_YORK)

    assert upcoming_utc(trigger, SPRING, 1) == ["2024-03-11T06:00"]


@pytest.mark.parametrize(
    ("expression", "zone", "since", "expected"),
    [
        # 02:00 -> 02:30, and 02:00 -> 01:30
        ("15 2 * * *", LORD_HOWE, "2024-10-05", ["2024-10-05T15:30", "2024-10-06T15:15"]),
        ("0,30 2 * * *", LORD_HOWE, "2024-10-05", ["2024-10-05T15:30", "2024-10-06T15:00"]),
        ("45 1 * * *", LORD_HOWE, "2024-04-06", ["2024-04-06T14:45", "2024-04-07T15:15"]),
        (
            "*/15 * * * *",
            LORD_HOWE,
            "2024-04-06T14:30",
            day("2024-04-06", "14:30", "14:45", "15:00", "15:15", "15:30"),
        ),
        # 00:00 -> 01:00 and 00:00 -> 23:00
        ("0 0 * * *", "Africa/Cairo", "2024-04-25", ["2024-04-25T22:00", "2024-04-26T21:00"]),
        ("30 0 26 4 *", "Africa/Cairo", "2024-04-25", ["2024-04-25T22:00", "2025-04-25T21:30"]),
        ("30 23 * * *", "Africa/Cairo", "2024-10-31", ["2024-10-31T20:30", "2024-11-01T21:30"]),
        ("0 0 * * *", "Africa/Cairo", "2024-10-31", ["2024-10-31T22:00", "2024-11-01T22:00"]),
        ("30 0 * * *", "Asia/Beirut", "2024-03-30", ["2024-03-30T22:00", "2024-03-31T21:30"]),
        ("30 23 * * *", "Asia/Beirut", "2024-10-26", ["2024-10-26T20:30", "2024-10-27T21:30"]),
        ("0 0 * * SUN", "America/Havana", "2024-03-10", ["2024-03-10T05:00", "2024-03-17T04:00"]),
        ("30 0 * * *", "America/Havana", "2024-11-03", ["2024-11-03T04:30", "2024-11-04T05:30"]),
        ("0 0 8 * *", "America/Santiago", "2024-09-08", ["2024-09-08T04:00", "2024-10-08T03:00"]),
        ("30 23 * * *", "America/Santiago", "2024-04-07", ["2024-04-07T02:30", "2024-04-08T03:30"]),
    ],
)
def test_the_rule_holds_for_half_hours_and_at_midnight(
    expression: str, zone: str, since: str, expected: list[str]
) -> None:
    trigger = CronTrigger(expression, timezone=zone)

    assert upcoming_utc(trigger, since, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "since", "expected"),
    [
        ("0 12 * * *", APIA, "2011-12-29T22:00", ["2011-12-29T22:00", "2011-12-30T22:00"]),
        ("0 12 30 12 *", APIA, "2010-12-30", ["2010-12-30T22:00", "2012-12-29T22:00"]),
        ("0 0 30 * *", APIA, "2011-11-30", ["2011-11-30T10:00", "2012-01-29T10:00"]),
        ("0 0 * * FRI", APIA, "2011-12-23", ["2011-12-23T10:00", "2012-01-05T10:00"]),
        ("0 9 21 8 *", "Pacific/Kwajalein", "1992-08-21", ["1992-08-21T21:00", "1994-08-20T21:00"]),
        ("0 3 1 2 *", "Antarctica/Davis", "1968-06-01", ["1970-01-31T20:00"]),
    ],
)
def test_nothing_is_caught_up_after_a_jump_of_more_than_three_hours(
    expression: str, zone: str, since: str, expected: list[str]
) -> None:
    trigger = CronTrigger(expression, timezone=zone)

    assert upcoming_utc(trigger, since, len(expected)) == expected


def test_a_jump_of_three_hours_is_caught_up() -> None:
    trigger = CronTrigger("30 5 * * *", timezone="Antarctica/Casey")  # 04:00 -> 07:00

    expected = ["2018-10-05T21:30", "2018-10-06T20:00", "2018-10-07T18:30"]
    assert upcoming_utc(trigger, "2018-10-05T20:00", 3) == expected


def test_a_repeated_day_is_lived_once_by_fixed_times_and_twice_by_wildcards() -> None:
    fixed = CronTrigger("0 12 * * *", timezone="Pacific/Kwajalein")
    wildcard = CronTrigger("0 */12 * * *", timezone="Pacific/Kwajalein")

    # 1969-09-30 13:00 UTC: from 00:00 of the 1st back to 01:00 of the 30th
    assert upcoming_utc(fixed, "1969-09-29T12:00", 2) == ["1969-09-30T01:00", "1969-10-02T00:00"]
    assert upcoming_utc(wildcard, "1969-09-30T01:00", 3) == [
        "1969-09-30T01:00",
        "1969-10-01T00:00",
        "1969-10-01T12:00",
    ]


@pytest.mark.parametrize(
    ("expression", "choice", "spring", "autumn"),
    [
        ("30 1,2 * * *", {"gap": "skip"}, ["10T06:30", "11T05:30"], ["03T05:30", "03T07:30"]),
        ("*/30 2 * * *", {"gap": "run_after"}, ["10T07:00", "11T06:00"], ["03T07:00", "03T07:30"]),
        ("30 1 * * *", {"fold": "second"}, ["10T06:30", "11T05:30"], ["03T06:30", "04T06:30"]),
        ("30 1 * * *", {"fold": "both"}, ["10T06:30", "11T05:30"], ["03T05:30", "03T06:30"]),
        ("*/30 1 * * *", {"fold": "first"}, ["10T06:00", "10T06:30"], ["03T05:00", "03T05:30"]),
        (
            "*/30 1 * * *",
            {"fold": "second"},
            ["10T06:00", "10T06:30"],
            ["03T06:00", "03T06:30", "04T06:00"],
        ),
    ],
)
def test_a_schedule_may_choose_otherwise(
    expression: str, choice: dict[str, Any], spring: list[str], autumn: list[str]
) -> None:
    trigger = CronTrigger(expression, timezone=NEW_YORK, **choice)

    assert upcoming_utc(trigger, SPRING, len(spring)) == [f"2024-03-{rest}" for rest in spring]
    assert upcoming_utc(trigger, AUTUMN, len(autumn)) == [f"2024-11-{rest}" for rest in autumn]


@pytest.mark.parametrize("choice", [{"gap": "later"}, {"fold": "third"}, {"fold": 1}])
def test_an_unknown_choice_is_refused(choice: dict[str, Any]) -> None:
    (name,) = choice
    with pytest.raises(InvalidTrigger, match=f"^{name}="):
        CronTrigger("30 2 * * *", **choice)


def test_a_naive_start_in_the_skipped_hour_means_right_after_the_jump() -> None:
    start = datetime.fromisoformat("2024-03-10T02:30")
    trigger = CronTrigger("30 2 * * *", timezone=NEW_YORK, start_time=start)

    assert upcoming_utc(trigger, "2024-01-01", 1) == ["2024-03-10T07:00"]


def test_asking_from_within_the_second_pass_does_not_run_the_first_again() -> None:
    trigger = CronTrigger("30 1 * * *", timezone=NEW_YORK)

    assert upcoming_utc(trigger, "2024-11-03T06:10", 1) == ["2024-11-04T06:30"]
