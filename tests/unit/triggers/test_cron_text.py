"""What a cron text means, and what it may not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.errors import InvalidCronExpression
from advanced_scheduler.triggers import CronTrigger
from advanced_scheduler.triggers.cron_text import parse_cron
from tests.unit.triggers.occurrences import upcoming, upcoming_utc, utc

SUNDAY = "2026-03-01T00:00"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("15 * * * *", ["2026-03-01T00:15", "2026-03-01T01:15", "2026-03-01T02:15"]),
        ("30 2 * * *", ["2026-03-01T02:30", "2026-03-02T02:30", "2026-03-03T02:30"]),
        ("0 9 * * 1", ["2026-03-02T09:00", "2026-03-09T09:00", "2026-03-16T09:00"]),
        ("0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]),
        ("5/25 0 * * *", ["2026-03-01T00:05", "2026-03-01T00:30", "2026-03-01T00:55"]),
        ("0 22-2/2 1 3 *", ["2026-03-01T00:00", "2026-03-01T02:00", "2026-03-01T22:00"]),
        ("*/20 30 4 * * *", ["2026-03-01T04:30", "2026-03-01T04:30:20", "2026-03-01T04:30:40"]),
        ("0 0 L * *", ["2026-03-31T00:00", "2026-04-30T00:00", "2026-05-31T00:00"]),
        ("0 0 LW * *", ["2026-03-31T00:00", "2026-04-30T00:00", "2026-05-29T00:00"]),
        ("0 0 1W * *", ["2026-03-02T00:00", "2026-04-01T00:00", "2026-05-01T00:00"]),
        ("0 0 1W 8 *", ["2026-08-03T00:00", "2027-08-02T00:00", "2028-08-01T00:00"]),
        ("0 0 15W * *", ["2026-03-16T00:00", "2026-04-15T00:00", "2026-05-15T00:00"]),
        ("0 0 31W * *", ["2026-03-31T00:00", "2026-05-29T00:00", "2026-07-31T00:00"]),
        ("0 0 * * TUE#2", ["2026-03-10T00:00", "2026-04-14T00:00", "2026-05-12T00:00"]),
        ("0 0 * * 0#5", ["2026-03-29T00:00", "2026-05-31T00:00", "2026-08-30T00:00"]),
        ("0 0 * * 5L", ["2026-03-27T00:00", "2026-04-24T00:00", "2026-05-29T00:00"]),
        ("0 0 1,L * *", ["2026-03-01T00:00", "2026-03-31T00:00", "2026-04-01T00:00"]),
    ],
)
def test_an_expression_names_these_instants(expression: str, expected: list[str]) -> None:
    assert upcoming_utc(CronTrigger(expression), SUNDAY, 3) == expected


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("0 9 * * mon", "0 9 * * 1"),
        ("0 9 * * 7", "0 9 * * 0"),
        ("0 9 * * 0,7", "0 9 * * SUN"),
        ("0 9 * * MON-FRI", "0 9 * * 1-5"),
        ("0 9 * * MON-SUN", "0 9 * * *"),
        ("0 9 * * 0-7", "0 9 * * *"),
        ("0 9 * * FRI-MON", "0 9 * * 5,6,0,1"),
        ("0 9 * * 7-2", "0 9 * * 0,1,2"),
        ("0 9 * * sat-sun", "0 9 * * 6,7"),
        ("0 9 * Nov-feb *", "0 9 * 11,12,1,2 *"),
        ("0 9 28-3 * *", "0 9 28,29,30,31,1,2,3 * *"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("1-1 9 * * *", "1 9 * * *"),
        ("5/15 9 * * *", "5-59/15 9 * * *"),
        ("50-10/5 9 * * *", "50,55,0,5,10 9 * * *"),
        ("0 0 1 * ?", "0 0 1 * *"),
        ("0 0 ? * 1", "0 0 * * 1"),
        ("  0\t9  * * *\n", "0 9 * * *"),
        ("00 09 * * *", "0 9 * * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
    ],
)
def test_two_ways_to_say_the_same(expression: str, same: str) -> None:
    runs = upcoming(CronTrigger(expression), SUNDAY, 40)

    assert runs == upcoming(CronTrigger(same), SUNDAY, 40)


def test_restricted_days_are_alternatives() -> None:
    thirteenth_or_friday = CronTrigger("0 0 13 * 5")

    days = [run.day for run in upcoming(thirteenth_or_friday, "2026-04-01T00:00", 5)]

    assert days == [3, 10, 13, 17, 24]


@pytest.mark.parametrize("expression", ["0 0 */2 * 5", "0 0 1-31/2 * */5"])
def test_days_must_both_match_when_either_field_starts_with_a_star(expression: str) -> None:
    for run in upcoming(CronTrigger(expression), SUNDAY, 20):
        assert run.day % 2 == 1
        assert run.isoweekday() in {5, 7}


def test_texts_that_differ_in_their_times_share_their_days() -> None:
    assert parse_cron("5 4 * * MON").dates is parse_cron("30 22 * * MON").dates


@given(
    st.sampled_from(["*/7 * * * *", "30 2 * * *", "0 9 * * 1", "1 1 1 * 1", "59 23 L * *"]),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
)
def test_six_fields_with_second_0_are_the_five(expression: str, since: datetime, zone: str) -> None:
    five = CronTrigger(expression, timezone=zone)
    six = CronTrigger(f"0 {expression}", timezone=zone)

    assert upcoming(five, since, 30) == upcoming(six, since, 30)


@pytest.mark.parametrize(
    ("expression", "field", "token"),
    [
        ("*/0 * * * *", "minute", "*/0"),
        ("*/60 * * * *", "minute", "*/60"),
        ("* */24 * * *", "hour", "*/24"),
        ("60 * * * *", "minute", "60"),
        ("60 * * * * *", "second", "60"),
        ("* 24 * * *", "hour", "24"),
        ("* * 0 * *", "day-of-month", "0"),
        ("* * 32 * *", "day-of-month", "32"),
        ("* * * 13 *", "month", "13"),
        ("* * * * 8", "day-of-week", "8"),
        ("1,2,x * * * *", "minute", "x"),
        ("1,,2 * * * *", "minute", "1,,2"),
        ("5- * * * *", "minute", "5-"),
        ("1-2-3 * * * *", "minute", "1-2-3"),
        ("*-5 * * * *", "minute", "*-5"),
        ("*/5/5 * * * *", "minute", "*/5/5"),
        ("*/ * * * *", "minute", "*/"),
        ("-1 * * * *", "minute", "-1"),
        ("+1 * * * *", "minute", "+1"),
        ("1_0 * * * *", "minute", "1_0"),
        ("1.5 * * * *", "minute", "1.5"),
        ("? * * * *", "minute", "?"),
        ("L * * * *", "minute", "L"),
        ("MON * * * *", "minute", "MON"),
        ("* * ?/2 * *", "day-of-month", "?/2"),
        ("* * 32W * *", "day-of-month", "32W"),
        ("* * L-3 * *", "day-of-month", "L-3"),
        ("* * * FOO *", "month", "FOO"),
        ("* * * JANUARY *", "month", "JANUARY"),
        ("* * * * L", "day-of-week", "L"),
        ("* * * * 1#6", "day-of-week", "1#6"),
        ("* * * * 1#0", "day-of-week", "1#0"),
        ("* * * * 1#", "day-of-week", "1#"),
        ("* * * * 8L", "day-of-week", "8L"),
        ("* * * * MON#2-FRI", "day-of-week", "MON#2-FRI"),
        ("\N{ARABIC-INDIC DIGIT ONE} * * * *", "minute", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("\N{FULLWIDTH DIGIT FIVE} * * * *", "minute", "\N{FULLWIDTH DIGIT FIVE}"),
        ("* * * * \N{LATIN SMALL LETTER LONG S}un", "day-of-week", "un"),
        ("0 0 31 2 *", "day-of-month", "31"),
        ("0 0 30,31 2 *", "day-of-month", "30,31"),
        ("0 0 31 4,6,9,11 *", "day-of-month", "31"),
        ("0 0 30W 2 *", "day-of-month", "30W"),
        ("* * * * * * *", "field", "*"),
        ("* * * *", "field", "*"),
        ("* * * *\n*", "field", "*"),
        ("", "field", "0 fields"),
        ("@reboot", "macro", "@reboot"),
        ("@every 5m", "macro", "@every 5m"),
    ],
)
def test_an_error_names_the_field_and_the_token(expression: str, field: str, token: str) -> None:
    with pytest.raises(InvalidCronExpression, match=r"^Invalid cron expression") as caught:
        CronTrigger(expression)

    reason = str(caught.value).removeprefix(f"Invalid cron expression {expression!r}: ")
    assert field in reason.split("'")[0]
    assert token in reason


@pytest.mark.parametrize("expression", [None, 5, b"* * * * *", ["*"] * 5])
def test_anything_but_a_str_is_refused(expression: object) -> None:
    with pytest.raises(InvalidCronExpression, match="must be a str"):
        CronTrigger(expression)  # type: ignore[arg-type]


def test_a_text_may_have_256_characters_and_no_more() -> None:
    longest = "0 0 * * *" + " " * 247

    assert upcoming_utc(CronTrigger(longest), SUNDAY, 1) == [SUNDAY]
    with pytest.raises(InvalidCronExpression, match="257 characters"):
        CronTrigger(longest + " ")


@given(st.text(alphabet="0123456789*/,-?#LWMONFRIJAN @\t\n\u0661", max_size=40))
def test_any_text_is_understood_or_refused_as_a_cron_expression(text: str) -> None:
    try:
        trigger = CronTrigger(text)
    except InvalidCronExpression:
        return
    assert upcoming(trigger, SUNDAY, 1)[0] < utc(SUNDAY) + timedelta(days=366 * 41)
