"""Checks what document 000 says of a task, before anything is stored; pure."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping
from typing import Any, Final

from ..engine.options import HIGHEST_RANK
from ..errors import InvalidArguments, InvalidTask
from ..functions import binds, body_of, name_of, signature_of
from ..models import TaskPriority
from ..registry import RESERVED_PARAMETERS

USUAL_PRIORITY: Final = 5
HIGH_PRIORITY: Final = 10
_OURS: Final = frozenset({"priority", "dependencies", "callback", "executor_id"})
_BY_KEYWORD: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_TOLD: Final = ("task_id", True, "result_or_error")


def check_function(func: object, kwargs: Mapping[str, Any]) -> None:
    """Raise unless every argument of the function can be told from one of ours."""
    if not callable(func):
        raise InvalidArguments(f"func={reprlib.repr(func)} cannot be called; give a function")
    signature = signature_of(func)
    parameters = signature.parameters.values() if signature is not None else ()
    taken = [one.name for one in parameters if one.kind in _BY_KEYWORD and one.name in _OURS]
    if taken:
        raise InvalidTask(
            f"{name_of(func)} has a parameter {taken[0]!r}, a name that schedule_task() keeps for "
            "itself; rename the parameter, or schedule a lambda that passes it on"
        )
    if reserved := sorted(RESERVED_PARAMETERS & kwargs.keys()):
        raise InvalidArguments(f"{reserved[0]!r} cannot be the name of an argument; choose another")


def check_callback(callback: object) -> None:
    """Raise unless it is None, or can be told of an end."""
    if callback is None:
        return
    if not callable(callback):
        raise InvalidArguments(f"callback={reprlib.repr(callback)} cannot be called")
    if inspect.iscoroutinefunction(body_of(callback)):
        raise InvalidArguments(
            f"callback={name_of(callback)} is a coroutine function, which nobody would await; give "
            "a plain function"
        )
    if not binds(signature_of(callback), _TOLD, {}):
        raise InvalidArguments(
            f"callback={name_of(callback)} must take (task_id, success, result_or_error)"
        )


def level_of(priority: object) -> tuple[TaskPriority, int]:
    """The level that a number means, and the rank within it."""
    if isinstance(priority, TaskPriority):
        return priority, 0
    if type(priority) is not int or abs(priority) > HIGHEST_RANK:
        raise InvalidArguments(
            f"priority={reprlib.repr(priority)} must be a whole number from -{HIGHEST_RANK} to "
            f"{HIGHEST_RANK}; the higher goes first"
        )
    if priority < USUAL_PRIORITY:
        return TaskPriority.LOW, priority
    return TaskPriority.HIGH if priority >= HIGH_PRIORITY else TaskPriority.NORMAL, priority
