"""The context of a trace, on its way through each store to the node that runs."""

from __future__ import annotations

import asyncio

from opentelemetry.trace import SpanKind

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, RetryConfig
from advanced_scheduler.stores.base import Store
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.spans import Spans, attributes_of, links_of, parent_of


def fails() -> None:
    raise ValueError("no such file")


def test_each_attempt_is_linked_to_where_its_execution_came_from(
    store: Store, clock: ManualClock
) -> None:
    callers, workers = Spans(), Spans()
    caller = AdvancedTaskScheduler(store=store, clock=clock, tracer_provider=callers.provider)
    worker = AdvancedTaskScheduler(store=store, clock=clock, tracer_provider=workers.provider)
    for one in (caller, worker):
        one.task(task_id="fails", retry=RetryConfig(initial_delay=20, jitter=False))(fails)
    caller.schedule_task("fails")
    caller.create_schedule("fails", IntervalTrigger(60))
    for _ in range(2):  # what was scheduled, and what fires; the retries of both
        asyncio.run(worker.run_due())
        clock.advance(seconds=30)
    (sent,), (fired,) = callers.of(SpanKind.PRODUCER), workers.of(SpanKind.PRODUCER)
    ran = [
        (attributes_of(one)["advanced_scheduler.attempt"], links_of(one))
        for one in workers.of(SpanKind.CONSUMER)
    ]
    ways = [parent_of(sent.context)], [parent_of(fired.context)]
    assert sorted(ran) == sorted((attempt, way) for attempt in (1, 2) for way in ways)
    for part in (caller, worker, callers, workers):
        part.close()
