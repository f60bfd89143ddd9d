"""Hears what happens, here and in other processes, while somebody wants to know; numbers it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from ..clock import Clock
from ..engine.told import TOLD, Told, in_order, told
from ..events import Event
from ..scheduler import AdvancedTaskScheduler

KEPT: Final = 1000
"""Events that a client may have missed, and is told when it comes back."""

HOLD_SECONDS: Final = 0.7
"""For how long events wait for earlier ones of other processes, if there are any."""


class Envelope:
    """What every client gets, whatever the transport; written out once for all of them."""

    def __init__(self, number: int, type_: str, time: datetime, data: Mapping[str, Any]) -> None:
        self.id: Final = number
        self.type: Final = type_
        self.time: Final = time
        self.data: Final = data

    @cached_property
    def json(self) -> str:
        """``{id, type, time, data}``."""
        told = {"id": self.id, "type": self.type, "time": self.time.isoformat(), "data": self.data}
        return json.dumps(told, separators=(",", ":"))

    @cached_property
    def sent(self) -> str:
        """The same as a server-sent event."""
        return f"id: {self.id}\nevent: {self.type}\ndata: {self.json}\n\n"


class Hearing:
    """``news`` is called, on any thread, when there is something to ``take``.

    Numbers begin with the microsecond at which somebody began to listen: one of an earlier
    process, or of a time when nobody listened, is not mistaken for one of now.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler, news: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._clock: Clock = scheduler.clock
        self._news = news
        self._fresh: deque[Event | Told] = deque()
        self._held: list[tuple[float, Told]] = []
        self._missed = False
        self._kept: deque[Envelope] = deque(maxlen=KEPT)
        self._last = 0
        self._ends: tuple[Callable[[], None], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there is something that waits for its time."""
        return bool(self._held)

    def begin(self) -> None:
        """Hear from now on; safe to repeat."""
        if not self._ends:
            self._last = max(self._last + 1, int(self._clock.now().timestamp() * 1_000_000))
            self._ends = (
                self._scheduler.events.subscribe(self._hear, TOLD),
                self._scheduler.feed.listen(self._hear_others),
            )

    def end(self) -> None:
        """Hear no more, and forget; safe to repeat."""
        ends, self._ends = self._ends, ()
        for end in ends:
            end()
        self._fresh.clear()
        self._held.clear()
        self._kept.clear()

    def after(self, number: int) -> Sequence[Envelope] | None:
        """What came after this one; None if that is not known any more."""
        first = self._kept[0].id if self._kept else self._last + 1
        if not first - 1 <= number <= self._last:
            return None
        return [one for one in self._kept if one.id > number]

    def take(self) -> list[Envelope] | None:
        """What may be told now; None if something was missed, which makes the rest worthless."""
        fresh = [self._fresh.popleft() for _ in range(len(self._fresh))]
        if self._missed:
            self._missed = False
            self._held.clear()
            self._kept.clear()
            self._last += 1
            return None
        due = self._due([one if isinstance(one, Told) else told(one) for one in fresh])
        found = [self._numbered(one) for one in in_order(due)]
        self._kept += found
        return found

    def _due(self, fresh: Sequence[Told]) -> list[Told]:
        if not self._held and not self._scheduler.feed.has_company:
            return list(fresh)
        now, moment = self._clock.now(), self._clock.monotonic()
        for one in fresh:
            age = max((now - one.time).total_seconds(), 0.0)
            self._held.append((moment + HOLD_SECONDS - age, one))
        due = [one for until, one in self._held if until <= moment]
        self._held = [(until, one) for until, one in self._held if until > moment]
        return due

    def _numbered(self, one: Told) -> Envelope:
        self._last += 1
        return Envelope(self._last, one.type, one.time, one.data)

    def _hear(self, event: Event) -> None:
        """On the thread that publishes: as short as can be."""
        if len(self._fresh) < KEPT:
            self._fresh.append(event)
        else:
            self._missed = True
        self._news()

    def _hear_others(self, events: Sequence[Told] | None) -> None:
        if events is None or len(self._fresh) + len(events) > KEPT:
            self._missed = True
        else:
            self._fresh.extend(events)
        self._news()
