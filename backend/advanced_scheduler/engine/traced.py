"""The parts of the engine that make spans; a scheduler without a provider has none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..executors import Call, Outcome
from ..models import TaskExecution
from ..tracing import Tracing
from .ground import Ground
from .intake import Intake
from .runner import Run, Runner
from .steps import Step
from .ticker import Ticker


class TracedIntake(Intake):
    """A span of the producer for each call that schedules, however many executions."""

    def __init__(self, ground: Ground, *, tracing: Tracing, **others: Any) -> None:
        super().__init__(ground, **others)
        self._tracing = tracing

    def accept(self, rows: Sequence[TaskExecution], now: datetime) -> list[str]:
        """Store rows that carry the context of the span."""
        with self._tracing.sending(rows) as traced:
            return super().accept(traced, now)

    def _within(self, connection: object, rows: Sequence[TaskExecution]) -> list[str]:
        with self._tracing.sending(rows) as traced:
            return super()._within(connection, traced)


class TracedTicker(Ticker):
    """A span of the producer for each schedule that fires, from the node that fires it."""

    def __init__(self, ground: Ground, *, tracing: Tracing, **others: Any) -> None:
        super().__init__(ground, **others)
        self._tracing = tracing

    def tick(self) -> datetime | None:
        """Fire what is due; that is of no trace of whoever started the timer."""
        return Context().run(super().tick)

    def _take(self, steps: Sequence[Step], now: datetime) -> list[bool]:
        sent = [self._tracing.send(step.firing.executions) for step in steps]
        traced = [
            replace(step, firing=replace(step.firing, executions=one.rows))
            for step, one in zip(steps, sent, strict=True)
        ]
        fired = super()._take(traced, now)
        for one, won in zip(sent, fired, strict=True):
            if won:
                one.span.end()
        return fired


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRunner(Runner):
    """A span of the consumer for each call of a task's function, current in the function."""

    tracing: Tracing

    def _call(self, run: Run, call: Call) -> Coroutine[Any, Any, Outcome]:
        return self._traced(run, Runner._call(self, run, call))  # no super(): see slots

    async def _traced(self, run: Run, called: Coroutine[Any, Any, Outcome]) -> Outcome:
        with self.tracing.attempt(run.row) as failed:
            try:
                outcome = await called
            except asyncio.CancelledError as error:
                failed(error, run.stop)
                raise
            if outcome.error is not None:
                failed(outcome.error, None)
            return outcome
