"""What users write on a command line, as REST takes it: arguments, durations, times, filters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from ..clock import SystemClock
from .outcome import CommandFailed, Exit

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_LISTS: Final = frozenset({"status"})
_TIMES: Final = frozenset({"since", "until"})
_SHORT: Final = {"task": "task_id", "schedule": "schedule_id", "run": "workflow_id"}
FILTERS: Final = (
    *("status", "task_id", "schedule_id", "workflow_id", "queue", "priority", "node", "tag"),
    *("text", "since", "until"),
)
"""What executions can be looked for by."""


class Priority(StrEnum):
    """The five lanes."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"
    BACKGROUND = "background"


class Drawing(StrEnum):
    """How a graph is written."""

    ASCII = "ascii"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


def arguments(text: str | None) -> dict[str, Any]:
    """``args`` or ``kwargs`` of a request, for a JSON array or object."""
    if text is None:
        return {}
    given = document(text, "--json")
    if isinstance(given, list):
        return {"args": given}
    if isinstance(given, dict):
        return {"kwargs": given}
    raise CommandFailed("--json: write an object, or an array", Exit.USAGE)


def document(text: str, option: str) -> Any:
    """What a JSON text says."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise CommandFailed(f"{option} is no JSON: {error}", Exit.USAGE) from None


def seconds_of(text: str) -> float:
    """The seconds of ``90``, ``1.5h`` or ``1h30m``."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION.findall(text)
    if not parts or "".join(map("".join, parts)) != text:
        raise CommandFailed(
            f"{text!r} is no duration: write 90 (seconds), 10m, 1h30m or 2d", Exit.USAGE
        )
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def instant_of(text: str, *, back: bool = False) -> str:
    """A time: ``2030-01-01T12:00+01:00``, ``now``, or with ``back`` a duration before now."""
    if text == "now":
        return SystemClock().now().isoformat()
    if back and re.fullmatch(r"[\d.smhdw]+", text):
        return (SystemClock().now() - timedelta(seconds=seconds_of(text))).isoformat()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandFailed(
            f"{text!r} is no time: write 2030-01-01T12:00Z, or now", Exit.USAGE
        ) from None
    if found.tzinfo is None:
        raise CommandFailed(f"{text!r} has no zone: write {text}Z, or +01:00", Exit.USAGE)
    return found.isoformat()


def query_of(filters: Iterable[str], **also: Any) -> dict[str, Any]:
    """The query of ``status=failed`` and its like; ``status`` may be given several times."""
    query: dict[str, Any] = {key: value for key, value in also.items() if value}
    for one in filters:
        key, equals, value = one.partition("=")
        key = _SHORT.get(key, key)
        if key not in FILTERS or not equals or not value:
            raise CommandFailed(
                f"--filter {one!r}: write KEY=VALUE, with KEY of {', '.join([*_SHORT, *FILTERS])}",
                Exit.USAGE,
            )
        if key in _LISTS:
            query[key] = [*query.get(key, ()), *value.split(",")]
        else:
            query[key] = instant_of(value, back=True) if key in _TIMES else value
    return query


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given."""
    return {key: value for key, value in fields.items() if value is not None and value != []}
