"""Checks what a caller says of one call, before anything is looked up or stored."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from ..errors import InvalidArguments
from ..faults import cleaned
from ..models import LONGEST, RetryConfig, ScheduleOptions, TaskPriority

TEXT_LENGTH: Final = 200
_STORED_RETRY: Final = (
    "strategy",
    "max_attempts",
    "initial_delay",
    "max_delay",
    "backoff_multiplier",
    "jitter",
)
_SHOW: Final = reprlib.Repr()
_SHOW.maxother = 100  # a whole datetime


def checked(options: object) -> ScheduleOptions:
    """The options with their collections as tuples; raises ``InvalidArguments``."""
    if not isinstance(options, ScheduleOptions):
        raise InvalidArguments(f"options={reprlib.repr(options)} is not a ScheduleOptions")
    _check(options, "at", datetime, "an aware datetime")
    _check_seconds(options, "delay", lambda seconds: seconds >= 0, "0 or more seconds")
    _check_seconds(options, "timeout", lambda seconds: seconds > 0, "more than 0 seconds")
    if options.at is not None and options.delay is not None:
        raise InvalidArguments(
            f"at={options.at} and delay={options.delay} exclude each other; give one of them"
        )
    for name in ("unique", "workflow_id"):
        _check(options, name, str, "a text")
        _check_text(name, getattr(options, name))
    return replace(
        options,
        at=_instant(options.at),
        priority=_priority(options.priority),
        after=_texts("after", options.after),
        tags=_texts("tags", options.tags),
    )


def retry_fields(config: RetryConfig) -> dict[str, Any]:
    """What of a RetryConfig can be stored with an execution or a schedule, as JSON values."""
    return {name: getattr(config, name) for name in _STORED_RETRY} | {
        "strategy": config.strategy.value
    }


def _instant(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise _bad("at", at, "an aware datetime: it has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise _bad("at", at, "within the years 1 to 9999 in UTC") from None


def _priority(value: object) -> TaskPriority | None:
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return TaskPriority[value.upper()]
        if isinstance(value, int) and not isinstance(value, bool):
            return TaskPriority(value)
    except (KeyError, ValueError):
        pass
    levels = ", ".join(f"{level.name} ({level.value})" for level in TaskPriority)
    raise _bad("priority", value, f"one of {levels}")


def _texts(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Collection):
        raise _bad(name, values, "a list of texts")
    for one in values:
        if not isinstance(one, str):
            raise _bad(name, values, "a list of texts")
        _check_text(name, one)
    return tuple(values)


def _check_text(name: str, text: str | None) -> None:
    if text is not None and not (0 < len(text) <= TEXT_LENGTH and text == cleaned(text)):
        raise _bad(name, text, f"1 to {TEXT_LENGTH} characters that every store takes")


def _check_seconds(
    options: ScheduleOptions, name: str, fits: Callable[[float], bool], what: str
) -> None:
    _check(options, name, (int, float), what)
    seconds = getattr(options, name)
    if seconds is not None and not (fits(seconds) and seconds <= LONGEST):
        raise _bad(name, seconds, f"{what}, at most 100 years")


def _check(options: ScheduleOptions, name: str, kind: Any, what: str) -> None:
    value = getattr(options, name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _bad(name, value, what)


def _bad(name: str, value: object, what: str) -> InvalidArguments:
    return InvalidArguments(f"{name}={_SHOW.repr(value)} must be {what}")
