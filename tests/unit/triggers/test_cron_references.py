"""Other evaluators of cron text agree, in UTC and where they follow the same rule."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from croniter import croniter
from cronsim import CronSim, CronSimError
from hypothesis import assume, given
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidCronExpression
from advanced_scheduler.triggers import CronTrigger
from tests.unit.triggers.occurrences import upcoming, utc

TIMES = st.datetimes(
    utc("1990-01-01").replace(tzinfo=None),
    utc("2060-01-01").replace(tzinfo=None),
    timezones=st.just(UTC),
).map(lambda instant: instant.replace(microsecond=0))
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def column(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy[str]:
    """Texts of one field: a star, or a list of values and ranges, with and without steps."""
    numbers = st.integers(low, high)
    values = numbers.map(str) | st.sampled_from(names) if names else numbers.map(str)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    wide = st.integers(low, high - 1).map(lambda first: f"{first}-{high}")
    steps = st.tuples(wide, st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    lists = st.lists(values | ranges | steps, min_size=1, max_size=3).map(",".join)
    return st.just("*") | lists | st.integers(1, high).map(lambda step: f"*/{step}")


TIME_OF_DAY = st.tuples(column(0, 59), column(0, 23)).map(" ".join)
DATES = column(1, 31) | st.sampled_from(["L", "LW", "1,L", "28-31"])
DAYS_OF_WEEK = column(0, 6, WEEKDAYS) | st.sampled_from(["7", "1#2", "SUN#5", "5L", "0L,3#1"])


@given(TIME_OF_DAY, DATES, column(1, 12, MONTHS), DAYS_OF_WEEK, TIMES)
def test_cronsim_names_the_same_instants(
    time_of_day: str, date: str, month: str, weekday: str, since: datetime
) -> None:
    text = f"{time_of_day} {date} {month} {weekday}"
    expected = by_cronsim(text, since)
    if not expected:
        with pytest.raises(InvalidCronExpression):
            CronTrigger(text)
    else:
        assert upcoming(CronTrigger(text), since + timedelta(seconds=1), 5) == expected


def by_cronsim(text: str, since: datetime) -> list[datetime]:
    """The next 5 instants after ``since``; none for a date that never comes."""
    try:
        return list(islice(CronSim(text, since), 5))
    except CronSimError:
        return []


@given(
    column(0, 59),
    TIME_OF_DAY,
    st.one_of(
        st.just(("*", "*")),
        st.tuples(st.integers(1, 28).map(str), st.just("*")),
        st.tuples(st.just("*"), st.integers(0, 6).map(str)),
        st.tuples(st.integers(1, 28).map(str), st.integers(0, 6).map(str)),
    ),
    column(1, 12, MONTHS),
    TIMES,
)
def test_croniter_names_the_same_instants(
    second: str, time_of_day: str, days: tuple[str, str], month: str, since: datetime
) -> None:
    date, weekday = days
    text = f"{second} {time_of_day} {date} {month} {weekday}"
    assume(not re.search(r"\b(\d+)-\1\b", text))  # croniter reads 1-1 as *
    reference = croniter(text, since, second_at_beginning=True, max_years_between_matches=50)
    expected = [reference.get_next(datetime) for _ in range(5)]
    assume(expected[-1].year < 2100)

    assert upcoming(CronTrigger(text), since + timedelta(seconds=1), 5) == expected
