"""Cron texts in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_scheduler.triggers.cron_text import parse_cron
from advanced_scheduler.triggers.words import cron_in_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30 2 * * *", "at 02:30 every day"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0 * * * *", "every hour"),
        ("@hourly", "every hour"),
        ("5 * * * *", "at minute 5 of every hour"),
        ("0 */2 * * *", "every 2 hours"),
        ("5 */2 * * *", "at minute 5 of every 2 hours"),
        ("*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
        ("1-3 * * * *", "at minutes 1 to 3 of every hour"),
        ("0 9,13,17 * * *", "at 09:00, 13:00 and 17:00 every day"),
        ("* 9 * * *", "every minute from 09:00 to 09:59"),
        ("*/15 9-17 * * 1-5", "every 15 minutes from 09:00 to 17:59, every Monday to Friday"),
        ("*/20 1,5,9,11 * * *", "every 20 minutes in hours 1, 5, 9 and 11"),
        ("*/15 */2 * * *", "every 15 minutes in an hour of every 2 hours"),
        ("0 9 * * 1", "at 09:00 every Monday"),
        ("0 9 * * 7", "at 09:00 every Sunday"),
        ("0 9 * * MON,WED,FRI", "at 09:00 every Monday, Wednesday and Friday"),
        ("0 9 * * FRI-MON", "at 09:00 every Monday and Friday to Sunday"),
        ("0 0 1,15 * *", "at 00:00 on the 1st and 15th of every month"),
        ("0 0 L * *", "at 00:00 on the last day of every month"),
        ("0 0 LW * *", "at 00:00 on the last weekday of every month"),
        ("0 0 15W 1,7 *", "at 00:00 on the weekday nearest to the 15th of January and July"),
        ("0 12 * * 5#2", "at 12:00 on the 2nd Friday of the month"),
        ("0 12 * * 5L", "at 12:00 on the last Friday of the month"),
        ("0 12 * * 1,5L", "at 12:00 every Monday and the last Friday of the month"),
        ("0 0 13 * 5", "at 00:00 on the 13th of every month, and every Friday"),
        (
            "0 0 */10 * 5",
            "at 00:00 every Friday that is the 1st, 11th, 21st and 31st of every month",
        ),
        ("0 0 * 6-8 *", "at 00:00 every day in June to August"),
        ("@yearly", "at 00:00 on the 1st of January"),
        ("0 0 29 2 ?", "at 00:00 on the 29th of February"),
        ("30 0 2 * * *", "at 02:00:30 every day"),
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("*/10 * 8 * * *", "every 10 seconds from 08:00 to 08:59"),
        ("15,45 * * * * *", "at seconds 15 and 45 of every minute"),
        ("15 */5 * * * 1", "at second 15 of each minute of: every 5 minutes, every Monday"),
    ],
)
def test_a_cron_text_in_words(text: str, words: str) -> None:
    assert cron_in_words(parse_cron(text)) == words


_TIMES = ("0", "5", "*", "*/15", "*/7", "0,12", "1-3", "*/2", "8-9", "*/10")
_DATES = ("*", "1", "L", "LW", "15W", "1,15", "*/2", "1-3", "?")
_MONTHS = ("*", "1", "6-8", "1,2", "*/3")
_WEEKDAYS = ("*", "1", "1-5", "5#2", "5L", "0,6", "*/2", "1,5L", "?")
_TEXTS = st.builds(
    " ".join,
    st.tuples(
        *(st.sampled_from(one) for one in (_TIMES, _TIMES, _TIMES, _DATES, _MONTHS, _WEEKDAYS))
    ),
)


@settings(max_examples=400, deadline=None)
@given(_TEXTS, _TEXTS)
def test_equal_words_mean_equal_times(one: str, other: str) -> None:
    first, second = parse_cron(one), parse_cron(other)
    same_days = first.dates.months == second.dates.months and all(
        first.dates.days.days(weekday, length) == second.dates.days.days(weekday, length)
        for weekday in range(7)
        for length in (28, 29, 30, 31)
    )
    same = same_days and all(
        getattr(first, name) == getattr(second, name) for name in ("seconds", "minutes", "hours")
    )
    if not same:
        assert cron_in_words(first) != cron_in_words(second)
