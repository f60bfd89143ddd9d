"""Makes execution ids: UUID version 7 (RFC 9562), so that ids sort by the time of their making."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count
from typing import Final
from uuid import UUID

from ..forks import free_in_child, renew_in_child

_COUNTER_BITS: Final = 12
_COUNTER_MASK: Final = (1 << _COUNTER_BITS) - 1
_NODE_MASK: Final = (1 << 48) - 1
_VARIANT: Final = 0b10 << 14
_NOISE_MASK: Final = (1 << 62) - 1
_FIXED: Final = 0xF << 76 | 0b11 << 62  # where a UUID says its version and its variant
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class ExecutionIds:
    """Strictly increasing within one object, whatever the clock does; safe from any thread.

    The noise is seeded by the operating system, and again in a process that was forked, so
    that parent and child never make the same id; ``rng`` is for tests that want the same ids.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._noise = (rng or _NOISE).getrandbits
        self._lock = free_in_child(threading.Lock())
        self._last = -1  # milliseconds and counter in one number

    def make(self, now: datetime) -> str:
        """An id for something made at ``now`` (aware)."""
        at = int(now.timestamp() * 1000) << _COUNTER_BITS
        with self._lock:
            self._last = at = at if at > self._last else self._last + 1
            noise = self._noise(62)
        ms, counter = at >> _COUNTER_BITS, at & _COUNTER_MASK
        parts = ms >> 16, ms & 0xFFFF, counter, _VARIANT | noise >> 48, noise & _NODE_MASK
        # Two thirds of the time of an f-string.
        return "%08x-%04x-7%03x-%04x-%012x" % parts  # noqa: UP031


# A system call for each id would cost more than the id.
_NOISE: Final = renew_in_child(random.Random(), random.Random.seed)


def id_for(instant: datetime, *names: str) -> str:
    """The id of what these names say was to happen at ``instant`` (aware): always the same one."""
    microseconds = max(int(instant.timestamp() * 1_000_000), 0)
    said = json.dumps([microseconds, *names]).encode()
    noise = int.from_bytes(blake2b(said, digest_size=10).digest(), "big")
    made = (microseconds // 1000) << 80 | noise
    return str(UUID(int=made & ~_FIXED | 7 << 76 | 0b10 << 62))


def ids_under(origin: str, purpose: str) -> Iterator[str]:
    """Ids for all that is made under this one for a purpose: always the same, and ascending.

    They have its time, and begin where both say: what is made under one of them is none of them.
    """
    said = json.dumps([purpose, origin]).encode()
    noise = int.from_bytes(blake2b(said, digest_size=8).digest(), "big")
    first = UUID(origin).int & ~_NOISE_MASK | noise & _NOISE_MASK >> 1  # so that none overflows
    return (str(UUID(int=one)) for one in count(first))


def time_of(made: str) -> datetime:
    """When this id was made, in UTC: to the millisecond."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=UUID(made).int >> 80)


def is_id(text: object) -> bool:
    """Whether this has the form of an execution id."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def first_id_at(instant: datetime) -> str:
    """What no id made from this instant (aware) on comes before: where a search by time begins."""
    ms = max(int(instant.timestamp() * 1000), 0)
    return f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7"
