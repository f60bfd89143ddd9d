"""Turns exceptions into text that every store takes, whatever they are made of."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any, Final

ERROR_LIMIT: Final = 4096
TRACEBACK_LIMIT: Final = 65536

_PACKAGE: Final = __name__.partition(".")[0]


def describe_error(error: BaseException, limit: int = ERROR_LIMIT) -> str:
    """``ValueError: message`` in at most ``limit`` characters that any store takes; never raises.

    Half surrogate pairs and NUL characters are shown as escapes.
    """
    name = type_name(error).rpartition(".")[2]
    try:
        text = cleaned(str(error))
    except BaseException:  # __str__ is code of others
        text = "<its __str__ failed>"
    return _clipped(f"{name}: {text}" if text else name, limit)


def describe_traceback(error: BaseException, limit: int = TRACEBACK_LIMIT) -> str:
    """The traceback with its causes, without values of variables; never raises.

    At most ``limit`` characters: the last ones. The frames of this package that lead to the task
    are left out.
    """
    try:
        report = traceback.TracebackException(type(error), error, _own_frames_skipped(error))
        parts = [_clipped(cleaned(part), ERROR_LIMIT) for part in report.format()]
    except BaseException as failure:
        return f"no traceback: {describe_error(failure)}\n{describe_error(error)}"[:limit]
    text = "".join(parts)
    if len(text) <= limit:
        return text
    note = f"[{len(text) - limit} or more characters left out]...\n"
    return note + text[len(text) - max(limit - len(note), 0) :]


def type_name(value: Any) -> str:
    """``pkg.mod.Type`` of a value, or ``Type`` of a builtin one; never raises."""
    try:
        kind = type(value)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        return cleaned(f"{module}{kind.__qualname__}")
    except BaseException:  # a metaclass can lie about anything
        return "object"


def cleaned(text: str) -> str:
    """The text with half surrogate pairs and NUL characters as escapes: no database takes them."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def is_storable(value: object) -> bool:
    """Whether this is a text that every store takes, and so may be an id that one knows."""
    return isinstance(value, str) and value == cleaned(value)


def has_storable_texts(value: object) -> bool:
    """Whether all texts within are storable, and all keys are texts."""
    if isinstance(value, dict):
        return all(map(is_storable, value)) and all(map(has_storable_texts, value.values()))
    if isinstance(value, list | tuple):
        return all(map(has_storable_texts, value))
    return not isinstance(value, str) or is_storable(value)


def has_no_address(value: object) -> bool:
    """Whether an id has no place in REST and pages: every client takes such dots out of a path."""
    return value in (".", "..")


def _own_frames_skipped(error: BaseException) -> TracebackType | None:
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "")
        if name.partition(".")[0] != _PACKAGE:
            return step
        step = step.tb_next
    return error.__traceback__


def _clipped(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    note = "... [{} characters left out]"
    kept = max(limit - len(note) - len(str(len(text))), 0)
    return text[:kept] + note.format(len(text) - kept)
