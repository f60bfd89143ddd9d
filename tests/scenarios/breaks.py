"""Owns the faults of the controls: each takes one promise out of the library.

A fault gets ``patch(owner, name, value)``: in a test's own process ``monkeypatch.setattr``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from traceback import format_exception
from typing import Any, Final

from advanced_scheduler.engine import arguments, dispatcher, runner
from advanced_scheduler.engine.dispatcher import Dispatcher
from advanced_scheduler.engine.heartbeat import Heartbeat
from advanced_scheduler.engine.housekeeper import Housekeeper
from advanced_scheduler.engine.intake import Intake
from advanced_scheduler.engine.node import Node
from advanced_scheduler.engine.runner import Runner
from advanced_scheduler.engine.settler import Settler
from advanced_scheduler.executors import Call, Outcome, threads
from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import TaskStatus
from advanced_scheduler.stores import (
    memory_rows,
    redis_executions,
    redis_rows,
    sql_alone,
    sql_database,
    sql_edges,
    sql_exchange,
    sql_sqlite,
)
from advanced_scheduler.stores.base import Claim

from . import health_breaks, lock_breaks, node_breaks, schedule_breaks

Patch = Callable[[Any, str, Any], None]


def no_fence(patch: Patch) -> None:
    """The status is looked at, the fence is not; and who lost a lease is not told of it."""
    change = sql_alone._change
    patch(Transition, "fits", lambda self, status, fence: status in self.sources)
    patch(sql_alone, "_change", lambda names, sources, fenced: change(names, sources, False))
    patch(redis_executions, "moved", lambda one: redis_rows.moved(one._replace(fence=None)))
    patch(Node, "_lost", lambda self, gone: None)


def no_lease(patch: Patch) -> None:
    """Nobody looks for executions whose node was lost."""
    patch(Housekeeper, "_rescue", lambda self: 0)


def no_cascade(patch: Patch) -> None:
    """The end of an execution has no consequence for those that wait for it."""
    nothing = dict.fromkeys(TaskStatus, frozenset[str]())
    for store in (memory_rows, sql_edges, sql_exchange):
        patch(store, "MEETS", nothing)
    patch(Settler, "consequences", lambda *_: [])
    patch(Intake, "due_changes", lambda *_: [])


def no_waiting(patch: Patch) -> None:
    """SQLite as it comes: a transaction begins as a reader, and nobody waits for the lock."""
    patch(sql_sqlite, "BUSY_SECONDS", 0)
    patch(sql_sqlite, "_is_busy", lambda error: False)
    patch(sql_database.SqlDatabase, "_write", lambda self, work: self._run("BEGIN", work))


def no_markers(patch: Patch) -> None:
    """Results are stored whatever they are."""
    patch(arguments, "clip_result", lambda value, limit: value)
    patch(arguments, "pack_result", lambda value, limit: value)


def errors_as_they_are(patch: Patch) -> None:
    """Errors are stored as ``str`` and ``traceback`` say them."""
    patch(runner, "describe_error", lambda error: f"{type(error).__name__}: {error}")
    patch(runner, "describe_traceback", lambda error: "".join(format_exception(error)))


def keeps_errors(patch: Patch) -> None:
    """Errors are kept, and with their tracebacks all variables of the bodies."""
    kept: list[BaseException] = []

    def describe(error: BaseException) -> str:
        kept.append(error)
        return "kept"

    patch(runner, "describe_traceback", describe)


def exceptions_only(patch: Patch) -> None:
    """A thread that runs a body is prepared for an ``Exception`` and nothing else."""

    def careless(call: Call) -> Outcome:
        try:
            return Outcome(call.function(*call.args, **call.kwargs))
        except Exception as error:
            return Outcome(error=error)

    patch(threads, "perform", careless)


def claims_anything(patch: Patch) -> None:
    """A node claims what it cannot run, again and again."""
    patch(dispatcher, "Claim", lambda **fields: Claim(**fields | {"exclude": frozenset()}))


def claims_ahead(patch: Patch) -> None:
    """Due times are not waited for."""
    day = timedelta(days=1)
    patch(dispatcher, "Claim", lambda **fields: Claim(**fields | {"now": fields["now"] + day}))


def claims_to_the_end(patch: Patch) -> None:
    """A node that stops goes on claiming."""
    work = Dispatcher._work

    async def eager(self: Dispatcher) -> float:
        self.accepting = True
        return await work(self)

    patch(Dispatcher, "_work", eager)


def gives_nothing_back(patch: Patch) -> None:
    """What is interrupted by a stop is left to its lease."""
    patch(Runner, "interrupted", lambda self, run: None)


def stops_dead(patch: Patch) -> None:
    """A stop neither waits for what runs nor stores what has ended."""

    async def drain(self: Dispatcher, seconds: float) -> None:
        self.accepting = False

    patch(Dispatcher, "drain", drain)


def no_heartbeat(patch: Patch) -> None:
    """Leases are never renewed."""
    patch(Heartbeat, "beat", lambda self: None)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "no-fence": no_fence,
    "no-lease": no_lease,
    "no-cascade": no_cascade,
    "no-waiting": no_waiting,
    "no-markers": no_markers,
    "errors-as-they-are": errors_as_they_are,
    "keeps-errors": keeps_errors,
    "exceptions-only": exceptions_only,
    "claims-anything": claims_anything,
    "claims-ahead": claims_ahead,
    "claims-to-the-end": claims_to_the_end,
    "gives-nothing-back": gives_nothing_back,
    "stops-dead": stops_dead,
    "no-heartbeat": no_heartbeat,
    **health_breaks.BREAKS,
    **lock_breaks.BREAKS,
    **node_breaks.BREAKS,
    **schedule_breaks.BREAKS,
}


def apply(name: str, patch: Patch | None = None) -> None:
    """Build the fault ``name`` into this process, for good unless ``patch`` undoes it.

    Raises KeyError for an unknown fault, AttributeError for one that the library has outgrown.
    """
    BREAKS[name](patch or _replace)


def _replace(owner: Any, name: str, value: Any) -> None:
    getattr(owner, name)
    setattr(owner, name, value)
