"""Spans of what is scheduled and run, as OpenTelemetry's own SDK sees them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode, TraceState

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ConfigurationError,
    ManualClock,
    RetryConfig,
    ScheduleOptions,
    StoreUnavailable,
    TaskContext,
    TaskPriority,
    TaskStatus,
    current_execution,
)
from advanced_scheduler.stores.base import Firing
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.spans import Spans, attributes_of, links_of, parent_of
from tests.support.waiting import eventually
from tests.unit.engine.kit import faulty, quick, row_of, status_of

OF_A_CALLER: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans() -> Iterator[Spans]:
    made = Spans()
    yield made
    made.close()


@pytest.fixture
def traced(spans: Spans, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    made = AdvancedTaskScheduler(
        store=MemoryStore(), settings=quick(), clock=clock, tracer_provider=spans.provider
    )
    yield made
    made.close()


def here() -> str:
    return parent_of(trace.get_current_span().get_span_context())


async def here_on_the_loop() -> str:
    await asyncio.sleep(0)
    return here()


def fails() -> None:
    raise ValueError("no such file")


def metadata_of(target: AdvancedTaskScheduler, execution_id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = row_of(target, execution_id).extras["metadata"]
    return found


def test_an_execution_has_a_span_where_it_is_scheduled_and_one_where_it_runs(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    traced.task(task_id="here", priority=TaskPriority.HIGH)(here)
    with spans.provider.get_tracer("host").start_as_current_span("request") as request:
        one = traced.schedule_task("here", options=ScheduleOptions(queue="mail"))
        asyncio.run(traced.run_due())

    sent, ran = spans.named("schedule here"), spans.named("run here")
    assert (sent.kind, ran.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert parent_of(sent.parent) == parent_of(request.get_span_context())
    assert ran.parent is None
    assert links_of(ran) == [parent_of(sent.context)]
    assert metadata_of(traced, one) == {"traceparent": parent_of(sent.context)}
    common = {
        "messaging.system": "advanced_scheduler",
        "messaging.destination.name": "mail",
        "messaging.message.id": one,
        "advanced_scheduler.execution_id": one,
        "advanced_scheduler.task_id": "here",
        "advanced_scheduler.queue": "mail",
        "advanced_scheduler.priority": "high",
    }
    of_sent = {"messaging.operation.name": "schedule", "messaging.operation.type": "send"}
    of_ran = {"messaging.operation.name": "run", "messaging.operation.type": "process"}
    assert attributes_of(sent) == common | of_sent
    assert attributes_of(ran) == common | of_ran | {"advanced_scheduler.attempt": 1}
    assert ran.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("function", [here, here_on_the_loop])
def test_the_span_is_current_in_the_function(
    traced: AdvancedTaskScheduler, spans: Spans, function: Any
) -> None:
    traced.task(task_id="here")(function)
    one = traced.schedule_task("here")
    asyncio.run(traced.run_due())
    assert traced.result(one, timeout=0) == parent_of(spans.named("run here").context)


def test_what_a_task_schedules_is_of_its_trace(traced: AdvancedTaskScheduler, spans: Spans) -> None:
    traced.task(task_id="child")(here)

    @traced.task(task_id="parent")
    def parent() -> None:
        current_execution().spawn("child")
        traced.schedule_task("child")

    traced.schedule_task("parent")
    asyncio.run(traced.run_due())
    sent = [one for one in spans.of(SpanKind.PRODUCER) if one.name == "schedule child"]
    ran = parent_of(spans.named("run parent").context)
    assert [parent_of(one.parent) for one in sent] == [ran, ran]


def test_a_process_has_a_span_around_it_and_the_context_in_its_metadata(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    pool = ScheduleOptions(executor=traced.add_process_pool(1))
    traced.task(task_id="told")(told)
    one = traced.schedule_task("told", options=pool)
    asyncio.run(traced.run_due())
    assert links_of(spans.named("run told")) == [traced.result(one, timeout=0)]


def told() -> str:
    found: str = current_execution().execution.extras["metadata"]["traceparent"]
    return found


def test_each_attempt_has_a_span_and_what_failed_is_an_error(
    traced: AdvancedTaskScheduler, spans: Spans, clock: ManualClock
) -> None:
    retry = RetryConfig(max_attempts=2, jitter=False)
    traced.task(task_id="fails", retry=retry)(fails)
    traced.schedule_task("fails")
    asyncio.run(traced.run_due())
    clock.advance(seconds=60)
    asyncio.run(traced.run_due())

    (sent,) = spans.of(SpanKind.PRODUCER)
    ran = spans.of(SpanKind.CONSUMER)
    assert [attributes_of(one)["advanced_scheduler.attempt"] for one in ran] == [1, 2]
    assert {*map(tuple, map(links_of, ran))} == {(parent_of(sent.context),)}
    for one in ran:
        assert one.status.status_code is StatusCode.ERROR
        assert one.status.description == "ValueError: no such file"
        assert attributes_of(one)["error.type"] == "ValueError"
        (event,) = one.events
        found = dict(event.attributes or {})
        assert "in fails" in str(found.pop("exception.stacktrace"))
        assert event.name == "exception"
        assert found == {"exception.type": "ValueError", "exception.message": "no such file"}


def test_an_exception_that_cannot_be_read_changes_nothing(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @traced.task(task_id="odd")
    def odd() -> None:
        raise OddError

    one = traced.schedule_task("odd")
    asyncio.run(traced.run_due())
    assert status_of(traced, one) is TaskStatus.FAILED
    assert spans.named("run odd").status.description == "OddError: <its __str__ failed>"


@pytest.mark.parametrize("threaded", [False, True])
def test_a_cancellation_ends_the_span(
    traced: AdvancedTaskScheduler, spans: Spans, *, threaded: bool
) -> None:
    begun = threading.Event()

    @traced.task(task_id="waits")
    async def waits() -> None:
        begun.set()
        await asyncio.Event().wait()

    @traced.task(task_id="blocks")
    def blocks(context: TaskContext) -> None:
        begun.set()
        context.cancelled.wait(60)

    name = "blocks" if threaded else "waits"
    one = traced.schedule_task(name)
    with traced.running():
        assert begun.wait(60)
        traced.cancel_task(one)
        eventually(lambda: spans.of(SpanKind.CONSUMER))
    ran = spans.named(f"run {name}")
    assert (ran.status.status_code, ran.status.description) == (StatusCode.ERROR, "cancelled")
    assert not ran.events


def test_a_timeout_ends_the_span(traced: AdvancedTaskScheduler, spans: Spans) -> None:
    @traced.task(task_id="hangs", timeout=0.01)
    async def hangs() -> None:
        await asyncio.Event().wait()

    traced.schedule_task("hangs")
    asyncio.run(traced.run_due())
    description = spans.named("run hangs").status.description
    assert description == "TimeoutError: did not end within its timeout of 0.01 s"


def test_one_call_has_one_span_however_many_it_schedules(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    traced.task(task_id="here")(here)
    traced.schedule_task_many("here", [[], []])
    assert traced.schedule_task_many("here", []) == []
    sent = spans.named("schedule here")
    assert attributes_of(sent)["messaging.batch.message_count"] == 2
    assert "messaging.message.id" not in attributes_of(sent)
    asyncio.run(traced.run_due())
    ran = [links_of(one) for one in spans.of(SpanKind.CONSUMER)]
    assert ran == [[parent_of(sent.context)]] * 2


def test_a_workflow_is_scheduled_in_one_span(traced: AdvancedTaskScheduler, spans: Spans) -> None:
    first = traced.task(task_id="first")(here)
    traced.task(task_id="last", after=[first])(here_on_the_loop)
    traced.schedule_workflow(["first", "last"], workflow_id="nightly")
    asyncio.run(traced.run_due())
    asyncio.run(traced.run_due())
    sent = spans.named("schedule")
    for name in ("run first", "run last"):
        ran = spans.named(name)
        assert links_of(ran) == [parent_of(sent.context)]
        assert attributes_of(ran)["advanced_scheduler.workflow_id"] == "nightly"


def test_a_context_that_the_caller_gives_is_kept_and_linked_to(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    given = {"traceparent": OF_A_CALLER, "tracestate": "vendor=value"}
    traced.task(task_id="here")(here)
    one = traced.schedule_task("here", options=ScheduleOptions(metadata=given))
    asyncio.run(traced.run_due())
    assert metadata_of(traced, one) == given
    assert not spans.of(SpanKind.PRODUCER)
    ran = spans.named("run here")
    assert links_of(ran) == [OF_A_CALLER]
    assert ran.links[0].context.trace_state == {"vendor": "value"}


@pytest.mark.parametrize("odd", [7, ["00"], "no trace", None, "00-" + "0" * 32 + "-1-01"])
def test_a_context_that_is_none_is_no_link(
    traced: AdvancedTaskScheduler, spans: Spans, odd: object
) -> None:
    traced.task(task_id="here")(here)
    traced.schedule_task("here", options=ScheduleOptions(metadata={"traceparent": odd}))
    assert asyncio.run(traced.run_due()) == 1
    assert spans.named("run here").links == ()


def test_the_state_of_a_trace_is_stored_as_well(
    traced: AdvancedTaskScheduler, spans: Spans
) -> None:
    traced.task(task_id="here")(here)
    remote = trace.SpanContext(
        1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=TraceState([("a", "b")])
    )
    with trace.use_span(trace.NonRecordingSpan(remote)):
        one = traced.schedule_task("here", options=ScheduleOptions(metadata={"mine": 1}))
    sent = parent_of(spans.named("schedule here").context)
    assert metadata_of(traced, one) == {"mine": 1, "traceparent": sent, "tracestate": "a=b"}


def test_a_fire_of_a_schedule_begins_a_trace_and_a_run_by_hand_is_of_the_callers(
    traced: AdvancedTaskScheduler, spans: Spans, clock: ManualClock
) -> None:
    traced.task(task_id="here")(here)
    schedule = traced.create_schedule("here", IntervalTrigger(60), name="often")
    with spans.provider.get_tracer("host").start_as_current_span("request") as request:
        clock.advance(seconds=61)
        asyncio.run(traced.run_due())
        traced.run_schedule_now(schedule)
    fired, by_hand = spans.of(SpanKind.PRODUCER)
    assert fired.parent is None
    assert parent_of(by_hand.parent) == parent_of(request.get_span_context())
    assert attributes_of(fired)["advanced_scheduler.schedule_id"] == schedule
    assert links_of(spans.named("run here")) == [parent_of(fired.context)]


def test_a_node_makes_no_span_for_what_another_has_fired(spans: Spans, clock: ManualClock) -> None:
    class Store(MemoryStore):
        others_are_faster = True

        def fire(self, firings: Sequence[Firing]) -> list[bool]:
            return [False for _ in firings] if self.others_are_faster else super().fire(firings)

    store = Store()
    target = AdvancedTaskScheduler(store=store, clock=clock, tracer_provider=spans.provider)
    target.task(task_id="here")(here)
    target.create_schedule("here", IntervalTrigger(60))
    clock.advance(seconds=61)
    asyncio.run(target.run_due())
    assert not spans.of(SpanKind.PRODUCER)
    store.others_are_faster = False
    asyncio.run(target.run_due())
    assert len(spans.of(SpanKind.PRODUCER)) == 1
    target.close()


def test_the_context_goes_through_the_store_to_another_node(
    clock: ManualClock, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'jobs.db'}"
    callers, workers = Spans(), Spans()
    caller = AdvancedTaskScheduler(store=url, clock=clock, tracer_provider=callers.provider)
    worker = AdvancedTaskScheduler(store=url, clock=clock, tracer_provider=workers.provider)
    for one in (caller, worker):
        one.task(task_id="here")(here)
    caller.schedule_task("here")
    database = sa.create_engine(url)
    with database.begin() as connection:  # the caller's own transaction
        caller.schedule_task("here", options=ScheduleOptions(connection=connection))
    database.dispose()
    assert asyncio.run(worker.run_due()) == 2
    sent = [parent_of(one.context) for one in callers.of(SpanKind.PRODUCER)]
    ran = [links_of(one) for one in workers.of(SpanKind.CONSUMER)]
    assert sorted(ran) == sorted([one] for one in sent)
    assert len({*sent}) == 2
    caller.close()
    worker.close()
    callers.close()
    workers.close()


def test_a_store_that_fails_is_an_error_of_the_span(spans: Spans) -> None:
    store = faulty()
    target = AdvancedTaskScheduler(store=store, tracer_provider=spans.provider)
    target.task(task_id="here")(here)
    store.fail("add")
    with pytest.raises(StoreUnavailable):
        target.schedule_task("here")
    assert spans.named("schedule here").status.status_code is StatusCode.ERROR
    target.close()


@pytest.mark.parametrize("provider", [None, trace.NoOpTracerProvider()])
def test_without_a_provider_that_was_set_up_nothing_is_stored_with_an_execution(
    clock: ManualClock, provider: trace.TracerProvider | None
) -> None:
    target = AdvancedTaskScheduler(store="memory://", clock=clock, tracer_provider=provider)
    target.task(task_id="works")(lambda: 7)
    one = target.schedule_task("works")
    asyncio.run(target.run_due())
    assert target.result(one, timeout=0) == 7
    assert not row_of(target, one).extras
    target.close()


def test_what_is_no_provider_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be one of OpenTelemetry"):
        AdvancedTaskScheduler(store="memory://", tracer_provider=True)
