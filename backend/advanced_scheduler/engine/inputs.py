"""Owns arguments that are results of other executions: found, left out, and put in at the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Final

from ..errors import InvalidArguments
from ..faults import is_storable
from ..models import Placeholder, ResultOf, TaskExecution, TaskStatus
from ..registry import RegisteredTask
from ..serialization import NOT_STORED

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

_CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})
_STAND_INS: Final = frozenset({ResultOf, Placeholder})
_SUSPECTS: Final = _CONTAINERS | _STAND_INS
_NONE: Final[Mapping[str, str]] = {}


def inputs_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, str]:
    """Which arguments of a call are results of which executions: {"0": id}, {"name": id}.

    Raises ``InvalidArguments`` for an id that cannot be one.
    """
    if ResultOf not in map(type, args) and not (kwargs and ResultOf in map(type, kwargs.values())):
        return _NONE  # the common case, and cheap
    found = {str(at): one for at, one in enumerate(args) if type(one) is ResultOf}
    for name, one in kwargs.items():
        if type(one) is ResultOf:
            if name.isdecimal():
                raise InvalidArguments(
                    f"argument {name!r} cannot be a result: its name is a number"
                )
            found[name] = one
    for one in found.values():
        if not is_storable(one.execution_id):
            raise InvalidArguments(f"result_of({one.execution_id!r}) does not name an execution")
    return {key: one.execution_id for key, one in found.items()}


def refuse_strays(
    task_id: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    inputs: Mapping[str, str] | None = None,
) -> None:
    """Raise ``InvalidArguments`` if something stands where nobody would replace it.

    ``inputs`` are those of a call; None means the arguments of a schedule, in which a
    ``Placeholder`` may stand.
    """
    if _SUSPECTS.isdisjoint(map(type, chain(args, kwargs.values()) if kwargs else args)):
        return
    for name, value in chain(enumerate(args), kwargs.items()):
        if type(value) is Placeholder and inputs is None:
            continue
        if type(value) is ResultOf and inputs is not None and str(name) in inputs:
            continue
        stray = value if type(value) in _STAND_INS else _within(value)
        if stray is not None:
            raise InvalidArguments(f"argument {name!r} of task {task_id!r} {_why_stray(stray)}")


def _why_stray(stray: ResultOf | Placeholder) -> str:
    if isinstance(stray, Placeholder):
        return f"holds {stray}: it must be an argument of its own, of a schedule"
    return (
        f"holds result_of({stray.execution_id!r}): it must be an argument of its own, of one call, "
        "and not a part of another value, of a definition or of a schedule"
    )


def filled(
    args: tuple[Any, ...], kwargs: Mapping[str, Any], values: Mapping[str, Any]
) -> Arguments:
    """The arguments with these values, by position or name, in their places."""
    positions, named = list(args), dict(kwargs)
    for key, value in values.items():
        if key.isdecimal():
            positions[int(key)] = value
        else:
            named[key] = value
    return tuple(positions), named


def taken_by(task: RegisteredTask, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """What of the payload the function has a parameter for."""
    parameters = task.signature.parameters.values() if task.signature is not None else ()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return payload
    names = {
        one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    }
    return {name: value for name, value in payload.items() if name in names}


def results_for(inputs: Mapping[str, str], rows: Iterable[TaskExecution]) -> dict[str, Any]:
    """The results that the arguments become; raises ``InvalidArguments`` where there is none."""
    known = {row.execution_id: row for row in rows}
    return {key: _result(key, one, known.get(one)) for key, one in inputs.items()}


def _result(key: str, execution_id: str, row: TaskExecution | None) -> Any:
    what = f"argument {key!r} is the result of execution {execution_id}"
    if row is None:
        raise InvalidArguments(f"{what}, which is gone from the history")
    if row.status is not TaskStatus.COMPLETED:
        raise InvalidArguments(f"{what}, which is {row.status}")
    if isinstance(row.result, dict) and row.result.keys() == {NOT_STORED}:
        raise InvalidArguments(f"{what}, which was not kept: {row.result[NOT_STORED]['why']}")
    return row.result


def _within(container: Any) -> ResultOf | Placeholder | None:
    """The first one at any depth; a container may hold itself."""
    if type(container) not in _CONTAINERS:
        return None
    seen = {id(container)}
    stack = [container]
    while stack:
        for item in _items(stack.pop()):
            kind = type(item)
            if kind in _STAND_INS:
                found: ResultOf | Placeholder = item
                return found
            if kind in _CONTAINERS and id(item) not in seen:
                seen.add(id(item))
                stack.append(item)
    return None


def _items(container: Any) -> Iterator[Any]:
    return iter(container.values() if type(container) is dict else container)
