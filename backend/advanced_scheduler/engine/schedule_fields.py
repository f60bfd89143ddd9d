"""Checks what a caller says of a schedule, and puts it into the fields of one."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict

from ..errors import InvalidArguments
from ..faults import has_no_address, is_storable
from ..models import (
    LONGEST,
    MisfirePolicy,
    OverlapPolicy,
    RetryConfig,
    ScheduleOptions,
    TaskPriority,
)
from .options import checked, retry_fields

MOST_CAUGHT_UP: Final = 1000
NAME_LENGTH: Final = 200
TEXT_LENGTH: Final = 10_000


class Policies(TypedDict, total=False):
    """What a schedule does beyond firing its task at the instants of its trigger.

    ``misfire`` and ``overlap`` are what it does about missed and overlapping ticks, see the
    enums of these names; ``max_catch_up`` is how many missed instants ``run_all`` runs (10),
    ``grace_seconds`` how late ``skip`` still runs one (None: half the time to the next).

    ``priority``, ``queue``, ``timeout``, ``retry``, ``tags`` and ``metadata`` are those of
    ``ScheduleOptions``, for each of its executions. It ends after ``max_runs`` runs, and pauses
    itself after ``pause_on_failure`` failures in a row.
    """

    misfire: MisfirePolicy | str
    max_catch_up: int
    grace_seconds: float | None
    overlap: OverlapPolicy | str
    priority: TaskPriority | str | None
    queue: str | None
    timeout: float | None
    retry: RetryConfig | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    max_runs: int | None
    pause_on_failure: int | None


def checked_policies(policies: Mapping[str, Any]) -> dict[str, Any]:
    """The policies as fields of a ``Schedule``; raises ``InvalidArguments``."""
    unknown = sorted(set(policies) - _CHECKS.keys() - _OF_EXECUTIONS)
    if unknown:
        raise InvalidArguments(
            f"{unknown[0]}={reprlib.repr(policies[unknown[0]])} is no policy of a schedule; "
            f"use {', '.join([*_CHECKS, *sorted(_OF_EXECUTIONS)])}"
        )
    asked = {name: value for name, value in policies.items() if name in _OF_EXECUTIONS}
    options = checked(ScheduleOptions(**asked))
    fields = {name: getattr(options, name) for name in asked}
    if "retry" in fields:
        fields["retry"] = {} if options.retry is None else retry_fields(options.retry)
    checks = {name: check for name, check in _CHECKS.items() if name in policies}
    return fields | {name: check(name, policies[name]) for name, check in checks.items()}


def checked_name(name: object, what: str = "name") -> str:
    """A name or an id, such as that of a schedule; raises ``InvalidArguments``."""
    printable = isinstance(name, str) and name.isprintable() and name.strip() == name
    addressed = printable and not has_no_address(name)
    if addressed and isinstance(name, str) and 0 < len(name) <= NAME_LENGTH:
        return name
    raise InvalidArguments(
        f"{what}={reprlib.repr(name)} must be a text of 1 to {NAME_LENGTH} printable characters, "
        "without blanks at its ends, and not '.' or '..'"
    )


def checked_changelog(changelog: object) -> str | None:
    """What an edit is for; raises ``InvalidArguments``."""
    if changelog is None or (
        is_storable(changelog) and isinstance(changelog, str) and len(changelog) <= TEXT_LENGTH
    ):
        return changelog
    raise InvalidArguments(
        f"changelog={reprlib.repr(changelog)} must be a text of at most {TEXT_LENGTH:,} "
        "characters that every store takes, or None"
    )


def checked_call(
    args: object, kwargs: object
) -> tuple[tuple[Any, ...] | None, dict[str, Any] | None]:
    """Arguments in the shape of arguments, or None; raises ``InvalidArguments``."""
    if args is not None and (isinstance(args, str | bytes) or not isinstance(args, Sequence)):
        raise InvalidArguments(f"args={reprlib.repr(args)} must be a list of positional arguments")
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise InvalidArguments(f"kwargs={reprlib.repr(kwargs)} must be a dict of keyword arguments")
    return None if args is None else tuple(args), None if kwargs is None else {**kwargs}


def checked_version(version: object) -> int:
    """The number of a version; raises ``InvalidArguments``."""
    if type(version) is not int:
        raise InvalidArguments(f"version={reprlib.repr(version)} must be a whole number")
    return version


def _one_of(kind: type[MisfirePolicy] | type[OverlapPolicy]) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(kind)
            raise InvalidArguments(
                f"{name}={reprlib.repr(value)} must be one of {choices}"
            ) from None

    return check


def _count(most: int, *, optional: bool) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        if value is None and optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            hint = ", or None" if optional else ""
            raise InvalidArguments(
                f"{name}={reprlib.repr(value)} must be a whole number, 1 to {most}{hint}"
            )
        return value

    return check


def _check_grace(name: str, value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (number and 0 <= value <= LONGEST):
        raise InvalidArguments(f"{name}={reprlib.repr(value)} must be 0 or more seconds, or None")
    return None if value is None else float(value)


_OF_EXECUTIONS: Final = frozenset({"priority", "queue", "timeout", "retry", "tags", "metadata"})
_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "misfire": _one_of(MisfirePolicy),
    "max_catch_up": _count(MOST_CAUGHT_UP, optional=False),
    "grace_seconds": _check_grace,
    "overlap": _one_of(OverlapPolicy),
    "max_runs": _count(2**31 - 1, optional=True),
    "pause_on_failure": _count(1000, optional=True),
}
