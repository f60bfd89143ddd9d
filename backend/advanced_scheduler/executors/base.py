"""What every executor takes and answers, and how a function is called in the end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ..context import CURRENT, TaskContext


class Call(NamedTuple):
    """One call of a task's function; ``context`` is what ``current_execution()`` answers in it.

    ``begun`` is called where a call has to stand in line, once its turn has come. ``over`` is
    called by a thread if nobody waits for the function any more, once it is not at work either.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    context: TaskContext
    begun: Callable[[], object] = lambda: None
    over: Callable[[], object] = lambda: None


class Outcome(NamedTuple):
    """What a call came to: a value, or the exception that ended it.

    The exception holds its traceback, and so all local variables of the task. Whoever gets an
    outcome formats the traceback at once and then deletes the variable: from Python 3.12 on the
    frames of a traceback know their callers, and one that keeps the outcome makes a cycle.
    """

    value: Any = None
    error: BaseException | None = None


class Executor(Protocol):
    """A kind of place to run functions in.

    Every executor starts by itself at the first ``run``, and again at the first one after a
    ``shutdown``. All methods belong to the thread of the event loop.
    """

    def start(self) -> None:
        """Say that calls will come; raises ``SchedulerStateError`` where none may be made."""
        ...

    async def run(self, call: Call) -> Outcome:
        """Call the function; whatever it raises, ``SystemExit`` too, is an ``Outcome.error``.

        When the awaiting task is cancelled, this lets go of the function at once, as far as its
        kind allows, sets ``call.context.cancelled`` and raises ``CancelledError``: the only
        exception it ever raises. A function that raises ``CancelledError`` by itself has failed
        like with any other exception.
        """
        ...

    def shutdown(self) -> None:
        """Release idle threads and processes; does not wait for those that are at work."""
        ...

    @property
    def abandoned(self) -> int:
        """How many functions are at work that nobody waits for any more."""
        ...


def answer_of(value: Any) -> Any:
    """What it comes to that a function returned ``value``: its ``task_result()``, if it has one.

    So a value of a class of its own may say what is kept of it, or raise what went wrong.
    """
    if value is None:  # as of most tasks
        return None
    ask = getattr(type(value), "task_result", None)
    return value if ask is None else ask(value)


def perform(call: Call) -> Outcome:
    """Call the function in this thread and context; a coroutine gets an event loop of its own.

    A traceback begins with the frame that catches the exception. This one knows nothing of the
    outcome, so that the two make no reference cycle, which would outlive the task.
    """
    CURRENT.set(call.context)
    try:
        value = call.function(*call.args, **call.kwargs)
        return Outcome(answer_of(asyncio.run(value) if inspect.iscoroutine(value) else value))
    except BaseException as error:
        return Outcome(error=error)
