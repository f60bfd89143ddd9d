"""Makes spans by OpenTelemetry: the producer's where executions are scheduled, the consumer's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from typing import Any, Final, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from .faults import describe_error, describe_traceback, type_name
from .models import TaskExecution

NAME: Final = "advanced_scheduler"
_W3C: Final = TraceContextTextMapPropagator()
_PARENT: Final = "traceparent"

Failed = Callable[[BaseException, str | None], None]
"""Says what ended an attempt, and, of an interrupt, why."""


class Sending(NamedTuple):
    """Rows that carry the context of the span; nobody hears of a span that is never ended."""

    rows: Sequence[TaskExecution]
    span: Span


class Tracing:
    """Spans of one scheduler, with the attributes of OpenTelemetry's messaging conventions."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(NAME, version("advanced-scheduler"))

    def send(self, rows: Sequence[TaskExecution]) -> Sending:
        """Begin a span for what is scheduled at once; a ``traceparent`` that is there stays."""
        if not rows or any(_PARENT in _metadata(row) for row in rows):
            return Sending(rows, INVALID_SPAN)
        span = self._tracer.start_span(
            _called("schedule", rows), kind=SpanKind.PRODUCER, attributes=_of_rows(rows)
        )
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(span, Context()))
        return Sending([_carrying(row, carrier) for row in rows], span)

    @contextmanager
    def sending(self, rows: Sequence[TaskExecution]) -> Iterator[Sequence[TaskExecution]]:
        """The same, while the rows are stored."""
        rows, span = self.send(rows)
        if span is INVALID_SPAN:
            yield rows
        else:
            with use_span(span, end_on_exit=True):
                yield rows

    @contextmanager
    def attempt(self, row: TaskExecution) -> Iterator[Failed]:
        """A span of its own trace for a call of the function, linked to where it was scheduled."""
        told = {name: text for name, text in _metadata(row).items() if isinstance(text, str)}
        sent = get_current_span(_W3C.extract(told, Context())).get_span_context()
        span = self._tracer.start_span(
            f"run {row.task_id}",
            Context(),
            SpanKind.CONSUMER,
            {**_of_row(row, "run", "process"), f"{NAME}.attempt": row.attempt},
            [Link(sent)] if sent.is_valid else (),
        )
        with use_span(span, True, record_exception=False, set_status_on_exception=False):
            yield partial(_failed, span)


def _failed(span: Span, error: BaseException, why: str | None) -> None:
    """What ``record_exception`` does, but for an exception of any make."""
    text = describe_error(error)
    span.set_attribute("error.type", type_name(error))
    span.set_status(Status(StatusCode.ERROR, why or text))
    if why is None:
        told = {
            "exception.type": type_name(error),
            "exception.message": text.partition(": ")[2],
            "exception.stacktrace": describe_traceback(error),
        }
        span.add_event("exception", told)


def _called(verb: str, rows: Sequence[TaskExecution]) -> str:
    """Such as ``schedule report``; no name is made of several tasks."""
    tasks = {row.task_id for row in rows}
    return f"{verb} {tasks.pop()}" if len(tasks) == 1 else verb


def _of_rows(rows: Sequence[TaskExecution]) -> dict[str, Any]:
    first = rows[0]
    if len(rows) == 1:
        return _of_row(first, "schedule", "send")
    common = _common(first, "schedule", "send")
    return {**common, "messaging.batch.message_count": len(rows)}


def _of_row(row: TaskExecution, verb: str, kind: str) -> dict[str, Any]:
    return {
        **_common(row, verb, kind),
        "messaging.message.id": row.execution_id,
        f"{NAME}.execution_id": row.execution_id,
        f"{NAME}.task_id": row.task_id,
        f"{NAME}.priority": row.priority.name.lower(),
    }


def _common(row: TaskExecution, verb: str, kind: str) -> dict[str, Any]:
    told = {
        "messaging.system": NAME,
        "messaging.operation.name": verb,
        "messaging.operation.type": kind,
        "messaging.destination.name": row.queue,
        f"{NAME}.queue": row.queue,
        f"{NAME}.workflow_id": row.workflow_id,
        f"{NAME}.schedule_id": row.schedule_id,
    }
    return {name: value for name, value in told.items() if value is not None}


def _metadata(row: TaskExecution) -> dict[str, Any]:
    return row.extras.get("metadata") or {}


def _carrying(row: TaskExecution, carrier: dict[str, str]) -> TaskExecution:
    if not carrier:  # of a provider that was not set up
        return row
    metadata = {**_metadata(row), **carrier}
    return row.with_changes({"extras": {**row.extras, "metadata": metadata}})
