"""What holds for cron triggers in every zone, and at every change of its clocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_scheduler.triggers import CronTrigger
from tests.unit.triggers.occurrences import upcoming, utc

ZONES = sorted(available_timezones())
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EXPRESSIONS = [
    "*/17 * * * *",
    "30 */5 * * *",
    "0,30 0,1,2,3,23 * * *",
    "*/20 15 2 * * *",
    "30 1 * * SUN",
    "0 0 1,15 * *",
    "30 2 29 2 *",
    "15 0 L * FRI#5",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_answers_increase_and_exist_in_every_zone(expression: str) -> None:
    for name in ZONES:
        runs = upcoming(CronTrigger(expression, timezone=name), "2011-09-01T00:00", 8)
        instants = [run.astimezone(UTC) for run in runs]

        assert instants == sorted(set(instants)), name
        assert [instant.astimezone(ZoneInfo(name)) for instant in instants] == runs
        assert {str(run.tzinfo) for run in runs} == {name}


@given(
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(ZONES),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([None, "run_after", "skip"]),
    st.sampled_from([None, "first", "second", "both"]),
)
def test_answers_are_pure_and_strictly_increasing_at_any_time(
    expression: str, zone: str, since: datetime, gap: None, fold: None
) -> None:
    trigger = CronTrigger(expression, timezone=zone, gap=gap, fold=fold)

    runs = upcoming(trigger, since, 8)

    assert runs == upcoming(trigger, since, 8)
    instants = [run.astimezone(UTC) for run in runs]
    assert not instants or instants[0] >= since
    for earlier, later in pairwise(instants):
        assert earlier < later
        for between in (
            earlier + timedelta(microseconds=1),
            earlier + (later - earlier) / 2,
            later,
        ):
            assert upcoming(trigger, between, 1)[0].astimezone(UTC) == later
    assert len(runs) == 8 or since.year > 9700


@dataclass(frozen=True)
class Field:
    """A minute or hour field, with the values that it names."""

    text: str
    values: frozenset[int]


def fields(size: int) -> st.SearchStrategy[Field]:
    steps = st.integers(1, size - 1).map(lambda n: Field(f"*/{n}", frozenset(range(0, size, n))))
    lists = st.sets(st.integers(0, size - 1), min_size=1, max_size=4).map(
        lambda values: Field(",".join(map(str, sorted(values))), frozenset(values))
    )
    return st.just(Field("*", frozenset(range(size)))) | steps | lists


@st.composite
def days_near_changes(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone and a naive midnight, if possible next to a change of that zone's clocks."""
    zone, year = ZoneInfo(draw(st.sampled_from(ZONES))), draw(st.integers(1973, 2037))
    new_year = utc(f"{year}-01-01")
    offsets = [(new_year + n * DAY).astimezone(zone).utcoffset() for n in range(366)]
    changes = [n for n in range(365) if offsets[n] != offsets[n + 1]]
    chosen = draw(st.sampled_from(changes) if changes else st.integers(0, 364))
    return zone, (new_year + chosen * DAY).replace(tzinfo=None)


def by_definition(
    minute: Field, hour: Field, zone: ZoneInfo, midnight: datetime
) -> Iterator[datetime]:
    """The instants of two days from ``midnight``, UTC, read off the wall clock minute by minute."""
    wildcard = "*" in minute.text[0] + hour.text[0]
    for wall in (midnight + n * MINUTE for n in range(-DAY // MINUTE, 3 * DAY // MINUTE)):
        if wall.minute not in minute.values or wall.hour not in hour.values:
            continue
        first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
        if shown(wall, zone):
            yield first.astimezone(UTC)
            if wildcard:
                yield second.astimezone(UTC)
        elif not wildcard and first.astimezone(UTC) - second.astimezone(UTC) <= timedelta(hours=3):
            yield after_jump(wall, zone)


def shown(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock of the zone ever shows ``wall``."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    return instant.astimezone(zone).replace(tzinfo=None) == wall


def after_jump(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after the jump that skips ``wall``."""
    while not shown(wall, zone):
        wall -= MINUTE
    return wall.replace(tzinfo=zone).astimezone(UTC) + MINUTE


@settings(max_examples=100)
@given(fields(60), fields(24), days_near_changes())
def test_the_evaluator_agrees_with_the_rule_read_off_the_wall_clock(
    minute: Field, hour: Field, near: tuple[ZoneInfo, datetime]
) -> None:
    zone, midnight = near
    since, until = midnight.replace(tzinfo=UTC), (midnight + 2 * DAY).replace(tzinfo=UTC)
    expected = {run for run in by_definition(minute, hour, zone, midnight) if since <= run < until}
    trigger = CronTrigger(
        f"{minute.text} {hour.text} * * *",
        timezone=zone,
        end_time=until - timedelta(microseconds=1),
    )

    runs = upcoming(trigger, since, 3000)

    assert [run.astimezone(UTC) for run in runs] == sorted(expected)


def test_the_end_of_time_is_an_end() -> None:
    trigger = CronTrigger("0 0 29 2 *")

    assert trigger.get_next_fire_time(None, utc("9996-03-01")) is None
    assert trigger.get_next_fire_time(datetime.max.replace(tzinfo=UTC), utc("2030-01-01")) is None


def test_the_beginning_of_time_is_no_error() -> None:
    trigger = CronTrigger("0 0 1 1 *", timezone="America/New_York")
    following = trigger.get_next_fire_time(None, datetime.min.replace(tzinfo=UTC))

    assert following is not None
    assert following.year <= 3
