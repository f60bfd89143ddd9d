"""The log of an execution's attempts: what each came to, small enough to lie beside the row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from .executions import TaskExecution
from .tasks import TaskStatus

ATTEMPTS: Final = "attempts"
"""Where ``extras`` has the attempts that were followed by another."""

ATTEMPTS_KEPT: Final = 20
TRACEBACK_KEPT: Final = 8 * 1024
"""Characters of a traceback in the log: the last lines."""

_LOG_LIMIT: Final = 64 * 1024  # characters of all tracebacks in a log
_S: Final = TaskStatus


def with_attempt(
    row: TaskExecution,
    *,
    outcome: str,
    ended: datetime | None,
    error: str | None,
    traceback_str: str | None = None,
    due: datetime | None = None,
    backoff: str | None = None,
) -> Mapping[str, Any]:
    """The ``extras`` of a row whose attempt has ended, and is followed by another.

    ``backoff`` says how ``due``, the time of the next one, came about. Of many attempts the
    latest are kept, and of many tracebacks.
    """
    entry: dict[str, Any] = {
        "attempt": row.attempt,
        "outcome": outcome,
        "node": row.node,
        "started": _text(row.started_time),
        "ended": _text(ended),
        "error": error,
        "traceback": _last_lines(traceback_str),
        "due": _text(due),
        "backoff": backoff,
    }
    if due is not None and ended is not None:
        entry["delay"] = (due - ended).total_seconds()
    told = {name: value for name, value in entry.items() if value is not None}
    log = [*row.extras.get(ATTEMPTS, ()), told][-ATTEMPTS_KEPT:]
    return {**row.extras, ATTEMPTS: _bounded(log)}


def attempts_of(row: TaskExecution) -> list[Mapping[str, Any]]:
    """Every attempt that is known of, the first one first; times are ISO 8601.

    The last one of an execution that runs, or ran to its end, is told by the row itself. A name
    that has nothing to say is left out.
    """
    log: list[Mapping[str, Any]] = list(row.extras.get(ATTEMPTS, ()))
    if row.attempt == 0 or not (row.status in _RAN or (row.status is _S.CANCELLED and row.node)):
        return log
    last = {
        "attempt": row.attempt,
        "outcome": outcome_of(row),
        "node": row.node,
        "started": _text(row.started_time),
        "ended": _text(row.completed_time),
        "error": row.error if row.status is _S.FAILED else None,
        "traceback": row.traceback_str if row.status is _S.FAILED else None,
    }
    return [*log, {name: value for name, value in last.items() if value is not None}]


def outcome_of(row: TaskExecution) -> str:
    """The status of an execution in small letters, or ``timed_out``."""
    if row.status is _S.FAILED and row.metrics.get("timed_out"):
        return "timed_out" if (row.error or "").startswith("TimeoutError") else "failed"
    return row.status.value


_RAN: Final = frozenset({_S.RUNNING, _S.COMPLETED, _S.FAILED})


def _bounded(log: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    left = _LOG_LIMIT
    bounded: list[Mapping[str, Any]] = []
    for entry in reversed(log):
        left -= len(entry.get("traceback", ""))
        bounded.append(entry if left >= 0 else _without_traceback(entry))
    return bounded[::-1]


def _without_traceback(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in entry.items() if name != "traceback"}


def _last_lines(text: str | None) -> str | None:
    if text is None or len(text) <= TRACEBACK_KEPT:
        return text
    kept = text[len(text) - TRACEBACK_KEPT :]
    return kept[kept.find("\n") + 1 :]


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
