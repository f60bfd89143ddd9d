"""What Prometheus gets to see: names, labels, and numbers that equal what happened."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ManualClock,
    ScheduleOptions,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.metrics import SchedulerMetrics
from tests.contract.rows import NOW, execution
from tests.unit.metrics.samples import run_due, value, values

HISTOGRAM_LABELS: Final = {"le"}
FAMILIES: Final = {
    "build_info": ("gauge", {"version", "python", "store"}),
    "concurrency_limit": ("gauge", set()),
    "dag_run_duration_seconds": ("histogram", {"dag", "outcome"} | HISTOGRAM_LABELS),
    "dag_runs": ("counter", {"dag", "outcome"}),
    "dead_letters": ("gauge", set()),
    "event_loop_lag_seconds": ("gauge", set()),
    "execution_attempts_failed": ("counter", {"task"}),
    "execution_duration_seconds": ("histogram", {"task"} | HISTOGRAM_LABELS),
    "execution_retries": ("counter", {"task"}),
    "executions_finished": ("counter", {"task", "priority", "outcome"}),
    "executions_recovered": ("counter", set()),
    "executions_running": ("gauge", set()),
    "executions_started": ("counter", {"task", "priority"}),
    "live_connections": ("gauge", {"transport"}),
    "live_events_dropped": ("counter", {"transport"}),
    "lock_acquisitions": ("counter", {"result"}),
    "lock_hold_seconds": ("histogram", HISTOGRAM_LABELS),
    "lock_wait_seconds": ("histogram", HISTOGRAM_LABELS),
    "locks_held": ("gauge", set()),
    "locks_lost": ("counter", set()),
    "nodes": ("gauge", {"state"}),
    "parked": ("gauge", {"kind"}),
    "queue_depth": ("gauge", {"priority", "state"}),
    "queue_oldest_ready_age_seconds": ("gauge", {"priority"}),
    "queue_wait_seconds": ("histogram", {"priority"} | HISTOGRAM_LABELS),
    "schedule_fires": ("counter", {"outcome"}),
    "schedule_lag_seconds": ("histogram", HISTOGRAM_LABELS),
    "schedules": ("gauge", {"state"}),
    "store_errors": ("counter", {"operation"}),
    "store_operation_duration_seconds": ("histogram", {"operation"} | HISTOGRAM_LABELS),
    "task_last_success_timestamp_seconds": ("gauge", {"task"}),
    "tick_ledger_gaps": ("gauge", set()),
}
"""The table of metrics, less ``last_tick_timestamp_seconds``, which a started engine has."""


def test_every_family_has_the_name_type_and_labels_of_the_table(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    scheduler.schedule_workflow(["works"])
    run_due(scheduler)
    text, _ = metrics.render()
    seen = {
        family.name.removeprefix("advanced_scheduler_"): (
            family.type,
            {label for sample in family.samples for label in sample.labels},
        )
        for family in parse(text.decode())
    }
    assert seen == FAMILIES


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("executions_started_total", "task", "works fails"),
        ("executions_started_total", "priority", "normal"),
        ("executions_finished_total", "outcome", "completed failed timed_out cancelled skipped"),
        ("execution_retries_total", "task", "works fails"),
        ("queue_wait_seconds_count", "priority", "critical high normal low background"),
        ("schedule_fires_total", "outcome", "fired misfired coalesced skipped_overlap"),
        ("lock_acquisitions_total", "result", "acquired contended timeout error"),
        ("store_errors_total", "operation", "add exchange extend fire scrape sweep"),
        (
            "store_operation_duration_seconds_count",
            "operation",
            "add exchange extend fire scrape sweep",
        ),
        ("live_connections", "transport", "sse websocket"),
        ("live_events_dropped_total", "transport", "sse websocket"),
        ("nodes", "state", "alive draining stale"),
    ],
)
def test_what_can_be_counted_starts_at_zero(
    metrics: SchedulerMetrics, name: str, label: str, expected: str
) -> None:
    samples = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == f"advanced_scheduler_{name}"
    ]
    assert {sample.labels[label] for sample in samples} == set(expected.split())
    assert {sample.value for sample in samples} == {0}


def test_a_task_that_is_registered_later_starts_at_zero_when_it_is_scheduled(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    late = scheduler.schedule_task(len, [], options=ScheduleOptions(priority=TaskPriority.HIGH))
    status = scheduler.get_task_status(late)
    assert status is not None
    task = status["task_id"]
    assert value(metrics, "executions_started_total", task=task, priority="high") == 0


def test_counters_equal_what_happened(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    scheduler.schedule_task("works")
    scheduler.schedule_task("fails")
    cancelled = scheduler.schedule_task("works", options=ScheduleOptions(delay=9))
    scheduler.cancel_task(cancelled)
    run_due(scheduler)
    clock.advance(seconds=60)
    run_due(scheduler)
    assert values(metrics, "executions_started_total", "task") == {"works": 1, "fails": 2}
    assert values(metrics, "executions_finished_total", "outcome", task="works") == {
        "completed": 1,
        "cancelled": 1,
    }
    assert values(metrics, "executions_finished_total", "outcome", task="fails") == {"failed": 1}
    assert values(metrics, "execution_attempts_failed_total", "task") == {"fails": 2}
    assert values(metrics, "execution_retries_total", "task") == {"fails": 1}
    assert values(metrics, "execution_duration_seconds_count", "task") == {"works": 1, "fails": 2}
    assert values(metrics, "queue_wait_seconds_count", "priority") == {"normal": 3}
    known = scheduler.health_monitor.metrics
    assert (known["tasks_executed"], known["tasks_retried"], known["tasks_cancelled"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("status", "timed_out", "outcome"),
    [
        (TaskStatus.FAILED, True, "timed_out"),
        (TaskStatus.FAILED, False, "failed"),
        (TaskStatus.COMPLETED, True, "completed"),  # an earlier attempt had timed out
        (TaskStatus.CANCELLED, False, "cancelled"),
        (TaskStatus.SKIPPED, False, "skipped"),
    ],
)
def test_each_end_has_one_outcome(status: TaskStatus, timed_out: bool, outcome: str) -> None:
    scheduler = AdvancedTaskScheduler()
    metrics = SchedulerMetrics(scheduler)
    row = execution("e", status=status, metrics={"timed_out": True} if timed_out else {})
    scheduler.events.publish(Event(EventType.FINISHED, NOW, row, {"duration": 1.0}))
    assert values(metrics, "executions_finished_total", "outcome") == {outcome: 1}
    scheduler.close()


def test_a_task_past_its_timeout_counts_as_timed_out() -> None:
    scheduler = AdvancedTaskScheduler()
    metrics = SchedulerMetrics(scheduler)

    @scheduler.task(task_id="hangs", timeout=0.05)
    async def hangs() -> None:
        await asyncio.Event().wait()

    with scheduler.running():
        scheduler.wait_for_task(hangs.schedule(), timeout=10)
    assert values(metrics, "executions_finished_total", "outcome", task="hangs") == {"timed_out": 1}
    scheduler.close()


def test_a_task_has_no_last_success_before_its_first(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    assert value(metrics, "task_last_success_timestamp_seconds", task="works") is None
    scheduler.schedule_task("works")
    run_due(scheduler)
    succeeded = clock.now().timestamp()
    clock.advance(hours=1)
    assert value(metrics, "task_last_success_timestamp_seconds", task="works") == succeeded


def test_the_first_200_tasks_have_names_and_the_others_share_one(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    for number in range(300):
        row = execution(str(number), task_id=f"made-{number}", status=TaskStatus.RUNNING)
        scheduler.events.publish(Event(EventType.STARTED, NOW, row, {"queue_wait": 0.0}))
    started = values(metrics, "executions_started_total", "task")
    assert len(started) == 199, "two names are taken by works and fails"
    assert started["made-197"] == 1
    assert started["other"] == 102


def test_ticks_are_counted_by_outcome_with_their_lag(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    scheduler.schedule_cron_task("works", "* * * * *")
    clock.advance(minutes=3, seconds=20)
    run_due(scheduler)
    assert values(metrics, "schedule_fires_total", "outcome") == {"fired": 1, "coalesced": 3}
    assert value(metrics, "schedule_lag_seconds_count") == 1
    assert value(metrics, "schedule_lag_seconds_sum") == 20


def test_locks_are_counted_by_result_and_timed_when_taken(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    heard: list[tuple[EventType, dict[str, Any]]] = [
        (EventType.LOCK, {"result": "contended", "wait": 3.0}),
        (EventType.LOCK, {"result": "acquired", "wait": 0.5}),
        (EventType.LOCK_RELEASED, {"held": 7.0}),
        (EventType.LOCK_LOST, {"task_id": "works"}),
    ]
    for type_, data in heard:
        scheduler.events.publish(Event(type_, NOW, None, data))
    assert values(metrics, "lock_acquisitions_total", "result") == {"contended": 1, "acquired": 1}
    assert value(metrics, "lock_wait_seconds_sum") == 0.5
    assert value(metrics, "lock_hold_seconds_sum") == 7.0
    assert value(metrics, "locks_lost_total") == 1


def test_recoveries_and_errors_of_the_store_are_counted(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    bus = scheduler.events
    bus.publish(Event(EventType.RECOVERED, NOW, execution("e"), {"node": "lost"}))
    bus.publish(Event(EventType.STORE_ERROR, NOW, None, {"operation": "fire", "error": "gone"}))
    assert value(metrics, "executions_recovered_total") == 1
    assert values(metrics, "store_errors_total", "operation") == {"fire": 1}


def test_live_connections_are_told_by_whoever_has_them(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    for connections, dropped in ((2, 0), (1, 7)):
        data = {"transport": "sse", "connections": connections, "dropped": dropped}
        scheduler.events.publish(Event(EventType.LIVE, NOW, None, data))
    assert values(metrics, "live_connections", "transport") == {"sse": 1}
    assert values(metrics, "live_events_dropped_total", "transport") == {"sse": 7}


def test_a_duration_names_the_trace_that_the_execution_belongs_to(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    known = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    scheduler.schedule_task("works", options=ScheduleOptions(metadata=known))
    run_due(scheduler)
    text, _ = metrics.render("application/openmetrics-text; version=1.0.0")
    named = [line for line in text.decode().splitlines() if f'# {{trace_id="{trace}"}}' in line]
    assert len(named) == 1
    assert named[0].startswith("advanced_scheduler_execution_duration_seconds_bucket")
    assert trace.encode() not in metrics.render()[0]


@pytest.mark.parametrize("told", ["", "no trace", "00-4bf92f-00f067aa0ba902b7-01"])
def test_what_is_no_trace_is_not_named(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, told: str
) -> None:
    options = ScheduleOptions(metadata={"traceparent": told})
    scheduler.schedule_task("works", options=options)
    run_due(scheduler)
    text, _ = metrics.render("application/openmetrics-text; version=1.0.0")
    assert b"trace_id" not in text
    assert values(metrics, "execution_duration_seconds_count", "task") == {"works": 1}


def test_openmetrics_is_spoken_to_those_who_ask(metrics: SchedulerMetrics) -> None:
    _, plain_type = metrics.render()
    text, content_type = metrics.render("application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert b"\nadvanced_scheduler_executions_running 0.0\n" in text


def test_after_close_nothing_more_is_counted(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    metrics.close()
    scheduler.schedule_task("works")
    run_due(scheduler)
    assert values(metrics, "executions_started_total", "task") == {}


def test_two_schedulers_of_one_process_count_apart(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    other = AdvancedTaskScheduler(clock=clock)
    others = SchedulerMetrics(other)
    scheduler.schedule_task("works")
    run_due(scheduler)
    assert values(metrics, "executions_started_total", "task") == {"works": 1}
    assert values(others, "executions_started_total", "task") == {}
    other.close()


@pytest.mark.prometheus
def test_promtool_finds_no_fault(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, promtool: Path
) -> None:
    scheduler.schedule_task("works")
    run_due(scheduler)
    text, _ = metrics.render()
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
