"""Stands between a caller's arguments and the form in which the store keeps them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ..registry import RegisteredTask
from ..serialization import ArgumentCodec, clip_result, pack_result
from .inputs import filled, refuse_strays

_HERE: Final = ("loop", "thread")  # where a call takes its arguments as they are


class Arguments:
    """Checks arguments when a task is scheduled, and rebuilds them when it runs.

    With ``as_json`` (a durable store), and for a process pool, arguments must come back equal in
    value and type; else any object is kept as it is.
    """

    def __init__(self, *, as_json: bool, check: bool, limit_bytes: int, result_limit: int) -> None:
        self._as_json = as_json
        self._check = check or as_json
        self._limit = limit_bytes
        self._result_limit = result_limit
        self._codecs: dict[str, tuple[Callable[..., Any], ArgumentCodec]] = {}

    def store(
        self,
        task: RegisteredTask,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        inputs: Mapping[str, str] = MappingProxyType({}),
        executor: str | None = None,
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """What the row keeps; raises ``InvalidArguments`` naming the argument.

        ``inputs`` are those of ``inputs_of``: in their places the row keeps None. ``executor``
        is the one that the call asks for, if it does.
        """
        bound_args, bound_kwargs = task.bind(args, kwargs)
        if not (bound_args or bound_kwargs):
            return bound_args, bound_kwargs
        refuse_strays(task.definition.task_id, bound_args, bound_kwargs, inputs)
        if self._check or (executor or task.place) not in _HERE:
            packed = self._codec(task).pack(bound_args, bound_kwargs)
            if self._as_json:
                return packed
        return (
            filled(bound_args, bound_kwargs, dict.fromkeys(inputs))
            if inputs
            else (bound_args, bound_kwargs)
        )

    def pack(
        self,
        task: RegisteredTask,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        partly: bool = False,
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """What a schedule keeps: these alone, as the definition's own are added when it fires.

        ``partly``: others may be added as well. Raises ``InvalidArguments`` naming the argument;
        ``load`` is the inverse.
        """
        (task.check_part if partly else task.bind)(args, kwargs)
        refuse_strays(task.definition.task_id, args, kwargs)
        if not (self._check or task.place not in _HERE) or not (args or kwargs):
            return args, kwargs
        packed = self._codec(task).pack(args, kwargs)
        return packed if self._as_json else (args, kwargs)

    def load(
        self, task: RegisteredTask, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """What the function is called with; raises ``InvalidArguments`` if it changed since."""
        if not self._as_json or not (args or kwargs):
            return args, kwargs
        return self._codec(task).unpack(args, kwargs)

    def result(self, value: Any) -> Any:
        """What the row keeps of a result; a marker if it is too large or cannot be kept."""
        if value is None:
            return None
        return (pack_result if self._as_json else clip_result)(value, self._result_limit)

    def forget(self, task_id: str) -> None:
        """The task was unregistered."""
        self._codecs.pop(task_id, None)

    def _codec(self, task: RegisteredTask) -> ArgumentCodec:
        """One for each task id, made anew when another function was registered under it."""
        function, codec = self._codecs.get(task.definition.task_id, (None, None))
        if codec is None or function is not task.function:
            skip = frozenset(filter(None, [task.context_parameter]))
            codec = ArgumentCodec(task.function, skip=skip, limit_bytes=self._limit)
            self._codecs[task.definition.task_id] = task.function, codec
        return codec
