"""How numbers and lengths of time read on a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

NOTHING: Final = "\N{EN DASH}"
"""Where there is no value."""

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def seconds(value: float | None) -> str:
    """A length of time in two units at most: ``840 ms``, ``3.2 s``, ``2 min 5 s``."""
    if value is None:
        return NOTHING
    if value < 1:
        return f"{value * 1000:.0f} ms" if value == 0 or value >= 0.001 else "<1 ms"
    if value < 10:
        return f"{value:.1f} s"
    left = int(value)
    words: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or words:
            words.append(f"{number} {unit}" if number else "")
    return " ".join(filter(None, words[:2]))


def count(value: int | None) -> str:
    """A number with its thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def utc(value: datetime) -> str:
    """An instant as it reads without a script."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def local(value: datetime | None) -> str:
    """An instant for ``<input type="datetime-local">``, in UTC; empty for none."""
    return "" if value is None else value.astimezone(UTC).replace(tzinfo=None).isoformat()


def iso(value: datetime) -> str:
    """An instant for ``<time datetime>``."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def pretty(value: Any) -> str:
    """JSON for people; whole numbers keep all their digits."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def short(value: str) -> str:
    """The end of an id, which is what differs."""
    return value if len(value) <= 12 else f"…{value[-8:]}"


def step(value: str) -> str:
    """A name as one step of an address, whatever it has in it."""
    return quote(value, safe="")


def words(value: str) -> str:
    """The name of a choice as people say it."""
    return value.replace("_", " ")


def sentence(value: str) -> str:
    """The same text, begun with a capital letter."""
    return value[:1].upper() + value[1:]


FILTERS: Final = {
    "seconds": seconds,
    "count": count,
    "utc": utc,
    "iso": iso,
    "local": local,
    "pretty": pretty,
    "short": short,
    "step": step,
    "words": words,
    "sentence": sentence,
}
"""What templates call them."""
