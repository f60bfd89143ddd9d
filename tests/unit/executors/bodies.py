"""What tasks do in the tests of the executors; workers import it from here."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from advanced_scheduler.context import TaskContext, current_execution

BASE_EXCEPTIONS: tuple[type[BaseException], ...] = (
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
)


def on_loop(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a coroutine function."""

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return coroutine


def add(a: int, b: int = 0) -> int:
    return a + b


def fork_and_return() -> str:
    """Returns twice: here, and in the copy of the process."""
    if child := os.fork():
        os.waitpid(child, 0)
        return "parent"
    return "copy"


def day_after(when: datetime) -> tuple[str, int]:
    return type(when).__name__, when.day + 1


def who_am_i() -> list[object]:
    here = current_execution()
    return [here.execution_id, here.task_id, here.attempt, here.fence, here.node, here.results]


def own_fields(names: list[str]) -> list[object]:
    execution = current_execution().execution
    return [str(getattr(execution, name)) for name in names]


def with_context(context: TaskContext, /, a: int) -> list[object]:
    return [context.task_id, a, current_execution() is context]


def with_named_context(a: int, *, context: TaskContext) -> list[object]:
    return [context.task_id, a]


def fail(kind: str, message: str = "bad") -> NoReturn:
    """Raise a builtin exception, or one of this module."""
    error = {kind.__name__: kind for kind in (*BASE_EXCEPTIONS, Unlucky, Awkward, Mute)}.get(kind)
    raise (error or getattr(sys.modules["builtins"], kind))(message)


def fail_twice() -> NoReturn:
    raise ExceptionGroup("both", [ValueError(), TypeError()])


def recurse(depth: int = 0) -> int:
    return recurse(depth + 1)


class Unlucky(LookupError):
    """An exception of the user's."""


class Awkward(Exception):
    """One that cannot be made from its message alone."""

    def __new__(cls, message: str, answer: int = 42) -> Awkward:
        return super().__new__(cls, message, answer)

    def __init__(self, message: str) -> None:
        super().__init__(message.encode())


class Mute(Exception):
    """One that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


def pid() -> int:
    return os.getpid()


def end_with(code: int) -> NoReturn:
    os._exit(code)


def die_of(number: int) -> NoReturn:
    os.kill(os.getpid(), number)
    raise AssertionError("still alive")


def start_a_child(fifo: str) -> None:
    """Start a process that lives as long as its worker's session, and writes to ``fifo``."""
    with open(fifo, "w", encoding="utf-8") as held:  # noqa: PTH123
        subprocess.Popen(["sleep", "1000"], stdout=held)


def start_sessions(fifo: str) -> None:
    """``start_a_child`` in a session of its own, with a child in another one."""
    with open(fifo, "w", encoding="utf-8") as held:  # noqa: PTH123
        command = ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"]
        subprocess.Popen(command, stdout=held, start_new_session=True)


def leave_sessions(fifo: str) -> NoReturn:
    """``never_end`` with descendants in sessions of their own."""
    start_sessions(fifo)
    never_end(fifo)


def never_end(fifo: str) -> NoReturn:
    """Let this process and a child of it hold ``fifo`` open, and wait for ever."""
    start_a_child(fifo)
    held = open(fifo, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    held.write("begun")
    held.flush()
    threading.Event().wait()
    raise AssertionError("woken up")


def close_all_files() -> None:
    os.closerange(3, 100)


def echo(value: Any) -> Any:
    return value


def text_of(length: int) -> str:
    return "x" * length


def half_a_pair() -> str:
    return "\ud800"


def something() -> object:
    return object()


async def later(value: int) -> int:
    await asyncio.sleep(0)
    return value


nameless: Callable[[], None] = lambda: None  # noqa: E731


class Verdict:
    """A value that says itself what it comes to."""

    def __init__(self, score: int) -> None:
        self.score = score

    def task_result(self) -> int:
        """The score; raises ``LookupError`` if there is none."""
        if self.score < 0:
            raise LookupError(f"a score of {self.score}")
        return self.score


def judge(score: int) -> Verdict:
    """A value that may be a failure."""
    return Verdict(score)
