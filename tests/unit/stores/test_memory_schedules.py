"""Which schedules of the memory store are due, without a look at all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.models import Schedule
from advanced_scheduler.stores.memory_schedules import MemorySchedules

START = datetime(2030, 1, 1, tzinfo=UTC)
IDS = ("a", "b", "c")


class Compared(datetime):
    """A time that counts how often it is compared."""

    count = 0

    def __le__(self, other: Any) -> bool:
        Compared.count += 1
        return super().__le__(other)

    def __lt__(self, other: Any) -> bool:
        Compared.count += 1
        return super().__lt__(other)

    def __eq__(self, other: object) -> bool:
        Compared.count += 1
        return super().__eq__(other)

    __hash__ = datetime.__hash__


def at(
    schedule_id: str, minutes: int | None, *, paused: bool = False, version: int = 1
) -> Schedule:
    """A schedule that is due so many minutes after the start."""
    due = None if minutes is None else START + timedelta(minutes=minutes)
    return Schedule(
        schedule_id=schedule_id,
        task_id="t",
        trigger={},
        next_fire_time=due,
        paused=paused,
        version=version,
    )


def expected(schedules: MemorySchedules, now: datetime) -> list[Schedule]:
    """What is due, found by looking at all of them."""
    active = [one for one in schedules.by_id.values() if one.next_fire_time and not one.paused]
    due = [(one.next_fire_time, one.schedule_id, one) for one in active]
    return [one for time, _, one in sorted(due, key=lambda key: key[:2]) if time and time <= now]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(IDS),
            st.one_of(st.just("remove"), st.none(), st.integers(0, 5)),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.integers(1, 4),
)
def test_what_is_due_is_right_after_any_edits(
    edits: list[tuple[str, str | int | None, bool]], limit: int
) -> None:
    schedules = MemorySchedules()
    for version, (one, minutes, paused) in enumerate(edits, 1):
        if isinstance(minutes, str):
            schedules.remove(one)
        else:
            edited = at(one, minutes, paused=paused, version=version)
            assert schedules.put(edited, schedules.by_id.get(one))
        now = START + timedelta(minutes=3)
        due = expected(schedules, now)

        assert schedules.due(now, limit) == due[:limit]
        assert schedules.due(now, limit) == due[:limit]
        first = expected(schedules, START + timedelta(days=1))[:1]
        assert schedules.next_fire() == (first[0].next_fire_time if first else None)


def test_the_next_one_is_found_without_a_look_at_all() -> None:
    schedules = MemorySchedules()
    later = Compared(2031, 1, 1, tzinfo=UTC)
    for number in range(1000):
        one = replace(at(str(number), 0), next_fire_time=later + timedelta(minutes=number))
        schedules.put(one, None)
    Compared.count = 0

    assert schedules.due(START, 500) == []
    assert schedules.next_fire() == later
    assert Compared.count < 10


def test_edits_of_what_is_not_due_leave_nothing_behind() -> None:
    schedules = MemorySchedules()
    seen = at("s", 0)
    schedules.put(seen, None)
    for version in range(2, 5000):
        edited = at("s", version, version=version)
        schedules.put(edited, seen)
        seen = edited

    assert len(schedules._agenda) < 2000
    assert schedules.due(START + timedelta(days=365), 5) == [seen]
