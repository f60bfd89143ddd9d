"""What callers of the service, and tasks, answer: a result, which is a success or an error."""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from ..errors import SchedulerError

M = TypeVar("M")
V = TypeVar("V")


class ResultError(SchedulerError):
    """A task answered ``Result.error``, so its execution has failed: "CODE: message"."""


class _TwoFaces(Generic[M, V]):
    """On the class what makes a result, on a result what it says."""

    def __init__(self, make: M, say: Callable[[Any], V]) -> None:
        self._make = make
        self._say = say

    @overload
    def __get__(self, result: None, owner: type) -> M: ...
    @overload
    def __get__(self, result: object, owner: type) -> V: ...
    def __get__(self, result: object, owner: type) -> M | V:
        return self._make if result is None else self._say(result)


def _success(data: Any = None) -> Result:
    return Result(data=data)


def _error(code: str, message: str = "", details: Any = None) -> Result:
    return Result(code=code, message=message, details=details)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a call went: the ``data`` of a success; ``code``, ``message``, ``details`` of an error.

    ``Result.success(data=...)`` and ``Result.error(code=..., message=..., details=...)`` make
    one. Of one, ``success`` is whether it is one, and ``error`` is "CODE: message", or None.
    """

    data: Any = None
    code: str | None = None
    message: str | None = None
    details: Any = None

    success = _TwoFaces(_success, lambda result: bool(result.code is None))
    error = _TwoFaces(
        _error, lambda result: None if result.success else f"{result.code}: {result.message}"
    )

    def __bool__(self) -> bool:
        return self.success

    def task_result(self) -> Any:
        """What an execution keeps of it: the data; raises ``ResultError`` if it is an error."""
        if self.success:
            return self.data
        details = f" {reprlib.repr(self.details)}" if self.details else ""
        raise ResultError(f"{self.error}{details}")


class Refused(Exception):
    """A call that ends as ``result``, an error, before anything was stored."""

    def __init__(self, code: str, message: str, details: Any = None) -> None:
        super().__init__(message)
        self.result = Result.error(code=code, message=message, details=details)
