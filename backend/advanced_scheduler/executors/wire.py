"""How a call travels to a worker process, and its outcome back: as JSON in frames."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from ..context import TaskContext
from ..errors import InvalidTask, RemoteError
from ..faults import describe_error, describe_traceback
from ..functions import import_function, name_of, path_of, signature_of
from ..models import TaskExecution
from ..serialization import ArgumentCodec, pack_result
from . import script
from .base import Call, Outcome

Message = dict[str, Any]

HEADER: Final = struct.Struct("!Q")
"""Before each frame: how many bytes it has."""

_UNLIMITED: Final = sys.maxsize  # whoever schedules a task has limited its arguments already


def import_path() -> list[str]:
    """Where this process looks for modules."""
    return [*map(str, sys.path)]


def to_frame(message: Message) -> bytes:
    """A message as it is sent."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return HEADER.pack(len(body)) + body


# --- the call, on its way to the worker -----------------------------------------------------


def pack_call(call: Call, results: Mapping[str, Any], limit_bytes: int) -> Message:
    """All that a worker needs; ``results`` are those of the dependencies.

    ``limit_bytes`` bounds the result that the worker may send back.
    Raises ``InvalidTask`` for a function that no other process can find, ``InvalidArguments``
    for arguments that cannot travel.
    """
    path = path_of(call.function)
    if path is None:
        raise InvalidTask(
            f"function {name_of(call.function)} cannot run in a process, which finds functions by "
            "name: pass a function, or a static method, of a module, without functools.partial"
        )
    path, main = script.path_elsewhere(path)
    at = next((n for n, value in enumerate(call.args) if value is call.context), None)
    named = next((name for name, value in call.kwargs.items() if value is call.context), None)
    args = tuple(value for value in call.args if value is not call.context)
    kwargs = {name: value for name, value in call.kwargs.items() if name != named}
    parameter = named if at is None else _parameter_at(call.function, at)
    args, kwargs = _codec(call.function, parameter).pack(args, kwargs)
    return {
        "sys_path": import_path(),
        "script": main,
        "function": path,
        "args": args,
        "kwargs": kwargs,
        "context": _pack_context(call.context, results, limit_bytes),
        "context_parameter": parameter,
        "context_position": at,
        "limit_bytes": limit_bytes,
        "keeps_logs": call.context.desk is not None and call.context.desk.keeps_logs,
    }


def unpack_call(message: Message) -> Call:
    """The call, in the worker; raises ``InvalidTask`` or ``InvalidArguments``."""
    sys.path[:] = message["sys_path"]
    function = _function_at(message["function"], message["script"])
    parameter, at = message["context_parameter"], message["context_position"]
    args, kwargs = _codec(function, parameter).unpack(message["args"], message["kwargs"])
    context = _unpack_context(message["context"])
    if at is not None:
        args = (*args[:at], context, *args[at:])
    elif parameter is not None:
        kwargs = {**kwargs, parameter: context}
    return Call(function, args, kwargs, context)


@lru_cache(maxsize=1024)
def _function_at(path: str, main: str | None) -> Callable[..., Any]:
    with script.importing(path):
        if main is not None:
            script.load(main)
        return import_function(path)[0]


@lru_cache(maxsize=1024)
def _codec(function: Callable[..., Any], context_parameter: str | None) -> ArgumentCodec:
    skip = frozenset(filter(None, [context_parameter]))
    return ArgumentCodec(function, skip=skip, limit_bytes=_UNLIMITED)


def _parameter_at(function: Callable[..., Any], position: int) -> str | None:
    signature = signature_of(function)
    return None if signature is None else [*signature.parameters][position]


def _context(
    *,
    execution: TaskExecution,
    node: str,
    started: datetime,
    deadline: datetime | None,
    lock_fence: int | None,
    results: dict[str, Any],
) -> TaskContext:
    return TaskContext(
        execution=execution,
        node=node,
        started=started,
        deadline=deadline,
        lock_fence=lock_fence,
        load_results=lambda: results,
    )


_CONTEXT: Final = ArgumentCodec(_context, limit_bytes=_UNLIMITED)
_LEFT_BEHIND: Final[Message] = {"args": (), "kwargs": {}, "result": None, "metrics": {}}


def _pack_context(context: TaskContext, results: Mapping[str, Any], limit: int) -> Any:
    known = {
        "execution": context.execution.with_changes(_LEFT_BEHIND),
        "node": context.node,
        "started": context.started,
        "deadline": context.deadline,
        "lock_fence": context.lock_fence,
        "results": {task_id: pack_result(value, limit) for task_id, value in results.items()},
    }
    return pack_result(known, _UNLIMITED)  # it need not come back equal: 60 for 60.0 will do


def _unpack_context(packed: Message) -> TaskContext:
    return _context(**_CONTEXT.unpack((), packed)[1])


# --- the outcome, on its way back -----------------------------------------------------------


def pack_outcome(outcome: Outcome, limit_bytes: int) -> Message:
    """What became of the call, whatever it returned or raised.

    A value that is no JSON, or more than ``limit_bytes`` of it, leaves ``pack_result``'s marker.
    """
    error = outcome.error
    if error is None:
        return {"value": pack_result(outcome.value, limit_bytes)}
    kind = type(error)
    name = kind.__qualname__
    return {
        "module": kind.__module__,
        "name": name,
        "message": describe_error(error).removeprefix(name.rpartition(".")[2]).removeprefix(": "),
        "traceback": describe_traceback(error),
    }


def unpack_outcome(message: Message) -> Outcome:
    """The outcome, in the process of the scheduler."""
    if "value" in message:
        return Outcome(message["value"])
    name, text = message["name"], message["message"]
    try:
        kind = _error_class(message["module"], name)
        layout: Any = kind.__base__  # the one whose __new__ Python lets make such an object
        error: BaseException = layout.__new__(kind)
        error.args = (text,)
    except Exception:  # not every class can be subclassed, or made without arguments
        error = RemoteError(f"{name}: {text}")
    if isinstance(error, RemoteError):
        error.type_name, error.message, error.traceback_text = name, text, message["traceback"]
    error.add_note(f"In the worker process:\n{message['traceback'].rstrip()}")
    return Outcome(error=error)


@lru_cache(maxsize=1024)
def _error_class(module: str, name: str) -> type[BaseException]:
    """A class for what was raised, which ``retry_on`` and reports take for the original.

    It is a ``RemoteError``, and a subclass of the original if this process has loaded that.
    ``SystemExit`` and its like are no ``Exception``, and so no ``RemoteError`` either.
    """
    module = script.module_here(module)
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    bases: tuple[type[BaseException], ...] = (RemoteError,)
    if isinstance(found, type) and issubclass(found, BaseException):
        bases = (RemoteError, found) if issubclass(found, Exception) else (found,)
    body = {"__module__": module, "__qualname__": name, "__str__": BaseException.__str__}
    return type(name.rpartition(".")[2], bases, body)
