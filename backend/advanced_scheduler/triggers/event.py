"""Owns the trigger that waits for an event instead of a time."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from ..errors import InvalidTrigger
from ..faults import is_storable
from .trigger import Trigger

LONGEST_NAME: Final = 200


class EventTrigger(Trigger):
    """Runs whenever the event ``name`` (1 to 200 characters) is told; never by the clock.

    Raises InvalidTrigger.
    """

    kind: ClassVar[str] = "event"

    def __init__(self, name: str) -> None:
        if not (type(name) is str and is_storable(name) and 1 <= len(name) <= LONGEST_NAME):
            raise InvalidTrigger(
                f"name={name!r} is not the name of an event: a text of 1 to {LONGEST_NAME} "
                "characters"
            )
        super().__init__({"name": name})
        self.event_name: Final = name

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """None: no instant is known beforehand."""
        return None

    def __str__(self) -> str:
        return f"at every event {self.event_name}"
