"""Owns the task definitions by id, the functions behind them, and what those can be called with."""

from __future__ import annotations

import inspect
import re
import reprlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from .context import TaskContext
from .definitions import normalised
from .errors import InvalidArguments, InvalidTask, TaskAlreadyRegistered, TaskNotRegistered
from .forks import free_in_child
from .functions import (
    argument_in,
    arity_of,
    binds,
    body_of,
    did_you_mean,
    import_function,
    name_of,
    path_of,
    shown,
    signature_of,
)
from .models import (
    TaskDefinition,
    TaskExecution,
    blank_of,
)

RESERVED_PARAMETERS: Final = frozenset({"options", "scheduled_time"})
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
        definition = normalised(definition)
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
