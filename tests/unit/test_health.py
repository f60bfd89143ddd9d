"""What is counted, and which fact makes which probe fail."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.events import Event, EventBus, EventType
from advanced_scheduler.health import (
    HealthFacts,
    HealthStatus,
    SchedulerHealthMonitor,
    assess,
    has_started,
    is_live,
    is_ready,
)
from advanced_scheduler.models import TaskExecution, TaskStatus
from tests.contract.rows import NOW, execution

COUNTERS: Final = {
    "tasks_executed",
    "tasks_succeeded",
    "tasks_failed",
    "tasks_retried",
    "tasks_cancelled",
    "total_execution_time",
    "lock_acquisitions",
    "lock_failures",
}


def ended(status: TaskStatus, name: str = "e", **fields: Any) -> TaskExecution:
    """An execution in this status."""
    return execution(name, status=status, **fields)


def failed(name: str = "e", error: str = "ValueError: no") -> TaskExecution:
    """An execution that failed for good."""
    return ended(TaskStatus.FAILED, name, error=error)


@pytest.fixture
def monitor(clock: ManualClock) -> SchedulerHealthMonitor:
    return SchedulerHealthMonitor(clock)


def counted(monitor: SchedulerHealthMonitor) -> dict[str, float]:
    """The counters that are not 0."""
    return {name: value for name, value in monitor.metrics.items() if value}


def test_nothing_has_run_yet_and_all_is_well(
    monitor: SchedulerHealthMonitor, clock: ManualClock
) -> None:
    clock.advance(seconds=90)
    assert monitor.get_health_status() == {
        "status": "healthy",
        "reasons": [],
        "uptime_seconds": 90,
        "metrics": dict.fromkeys(COUNTERS, 0),
        "success_rate": 100.0,
        "average_execution_time": 0.0,
        "lock_success_rate": 100.0,
        "recent_errors": [],
    }


@pytest.mark.parametrize(
    ("status", "counters"),
    [
        (TaskStatus.COMPLETED, {"tasks_executed": 1, "tasks_succeeded": 1}),
        (TaskStatus.FAILED, {"tasks_executed": 1, "tasks_failed": 1}),
        (TaskStatus.RETRYING, {"tasks_retried": 1}),
        (TaskStatus.CANCELLED, {"tasks_cancelled": 1}),
        (TaskStatus.SKIPPED, {}),
        (TaskStatus.PENDING, {}),
        (TaskStatus.RUNNING, {}),
    ],
)
def test_each_status_counts_for_what_it_is(
    monitor: SchedulerHealthMonitor, status: TaskStatus, counters: dict[str, float]
) -> None:
    monitor.record_execution(ended(status), None)
    assert counted(monitor) == counters


def test_rates_are_percentages_of_what_ended(monitor: SchedulerHealthMonitor) -> None:
    for status in (TaskStatus.COMPLETED,) * 3 + (TaskStatus.FAILED,):
        monitor.record_execution(ended(status), 1.0)
    monitor.record_execution(ended(TaskStatus.CANCELLED), None)
    for success in (True, False, False, False):
        monitor.record_lock_acquisition(success)
    report = monitor.get_health_status()
    assert report["success_rate"] == 75.0
    assert report["lock_success_rate"] == 25.0
    assert report["metrics"]["lock_acquisitions"] == 1
    assert report["metrics"]["lock_failures"] == 3


def test_the_average_is_over_the_attempts_that_were_measured(
    monitor: SchedulerHealthMonitor,
) -> None:
    monitor.record_execution(ended(TaskStatus.RETRYING), 1.0)
    monitor.record_execution(ended(TaskStatus.COMPLETED), 3.0)
    monitor.record_execution(failed(), None)
    monitor.record_execution(ended(TaskStatus.CANCELLED), 50.0)
    report = monitor.get_health_status()
    assert report["metrics"]["total_execution_time"] == 4.0
    assert report["average_execution_time"] == 2.0


@pytest.mark.parametrize("seconds", [-0.1, float("inf"), float("nan")])
def test_a_time_that_cannot_be_is_refused(monitor: SchedulerHealthMonitor, seconds: float) -> None:
    with pytest.raises(ValueError, match="execution_time="):
        monitor.record_execution(ended(TaskStatus.COMPLETED), seconds)
    assert counted(monitor) == {}


def test_errors_are_of_failed_attempts_the_newest_last(
    monitor: SchedulerHealthMonitor, clock: ManualClock
) -> None:
    monitor.record_execution(ended(TaskStatus.RETRYING, "a", error="first"), None)
    clock.advance(seconds=1)
    monitor.record_execution(failed("b", "second"), None)
    assert monitor.error_log == monitor.get_health_status()["recent_errors"]
    assert [error["error"] for error in monitor.error_log] == ["first", "second"]
    assert monitor.error_log[-1] == {
        "task_name": "T",
        "error": "second",
        "task_id": "t",
        "execution_id": "b",
        "time": "2030-01-01T00:00:01+00:00",
    }


def test_the_log_of_errors_is_bounded_and_the_report_shows_ten(clock: ManualClock) -> None:
    monitor = SchedulerHealthMonitor(clock, errors_kept=12)
    for number in range(20):
        monitor.record_execution(failed(str(number)), None)
    assert [one["execution_id"] for one in monitor.error_log] == [str(one) for one in range(8, 20)]
    assert len(monitor.get_health_status()["recent_errors"]) == 10


def test_what_the_monitor_hands_out_is_a_copy(monitor: SchedulerHealthMonitor) -> None:
    monitor.metrics["tasks_executed"] = 7
    monitor.error_log.append({})
    assert counted(monitor) == {}
    assert monitor.error_log == []


def test_more_failures_than_successes_of_late_degrade(monitor: SchedulerHealthMonitor) -> None:
    for _ in range(9):
        monitor.record_execution(failed(), None)
    assert monitor.get_health_status()["status"] == "healthy", "nine say nothing yet"
    monitor.record_execution(ended(TaskStatus.COMPLETED), None)
    report = monitor.get_health_status()
    assert report["status"] == "degraded"
    assert report["reasons"] == ["9 of the last 10 executions failed"]


def test_failures_of_long_ago_no_longer_degrade(monitor: SchedulerHealthMonitor) -> None:
    for status in (TaskStatus.FAILED,) * 100 + (TaskStatus.COMPLETED,) * 50:
        monitor.record_execution(ended(status), None)
    assert monitor.get_health_status()["status"] == "healthy"


def test_after_a_reset_counting_starts_anew_and_the_uptime_goes_on(
    monitor: SchedulerHealthMonitor, clock: ManualClock
) -> None:
    for _ in range(10):
        monitor.record_execution(failed(), 2.0)
    monitor.record_lock_acquisition(False)
    clock.advance(seconds=5)
    monitor.reset_metrics()
    report = monitor.get_health_status()
    assert report["metrics"] == dict.fromkeys(COUNTERS, 0)
    assert (report["status"], report["recent_errors"]) == ("healthy", [])
    assert (report["average_execution_time"], report["uptime_seconds"]) == (0.0, 5)


def test_a_bus_feeds_the_monitor(monitor: SchedulerHealthMonitor) -> None:
    bus = EventBus()
    bus.subscribe(monitor.listen)
    heard: list[tuple[EventType, TaskExecution | None, dict[str, Any]]] = [
        (EventType.SCHEDULED, execution("e"), {}),
        (EventType.LOCK, None, {"result": "contended", "wait": 0.1}),
        (EventType.LOCK, None, {"result": "acquired", "wait": 0.1}),
        (EventType.STARTED, ended(TaskStatus.RUNNING), {"queue_wait": 0.0}),
        (EventType.RETRYING, ended(TaskStatus.RETRYING, error="no"), {"duration": 1, "delay": 9}),
        (EventType.GIVEN_BACK, execution("e"), {"reason": "busy"}),
        (EventType.FINISHED, ended(TaskStatus.COMPLETED), {"duration": 2}),
        (EventType.FINISHED, ended(TaskStatus.SKIPPED), {"duration": None}),
        (EventType.FINISHED, ended(TaskStatus.CANCELLED), {"duration": None}),
    ]
    for type_, row, data in heard:
        bus.publish(Event(type_, NOW, row, data))
    assert counted(monitor) == {
        "tasks_executed": 1,
        "tasks_succeeded": 1,
        "tasks_retried": 1,
        "tasks_cancelled": 1,
        "total_execution_time": 3,
        "lock_acquisitions": 1,
        "lock_failures": 1,
    }
    assert [error["error"] for error in monitor.error_log] == ["no"]


def test_a_report_never_shows_half_a_count(monitor: SchedulerHealthMonitor) -> None:
    done, stop = ended(TaskStatus.COMPLETED), threading.Event()

    def work() -> None:
        while not stop.is_set():
            monitor.record_execution(done, 1.0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=work)
    seen = [monitor.metrics]
    thread.start()
    try:
        while seen[-1]["tasks_executed"] < 2_000:
            seen.append(monitor.metrics)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert [one for one in seen if one["tasks_executed"] != one["total_execution_time"]] == []


WELL: Final = HealthFacts(
    started=True,
    draining=False,
    store_error=None,
    lock_error=None,
    lock_required=True,
    seconds_since_pass=0.5,
    seconds_since_heartbeat=10.0,
    renewal_seconds=10.0,
    loop_lag=0.0,
    abandoned_threads=0,
    undrained=0,
    locks_waiting=0,
    timer_alive=True,
    ledger_gap=0,
    pass_seconds=4.0,
)


def well_but(fact: str, value: Any) -> HealthFacts:
    """A node with one fact of its own."""
    return replace(WELL, **{fact: value})


PROBES: Final[dict[str, Callable[[HealthFacts], list[str]]]] = {
    "live": is_live,
    "ready": is_ready,
    "started": has_started,
}


def test_a_node_that_is_well_passes_every_probe() -> None:
    assert assess(WELL) == (HealthStatus.HEALTHY, [])
    assert not any(probe(WELL) for probe in PROBES.values())


@pytest.mark.parametrize(
    ("fact", "value", "failing", "status", "sentence"),
    [
        ("started", False, {"ready", "started"}, "healthy", "is not started"),
        ("draining", True, {"ready"}, "healthy", "drains"),
        ("store_error", "disk gone", {"ready"}, "unhealthy", "store does not answer: disk gone"),
        ("lock_error", "refused", {"ready"}, "degraded", "lock server does not answer: refused"),
        ("seconds_since_pass", None, {"live", "started"}, "healthy", "has made no pass yet"),
        ("seconds_since_pass", 5.0, set(), "degraded", "began its last pass 5 s ago"),
        ("seconds_since_pass", 61.0, {"live"}, "degraded", "began its last pass 61 s ago"),
        ("seconds_since_heartbeat", None, {"ready"}, "degraded", "none yet"),
        ("seconds_since_heartbeat", 20.1, {"ready"}, "degraded", "the last was 20.1 s ago"),
        ("loop_lag", 1.0, {"ready"}, "degraded", "event loop is 1.0 s late"),
        ("abandoned_threads", 2, set(), "degraded", "2 threads still run"),
        ("undrained", 3, set(), "degraded", "3 executions are due"),
        ("locks_waiting", 4, set(), "degraded", "4 executions wait for the lock server"),
        ("timer_alive", False, set(), "degraded", "the timer has ended"),
        ("ledger_gap", 5, set(), "degraded", "5 schedules are due"),
    ],
)
def test_one_fact_out_of_order_shows_where_the_table_says(
    fact: str, value: object, failing: set[str], status: str, sentence: str
) -> None:
    facts = well_but(fact, value)
    problems = {name: probe(facts) for name, probe in PROBES.items()}
    assert {name for name, found in problems.items() if found} == failing
    word, reasons = assess(facts)
    assert word == status
    said = [*reasons, *(text for found in problems.values() for text in found)]
    assert said
    assert all(sentence in text for text in said), said


@pytest.mark.parametrize(
    ("fact", "value"),
    [("seconds_since_pass", 4.0), ("seconds_since_heartbeat", 20.0), ("loop_lag", 0.99)],
)
def test_a_fact_at_its_limit_is_still_well(fact: str, value: float) -> None:
    facts = well_but(fact, value)
    assert assess(facts) == (HealthStatus.HEALTHY, [])
    assert not any(probe(facts) for probe in PROBES.values())


def test_an_engine_that_is_late_is_alive_for_a_minute() -> None:
    assert not any(probe(well_but("seconds_since_pass", 60.0)) for probe in PROBES.values())


def test_a_node_is_ready_without_a_lock_server_that_it_does_not_need() -> None:
    facts = replace(WELL, lock_required=False, lock_error="refused")
    assert is_ready(facts) == []
    assert assess(facts)[0] is HealthStatus.DEGRADED


def test_every_reason_is_told_the_store_first() -> None:
    facts = replace(WELL, store_error="gone", lock_error="refused", abandoned_threads=1)
    status, reasons = assess(facts)
    assert status is HealthStatus.UNHEALTHY
    assert len(reasons) == 3
    assert "store" in reasons[0]


def test_a_scheduler_that_was_never_started_is_not_ill() -> None:
    facts = replace(WELL, started=False, seconds_since_pass=None, seconds_since_heartbeat=None)
    assert assess(facts) == (HealthStatus.HEALTHY, [])
    assert len(is_ready(facts)) == 1, "one problem is one sentence"


def test_a_process_that_only_shows_a_store_is_well_without_an_engine() -> None:
    facts = replace(
        WELL,
        node=False,
        started=False,
        seconds_since_pass=None,
        seconds_since_heartbeat=None,
        lock_error="refused",
    )
    assert not any(probe(facts) for probe in PROBES.values())
    assert len(is_ready(replace(facts, store_error="gone"))) == 1
