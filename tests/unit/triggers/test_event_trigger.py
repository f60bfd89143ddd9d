"""The trigger that waits for an event."""

from __future__ import annotations

from typing import Any

import pytest

from advanced_scheduler.errors import InvalidTrigger
from advanced_scheduler.triggers import EventTrigger
from tests.unit.triggers.occurrences import utc


def test_it_has_a_name_and_no_instant() -> None:
    trigger = EventTrigger("inventory.low_stock")

    assert trigger.event_name == "inventory.low_stock"
    assert trigger.get_next_fire_time(None, utc("2026-01-01")) is None
    assert trigger.get_next_fire_time(utc("2026-01-01"), utc("2026-01-02")) is None


def test_a_name_may_have_200_characters() -> None:
    assert EventTrigger("x" * 200).event_name == "x" * 200


@pytest.mark.parametrize("name", ["", "x" * 201, 5, None, ["a"]])
def test_what_is_no_name_is_refused(name: Any) -> None:
    with pytest.raises(InvalidTrigger, match=r"^name=.* is not the name of an event"):
        EventTrigger(name)
