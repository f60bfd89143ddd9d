"""The clocks: the machine's own, and the one that a test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from advanced_scheduler.clock import Clock, ManualClock, SystemClock

START = datetime(2030, 1, 1, tzinfo=UTC)
NAIVE = datetime.fromisoformat("2030-01-01T00:00:00")


def test_the_system_clock_answers_in_utc_and_measures_forward() -> None:
    clock: Clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert timedelta(0) <= second - first < timedelta(hours=1)
    assert clock.monotonic() <= clock.monotonic()


def test_an_offset_moves_the_instant_and_not_the_measure() -> None:
    plain, ahead = SystemClock(), SystemClock(offset_seconds=7200)
    assert timedelta(hours=1) < ahead.now() - plain.now() < timedelta(hours=3)
    assert ahead.monotonic() - plain.monotonic() < 3600


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == START
    assert clock.advance(timedelta(minutes=1)) == START + timedelta(minutes=1)
    assert clock.advance(hours=1, seconds=5) == START + timedelta(minutes=61, seconds=5)
    assert clock.advance(timedelta(days=1), days=1) == clock.now()
    assert clock.now() == START + timedelta(days=2, minutes=61, seconds=5)


def test_a_manual_clock_speaks_utc_whatever_it_is_told() -> None:
    there = timezone(timedelta(hours=5))
    clock = ManualClock(START.astimezone(there))
    assert clock.now().tzinfo is UTC
    assert clock.set((START + timedelta(days=1)).astimezone(there)).tzinfo is UTC
    assert clock.now() == START + timedelta(days=1)


def test_a_clock_that_is_set_back_does_not_take_back_what_it_measured() -> None:
    clock = ManualClock()
    clock.advance(seconds=10)
    clock.set(START - timedelta(days=1))
    assert clock.now() == START - timedelta(days=1)
    assert clock.monotonic() == 10
    clock.set(START)
    assert clock.monotonic() == 10 + 86_400


def test_only_set_goes_back() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match=r"would go back; use set\(\) for that"):
        clock.advance(timedelta(seconds=5), seconds=-6)
    assert (clock.now(), clock.monotonic()) == (START, 0)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock(NAIVE)
    clock = ManualClock()
    with pytest.raises(ValueError, match="has no time zone"):
        clock.set(NAIVE)
    assert clock.now() == START
