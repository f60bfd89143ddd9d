"""Checks what a caller says of one call or question, before anything is looked up or stored."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from ..config import Settings
from ..errors import ConfigurationError, InvalidArguments, NotStorable
from ..faults import cleaned, has_no_address, is_storable
from ..models import (
    LONGEST,
    Duties,
    ExecutionFilter,
    RetryConfig,
    Role,
    ScheduleOptions,
    TaskPriority,
    TaskStatus,
)
from ..serialization import pack_plain
from .ids import is_id

TEXT_LENGTH: Final = 200
METADATA_BYTES: Final = 1024 * 1024
HIGHEST_RANK: Final = 1000
MOST_LISTED: Final = 10_000
_STORED_RETRY: Final = (
    "strategy",
    "max_attempts",
    "initial_delay",
    "max_delay",
    "backoff_multiplier",
    "jitter",
)
_OF_THE_DEFINITION: Final = ("retry_on", "give_up_on", "wait", "stop", "retry")
_SHOW: Final = reprlib.Repr()
_SHOW.maxother = 100  # a whole datetime


def checked(options: object, *, metadata_bytes: int = METADATA_BYTES) -> ScheduleOptions:
    """The options with their collections as tuples, and metadata that is theirs alone.

    ``metadata_bytes`` bounds the metadata as JSON. Raises ``InvalidArguments``.
    """
    if not isinstance(options, ScheduleOptions):
        raise InvalidArguments(f"options={reprlib.repr(options)} is not a ScheduleOptions")
    _check(options, "at", datetime, "an aware datetime")
    _check_seconds(options, "delay", lambda seconds: seconds >= 0, "0 or more seconds")
    _check_seconds(options, "timeout", lambda seconds: seconds > 0, "more than 0 seconds")
    if options.at is not None and options.delay is not None:
        raise InvalidArguments(
            f"at={options.at} and delay={options.delay} exclude each other; give one of them"
        )
    for name in ("unique", "workflow_id", "queue", "executor"):
        _check(options, name, str, "a text")
        check_text(name, getattr(options, name))
    if has_no_address(options.workflow_id):
        raise _bad("workflow_id", options.workflow_id, "a text other than '.' and '..'")
    _check_rank(options.rank)
    _check_id(options)
    _check_retry(options.retry)
    return replace(
        options,
        at=None if options.at is None else _instant(options.at, "at"),
        priority=_priority(options.priority),
        after=_texts("after", options.after),
        tags=_texts("tags", options.tags),
        metadata=plain_json("metadata", options.metadata, metadata_bytes),
    )


def checked_list(name: str, values: object, what: str, kind: type = object) -> list[Any]:
    """What a caller gives several of, all of a kind, in a list; raises ``InvalidArguments``."""
    found = None
    if isinstance(values, Iterable) and not isinstance(values, str):
        found = list(values)
    if found is None or not all(isinstance(one, kind) for one in found):
        raise _bad(name, values, f"a list of {what}")
    return found


def check_text(name: str, text: str | None) -> None:
    """Raise ``InvalidArguments`` unless it is None, or fit for a name such as that of a queue."""
    if text is None:
        return
    if not (0 < len(text) <= TEXT_LENGTH and text == cleaned(text)):
        raise _bad(name, text, f"1 to {TEXT_LENGTH} characters that every store takes")
    if text != text.strip() or not text.isprintable():
        raise _bad(name, text, "a text without blanks at its ends and without control characters")


def checked_queues(queues: object) -> frozenset[str]:
    """The queues that a node is to serve; raises ``ConfigurationError``."""
    try:
        names = _texts("queues", queues)
    except InvalidArguments as error:
        raise ConfigurationError(str(error)) from error
    if not names:
        raise ConfigurationError("queues=() must name at least one queue; None means all")
    return frozenset(names)


def duties_of(settings: Settings) -> Duties:
    """What the settings say that a node does."""
    roles, priorities = settings.roles, settings.priorities
    return Duties(
        roles=frozenset(Role) if roles is None else frozenset(map(Role, roles)),
        queues=settings.queues,
        priorities=None
        if priorities is None
        else frozenset(TaskPriority[one.upper()] for one in priorities),
    )


def execution_filter(statuses: object, limit: object, **fields: Any) -> ExecutionFilter:
    """Which executions a caller wants to see; raises ``InvalidArguments``."""
    if type(limit) is not int or not 1 <= limit <= MOST_LISTED:
        raise _bad("limit", limit, f"a whole number from 1 to {MOST_LISTED:,}")
    for name, value in fields.items():
        if value is not None and not is_storable(value):
            raise _bad(name, value, "a text that every store takes, or None")
    return ExecutionFilter(statuses=_statuses(statuses), limit=limit, **fields)


def cleared_until(before: object, now: datetime) -> datetime:
    """Before when a caller wants no more history; raises ``InvalidArguments``."""
    if before is None:
        return now + timedelta(days=1)  # all of it, whatever the clocks of other nodes say
    if not isinstance(before, datetime):
        raise _bad("before", before, "an aware datetime, or None")
    return _instant(before, "before")


def retry_fields(config: RetryConfig) -> dict[str, Any]:
    """What of a RetryConfig can be stored with an execution or a schedule, as JSON values."""
    return {name: getattr(config, name) for name in _STORED_RETRY} | {
        "strategy": config.strategy.value
    }


def _instant(at: datetime, name: str) -> datetime:
    if at.tzinfo is None:
        raise _bad(name, at, "an aware datetime: it has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise _bad(name, at, "within the years 1 to 9999 in UTC") from None


def _statuses(statuses: object) -> frozenset[TaskStatus] | None:
    if statuses is None:
        return None
    try:
        if not isinstance(statuses, str) and isinstance(statuses, Collection):
            return frozenset(map(TaskStatus, statuses))
    except ValueError:
        pass
    raise _bad("statuses", statuses, f"a list of {', '.join(TaskStatus)}, or None")


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
        check_text(name, one)
    return tuple(values)


def _check_rank(rank: object) -> None:
    if isinstance(rank, bool) or not isinstance(rank, int) or not abs(rank) <= HIGHEST_RANK:
        raise _bad("rank", rank, f"a whole number from {-HIGHEST_RANK} to {HIGHEST_RANK}")


def check_execution_id(execution_id: object) -> None:
    """Raise ``InvalidArguments`` unless it is None, or an id that an execution may have."""
    if execution_id is not None and not is_id(execution_id):
        raise _bad("execution_id", execution_id, "a UUID of version 7, in lower case")


def _check_id(options: ScheduleOptions) -> None:
    if options.execution_id is None:
        return
    check_execution_id(options.execution_id)
    if options.connection is not None:
        raise InvalidArguments("execution_id and connection exclude each other; give one of them")


def _check_retry(retry: object) -> None:
    if retry is None:
        return
    if not isinstance(retry, RetryConfig):
        raise _bad("retry", retry, "a RetryConfig")
    for name in _OF_THE_DEFINITION:
        if value := getattr(retry, name):
            raise InvalidArguments(
                f"retry={_SHOW.repr(retry)} has {name}={_SHOW.repr(value)}, which cannot be "
                "stored with an execution; set it in the retry_config of the task"
            )


def plain_json(name: str, value: object, limit_bytes: int = METADATA_BYTES) -> Mapping[str, Any]:
    """A dict of plain JSON that is ours alone; raises ``InvalidArguments`` for anything else."""
    if not isinstance(value, Mapping):
        raise _bad(name, value, "a dict with texts as keys")
    if not value:
        return {}
    try:
        plain, size = pack_plain(dict(value))
    except NotStorable as error:
        raise InvalidArguments(
            f"{name}={_SHOW.repr(value)} cannot be stored: {error}; pass plain JSON, with texts "
            "as keys"
        ) from error
    if size > limit_bytes:
        raise InvalidArguments(
            f"{name}={_SHOW.repr(value)} takes {size:,} bytes of JSON; {limit_bytes:,} are allowed"
        )
    return cast(Mapping[str, Any], plain)


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
