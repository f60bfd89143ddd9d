"""Checks what somebody says of a task, and brings it into one form."""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from .errors import InvalidTask
from .faults import has_no_address
from .functions import body_of, home_of
from .models import LONGEST, RetryConfig, TaskDefinition, TaskDependency, TaskPriority

TASK_ID_LENGTH: Final = 200
_EXECUTORS: Final = ("auto", "thread", "process")


def definition_for(function: Callable[..., Any]) -> TaskDefinition:
    """The definition of a callable that is scheduled without one: ``module.qualname``.

    Two different functions may answer the same id (closures, lambdas, partials): compare
    ``RegisteredTask.function`` before you take one for the other. Raises ``InvalidTask``.
    """
    if not callable(function):
        raise InvalidTask(f"{reprlib.repr(function)} is neither a task id nor a callable")
    named = function if hasattr(function, "__qualname__") else body_of(function)
    name = getattr(named, "__qualname__", type(function).__qualname__)
    home = home_of(named if getattr(named, "__module__", None) else function)
    return TaskDefinition(
        task_id=f"{home}.{name}", task_name=name.rpartition(".")[2], func_path=function
    )


def normalised(definition: TaskDefinition) -> TaskDefinition:
    """The same with an enum, tuples and a read-only mapping where it has what stands for them.

    Raises ``InvalidTask`` for what cannot be; the function is not looked at.
    """
    if not isinstance(definition, TaskDefinition):
        raise InvalidTask(f"{reprlib.repr(definition)} is not a TaskDefinition")
    task_id = _text(definition.task_id, "task_id")
    if has_no_address(task_id):
        raise InvalidTask(f"task_id={task_id!r} has no address: dots alone are places in a path")
    what = f"of task {definition.task_id!r}"
    task_name = _text(definition.task_name, f"task_name {what}")
    _check_seconds(definition.lock_timeout, f"lock_timeout {what}")
    if definition.timeout is not None:
        _check_seconds(definition.timeout, f"timeout {what}", " (or None for no limit)")
    for name in ("require_lock", "at_most_once"):
        if not isinstance(flag := getattr(definition, name), bool):
            raise InvalidTask(f"{name}={reprlib.repr(flag)} {what} must be True or False")
    if not isinstance(definition.retry_config, RetryConfig | None):
        raise InvalidTask(
            f"retry_config={reprlib.repr(definition.retry_config)} {what} must be a RetryConfig"
        )
    if definition.executor not in _EXECUTORS:
        raise InvalidTask(
            f"executor={reprlib.repr(definition.executor)} {what} is unknown; "
            f"use one of {', '.join(_EXECUTORS)}"
        )
    return replace(
        definition,
        task_id=task_id,
        task_name=task_name,
        priority=_priority(definition.priority, f"priority {{}} {what}"),
        args=_items(definition.args, f"args {what}"),
        kwargs=_keywords(definition.kwargs, f"kwargs {what}"),
        dependencies=_dependencies(definition.dependencies, what),
        tags=tuple(_text(tag, f"a tag {what}") for tag in _items(definition.tags, f"tags {what}")),
    )


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidTask(f"{what} must be a text that is not empty, not {reprlib.repr(value)}")
    if len(value) > TASK_ID_LENGTH:
        raise InvalidTask(f"{what} has {len(value)} characters; {TASK_ID_LENGTH} are allowed")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        raise InvalidTask(f"{what} holds a control character or half a surrogate pair: {value!a}")
    return str.__str__(value)  # an enum that is a text shows another one in an f-string


def _check_seconds(value: object, what: str, hint: str = "") -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 < value <= LONGEST):  # type: ignore[operator]  # it is a number
        limits = f"more than 0 seconds{hint}, not {reprlib.repr(value)}; at most 100 years"
        raise InvalidTask(f"{what} must be {limits}")


def _priority(value: object, what: str) -> TaskPriority:
    try:
        if isinstance(value, str):
            return TaskPriority[value.strip().upper()]
        if isinstance(value, int) and not isinstance(value, bool):
            return TaskPriority(value)
    except (KeyError, ValueError):
        pass
    levels = ", ".join(f"{level.name} ({level.value})" for level in TaskPriority)
    raise InvalidTask(f"{what.format(reprlib.repr(value))} is unknown; use one of {levels}")


def _items(values: object, what: str) -> tuple[Any, ...]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Collection):
        raise InvalidTask(f"{what} must be a list or tuple, not {reprlib.repr(values)}")
    return tuple(values)


def _keywords(values: object, what: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        raise InvalidTask(f"{what} must be a dict with texts as keys, not {reprlib.repr(values)}")
    return MappingProxyType(dict(values))


def _dependencies(values: object, what: str) -> tuple[TaskDependency, ...]:
    found: dict[tuple[str, str], TaskDependency] = {}
    for value in _items(values, f"dependencies {what}"):
        dependency = TaskDependency(value) if isinstance(value, str) else value
        if not isinstance(dependency, TaskDependency):
            raise InvalidTask(
                f"a dependency {what} must be a TaskDependency or a task id, "
                f"not {reprlib.repr(value)}"
            )
        task_id = _text(dependency.task_id, f"a dependency {what}")
        dependency = replace(dependency, task_id=task_id)
        edge = (dependency.task_id, dependency.dependency_type)
        if edge in found:
            raise InvalidTask(
                f"the dependency {what} on the {edge[1]} of {edge[0]!r} is given twice; "
                "leave one out"
            )
        found[edge] = dependency
    return tuple(found.values())
