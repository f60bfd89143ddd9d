"""Words for a length of time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advanced_scheduler.cleanup import parse_interval
from advanced_scheduler.errors import InvalidArguments


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1 hour", timedelta(hours=1)),
        ("6 hours", timedelta(hours=6)),
        ("30 minutes", timedelta(minutes=30)),
        ("2 days", timedelta(days=2)),
        ("1 week", timedelta(weeks=1)),
        ("45 seconds", timedelta(seconds=45)),
        ("  3 DAYS ", timedelta(days=3)),
        ("90Minutes", timedelta(minutes=90)),
    ],
)
def test_a_number_and_a_unit_are_a_length_of_time(text: str, meant: timedelta) -> None:
    assert parse_interval(text) == meant


@pytest.mark.parametrize(
    "text",
    ["", "hour", "1", "1.5 hours", "-1 hour", "1 month", "1 hour 2 minutes", "٣ hours", 3600, None],
)
def test_anything_else_is_refused_with_an_example_of_what_is_not(text: object) -> None:
    with pytest.raises(InvalidArguments, match="such as '30 minutes'") as refused:
        parse_interval(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["0 hours", "999999999999 weeks"])
def test_no_time_at_all_and_more_than_a_century_are_refused(text: str) -> None:
    with pytest.raises(InvalidArguments, match="at most 100 years"):
        parse_interval(text)
