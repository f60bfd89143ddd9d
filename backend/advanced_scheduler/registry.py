"""Owns the task definitions by id, the functions behind them, and what those can be called with."""

from __future__ import annotations

import inspect
import re
import reprlib
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from .context import TaskContext
from .errors import InvalidArguments, InvalidTask, TaskAlreadyRegistered, TaskNotRegistered
from .faults import has_no_address
from .forks import free_in_child
from .functions import (
    argument_in,
    arity_of,
    binds,
    body_of,
    did_you_mean,
    home_of,
    import_function,
    name_of,
    path_of,
    shown,
    signature_of,
)
from .models import (
    LONGEST,
    RetryConfig,
    TaskDefinition,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    blank_of,
)

TASK_ID_LENGTH: Final = 200
RESERVED_PARAMETERS: Final = frozenset({"options", "scheduled_time"})
_EXECUTORS: Final = ("auto", "thread", "process")
_BY_KEYWORD: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

_CONTEXT_TEXT: Final = re.compile(r"(?:Optional\[)?(?:\w+\.)*TaskContext\]?(?:\s*\|\s*None)?")

Place = Literal["loop", "thread", "process"]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTask:
    """A definition with its function, and the ``place`` where it runs unless a call says otherwise.

    ``signature`` leaves out the context parameter; it is None where Python knows none (some
    builtins), and then arguments are not checked. ``path`` is ``module:qualname``, or None if
    no other process could find the function by a name. ``context_position`` is None if the
    context can be passed by keyword alone. ``complete`` says that the definition's own
    arguments are all that the function needs, and ``arity`` with how many positional arguments
    alone any call is right: both spare the common calls a look at the signature. Executions are
    copies of ``blank``.
    """

    definition: TaskDefinition
    function: Callable[..., Any]
    place: Place
    path: str | None
    signature: inspect.Signature | None
    context_parameter: str | None
    context_position: int | None
    complete: bool
    arity: range
    blank: TaskExecution

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
        """The arguments of one call: these, and where they are silent the definition's own.

        Any ``args`` take the place of all of the definition's; ``kwargs`` override by name. The
        context parameter is left out, see ``with_context``.

        Raises ``InvalidArguments`` if the function cannot be called with them.
        """
        own = self.definition
        if not args and not kwargs and self.complete:
            return tuple(own.args), {**own.kwargs}
        if args and not kwargs and len(args) in self.arity:
            return args, {}
        args, merged = args or tuple(own.args), {**own.kwargs, **kwargs}
        if self.signature is not None:
            self._check(self.signature.bind, args, merged)
        return args, merged

    def check_part(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise ``InvalidArguments`` if no call could ever use these with the definition's own."""
        own = self.definition
        if self.signature is not None:
            merged = {**own.kwargs, **kwargs}
            self._check(self.signature.bind_partial, args or tuple(own.args), merged)

    def with_context(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], context: TaskContext
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Bound arguments with the context put where the function wants it, if it does."""
        if self.context_parameter is None:
            return args, kwargs
        at = self.context_position
        if at is not None and at <= len(args):
            return (*args[:at], context, *args[at:]), kwargs
        return args, {**kwargs, self.context_parameter: context}

    def _check(
        self, bind: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        own = self.context_parameter
        if own in kwargs:
            raise self._misfit(f"{own!r} is the TaskContext, which is passed for you", own)
        try:
            bind(*args, **kwargs)
        except TypeError as error:
            about = argument_in(str(error), args, kwargs, self.signature)
            raise self._misfit(str(error), about) from error

    def _misfit(self, why: str, argument: int | str | None) -> InvalidArguments:
        return InvalidArguments(
            f"task {self.definition.task_id!r} cannot take these arguments: {why}; its function "
            f"is {name_of(self.function)}{shown(self.signature)}",
            argument=argument,
        )


class TaskRegistry:
    """Registered tasks by id.  Thread-safe; ``definitions`` is a live, read-only view.

    Iterating answers the ids as they were at that moment, in the order of registration; to
    walk ``definitions`` while other threads register, copy it first.
    """

    def __init__(self) -> None:
        self._lock = free_in_child(threading.Lock())
        self._tasks: dict[str, RegisteredTask] = {}
        self._definitions: dict[str, TaskDefinition] = {}
        self.definitions: Final[Mapping[str, TaskDefinition]] = MappingProxyType(self._definitions)

    def register(self, definition: TaskDefinition) -> RegisteredTask:
        """Check a definition, import its function, and keep both.

        The answer's definition is normalised: tuples, enums, read-only ``kwargs``. The import
        runs in the calling thread, which waits for it as long as it takes; nobody else does.

        Raises ``TaskAlreadyRegistered``; ``InvalidTask`` for a definition that cannot work;
        ``InvalidArguments`` if its own arguments do not fit. Nothing is kept then.
        """
        definition = _normalised(definition)
        self._refuse_duplicate(definition.task_id)  # before an import that may have effects
        task = _loaded(definition)
        with self._lock:
            self._refuse_duplicate(definition.task_id)
            self._tasks[definition.task_id] = task
            self._definitions[definition.task_id] = definition
        return task

    def unregister(self, task_id: str) -> TaskDefinition:
        """Forget a task; raises ``TaskNotRegistered``."""
        with self._lock:
            task = self.get(task_id)
            del self._tasks[task_id], self._definitions[task_id]
        return task.definition

    def get(self, task_id: str) -> RegisteredTask:
        """The task of this id; raises ``TaskNotRegistered``, which names similar ids."""
        try:
            return self._tasks[task_id]
        except (KeyError, TypeError):
            raise TaskNotRegistered(
                f"task {reprlib.repr(task_id)} is not registered; call register_task() first"
                f"{did_you_mean(str(task_id), tuple(self._tasks))}"
            ) from None

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._tasks))

    def __len__(self) -> int:
        return len(self._tasks)

    def _refuse_duplicate(self, task_id: str) -> None:
        if task_id in self._tasks:
            raise TaskAlreadyRegistered(
                f"task {task_id!r} is already registered; unregister it first, or choose another id"
            )


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


# --- the definition -------------------------------------------------------------------------


def _normalised(definition: TaskDefinition) -> TaskDefinition:
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


# --- the function ---------------------------------------------------------------------------


def _loaded(definition: TaskDefinition) -> RegisteredTask:
    function, path = _function_of(definition)
    body = body_of(function)
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        raise InvalidTask(
            f"task {definition.task_id!r}: {name_of(function)} is a generator function, which "
            "would end without running a line; loop in the task and return a list instead"
        )
    if definition.executor == "process" and path is None:
        raise InvalidTask(
            f"task {definition.task_id!r}: executor='process' needs a function that another "
            f"process can import; {name_of(function)} has no name in its module"
        )
    signature = signature_of(function)
    parameters = list(signature.parameters.values()) if signature is not None else []
    _refuse_reserved(definition.task_id, parameters)
    context = _context_parameter(definition.task_id, parameters)
    position = None
    if signature is not None and context is not None:
        if context.kind is not inspect.Parameter.KEYWORD_ONLY:
            position = parameters.index(context)
        signature = signature.replace(parameters=[one for one in parameters if one is not context])
    by_kind: Place = "loop" if inspect.iscoroutinefunction(body) else "thread"
    task = RegisteredTask(
        definition=definition,
        function=function,
        place=definition.executor if definition.executor != "auto" else by_kind,
        path=path,
        signature=signature,
        context_parameter=context.name if context is not None else None,
        context_position=position,
        complete=binds(signature, definition.args, definition.kwargs),
        arity=range(0) if definition.kwargs else arity_of(signature),
        blank=blank_of(definition),
    )
    task.check_part((), {})
    return task


def _function_of(definition: TaskDefinition) -> tuple[Callable[..., Any], str | None]:
    func = definition.func_path
    if callable(func):
        return func, path_of(func)
    if not isinstance(func, str):
        raise InvalidTask(
            f"func_path={reprlib.repr(func)} of task {definition.task_id!r} must be a dotted path "
            "or a callable"
        )
    try:
        return import_function(func)
    except InvalidTask as error:
        raise InvalidTask(f"task {definition.task_id!r}: {error}") from error.__cause__


def _refuse_reserved(task_id: str, parameters: list[inspect.Parameter]) -> None:
    for parameter in parameters:
        if parameter.name in RESERVED_PARAMETERS and parameter.kind in _BY_KEYWORD:
            raise InvalidTask(
                f"task {task_id!r}: its function has a parameter {parameter.name!r}, a name that "
                "schedule_task() keeps for itself; rename the parameter"
            )


def _context_parameter(
    task_id: str, parameters: list[inspect.Parameter]
) -> inspect.Parameter | None:
    found = [one for one in parameters if _asks_for_context(one.annotation)]
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise InvalidTask(f"task {task_id!r}: only one of {names} can be the TaskContext")
    if found and found[0].kind not in _BY_KEYWORD:
        raise InvalidTask(
            f"task {task_id!r}: the TaskContext {found[0].name!r} must be a parameter that can be "
            "passed by keyword"
        )
    return found[0] if found else None


def _asks_for_context(annotation: Any) -> bool:
    if isinstance(annotation, str):  # imported for type checkers alone: all there is is the text
        return _CONTEXT_TEXT.fullmatch(annotation.strip("'\"")) is not None
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return any(_asks_for_context(one) for one in get_args(annotation))
    return annotation is TaskContext
