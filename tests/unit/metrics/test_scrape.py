"""What is read when somebody scrapes: the node and, if the store tells it, the queue."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    Duties,
    ManualClock,
    Role,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.metrics import SchedulerMetrics, scrape
from advanced_scheduler.models import (
    Record,
    RecordKind,
    Schedule,
    ScheduleState,
    TaskExecution,
)
from advanced_scheduler.stores.memory import MemoryStore
from tests.contract.rows import execution, schedule
from tests.support.waiting import eventually
from tests.unit.metrics.samples import FaultyStore, run_due, value, values, works


def waiting(clock: ManualClock) -> list[TaskExecution]:
    """One execution in each state of the queue, and a second ready one."""
    now, minute = clock.now(), timedelta(minutes=1)
    up = TaskDependency("up", execution_id="up")
    return [
        execution("ready", scheduled_time=now - 2 * minute),
        execution("ready-too", scheduled_time=now - minute),
        execution("delayed", scheduled_time=now + minute),
        execution("blocked", blocked_by=frozenset({"up"}), dependencies=(up,)),
        execution("retrying", status=TaskStatus.RETRYING, due_time=now + minute),
    ]


def test_the_queue_is_split_by_what_executions_wait_for(
    metrics: SchedulerMetrics, store: FaultyStore, clock: ManualClock
) -> None:
    store.add(waiting(clock))
    store.add([execution("urgent", priority=TaskPriority.CRITICAL)])
    assert values(metrics, "queue_depth", "state", priority="normal") == {
        "ready": 2,
        "delayed": 1,
        "blocked": 1,
        "retrying": 1,
    }
    assert values(metrics, "queue_depth", "priority", state="ready") == {"critical": 1, "normal": 2}
    assert values(metrics, "queue_oldest_ready_age_seconds", "priority") == {"normal": 120}
    assert value(metrics, "queue_depth", priority="low", state="ready") == 0


def test_a_long_queue_counts_like_the_last_row_that_was_looked_at(
    metrics: SchedulerMetrics,
    store: FaultyStore,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrape, "ROWS_LOOKED_AT", 2)
    store.add(waiting(clock))
    assert values(metrics, "queue_depth", "state") == {"ready": 5}


def test_the_state_of_the_cluster_is_read_at_most_every_five_seconds(
    metrics: SchedulerMetrics, store: FaultyStore, clock: ManualClock
) -> None:
    assert values(metrics, "queue_depth", "state") == {}
    store.add([execution("e")])
    clock.advance(seconds=4.9)
    assert values(metrics, "queue_depth", "state") == {}
    clock.advance(seconds=0.1)
    assert values(metrics, "queue_depth", "state") == {"ready": 1}


def test_a_store_that_fails_leaves_a_gap_and_is_counted_in_that_scrape(
    metrics: SchedulerMetrics, store: FaultyStore, clock: ManualClock
) -> None:
    store.down = True
    text, _ = metrics.render()
    assert b"advanced_scheduler_queue_depth" not in text
    assert b'advanced_scheduler_store_errors_total{operation="scrape"} 1.0' in text
    assert b"advanced_scheduler_executions_running 0.0" in text
    store.down = False
    clock.advance(seconds=5)
    assert b"advanced_scheduler_queue_depth" in metrics.render()[0]


def test_schedules_are_counted_by_state(metrics: SchedulerMetrics, store: FaultyStore) -> None:
    store.put(schedule("a"), expected=None)
    store.put(schedule("b"), expected=None)
    store.put(schedule("c", paused=True), expected=None)
    store.put(schedule("d", next_fire_time=None), expected=None)
    assert values(metrics, "schedules", "state") == {"active": 2, "paused": 1, "ended": 1}


def test_no_schedule_is_read_to_count_them(
    metrics: SchedulerMetrics, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(schedule("known", task_id="works"), expected=None)
    store.put(schedule("stranger", task_id="unknown"), expected=None)
    read: list[Schedule] = []

    def schedules(ids: Collection[str] | None = None) -> list[Schedule]:
        found = MemoryStore.schedules(store, ids)
        read.extend(found)
        return found

    monkeypatch.setattr(store, "schedules", schedules)
    assert values(metrics, "schedules", "state") == {"active": 2}
    assert values(metrics, "parked", "kind") == {"schedule": 1}
    assert read == []


def test_schedules_that_take_long_to_count_are_counted_less_often(
    metrics: SchedulerMetrics,
    store: FaultyStore,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slowly() -> dict[ScheduleState, int]:
        clock.advance(seconds=1)
        return MemoryStore.schedule_counts(store)

    monkeypatch.setattr(store, "schedule_counts", slowly)
    scheduler = AdvancedTaskScheduler(clock=clock, store=store)
    scrapes = SchedulerMetrics(scheduler)
    assert values(scrapes, "schedules", "state") == {}
    store.put(schedule("s"), expected=None)
    clock.advance(seconds=19)
    assert values(scrapes, "schedules", "state") == {}
    clock.advance(seconds=5)
    assert values(scrapes, "schedules", "state") == {"active": 1}
    scheduler.close()


def test_what_is_parked_is_counted_by_kind(metrics: SchedulerMetrics, store: FaultyStore) -> None:
    store.add([execution(one, task_id="unknown") for one in ("a", "b")])
    store.put(schedule("s", task_id="unknown"), expected=None)
    assert values(metrics, "parked", "kind") == {"task": 2, "schedule": 1}
    assert value(metrics, "tick_ledger_gaps") == 0


def test_the_node_tells_its_limit_and_its_build(metrics: SchedulerMetrics) -> None:
    assert value(metrics, "concurrency_limit") == 3
    assert value(metrics, "executions_running") == 0
    assert b'advanced_scheduler_build_info{python="3.' in metrics.render()[0]


def test_what_runs_nothing_has_no_room_for_anything() -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.duties = Duties(roles=frozenset({Role.SCHEDULER}))
    assert value(SchedulerMetrics(scheduler), "concurrency_limit") == 0
    scheduler.close()


def test_a_running_engine_tells_when_it_last_went_round() -> None:
    scheduler = AdvancedTaskScheduler()
    metrics = SchedulerMetrics(scheduler)
    assert value(metrics, "last_tick_timestamp_seconds") is None
    with scheduler.running():
        before = scheduler.clock.now().timestamp()
        eventually(lambda: (value(metrics, "last_tick_timestamp_seconds") or 0) >= before)
    scheduler.close()


def test_dead_letters_are_what_failed_and_is_kept(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    scheduler.schedule_task("fails")
    run_due(scheduler)
    assert value(metrics, "dead_letters") == 0, "it is tried again"
    clock.advance(minutes=2)
    run_due(scheduler)
    assert value(metrics, "dead_letters") == 1


def test_nodes_are_counted_by_state(
    metrics: SchedulerMetrics, store: FaultyStore, clock: ManualClock
) -> None:
    for name, seen, draining in (("a", 0, False), ("b", 0, True), ("c", 100, False)):
        record = Record(
            kind=RecordKind.NODE,
            record_id=name,
            written_time=clock.now() - timedelta(seconds=seen),
            data={"draining": draining},
        )
        store.save_record(record)
    assert values(metrics, "nodes", "state") == {"alive": 1, "draining": 1, "stale": 1}


def test_locks_are_counted_while_they_are_held(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics, clock: ManualClock
) -> None:
    scheduler.register_task(TaskDefinition("locked", "Locked", works, require_lock=True))
    lock_id = scheduler.lock_manager.acquire("locked", timeout=60)
    assert lock_id is not None
    assert value(metrics, "locks_held") == 1
    scheduler.lock_manager.release("locked", lock_id)
    clock.advance(seconds=5)
    assert value(metrics, "locks_held") == 0


def test_a_lock_server_that_is_away_hides_no_queue_and_is_no_fault_of_the_store(
    store: FaultyStore, clock: ManualClock
) -> None:
    scheduler = AdvancedTaskScheduler("redis://127.0.0.1:1", clock=clock, store=store)
    metrics = SchedulerMetrics(scheduler)
    scheduler.register_task(TaskDefinition("locked", "Locked", works, require_lock=True))
    store.add([execution("e")])
    assert values(metrics, "queue_depth", "state") == {"ready": 1}
    assert value(metrics, "locks_held") is None
    assert value(metrics, "store_errors_total", operation="scrape") == 0
    metrics.close()
    scheduler.close()


def test_a_store_that_may_block_tells_how_long_it_took(tmp_path: Path) -> None:
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")
    metrics = SchedulerMetrics(scheduler)
    scheduler.register_task(TaskDefinition("works", "Works", works))
    with scheduler.running():
        scheduler.wait_for_task(scheduler.schedule_task("works"), timeout=10)
    calls = values(metrics, "store_operation_duration_seconds_count", "operation")
    assert calls["add"] == 1
    assert calls["exchange"] >= 2
    assert calls["sweep"] >= 1
    assert value(metrics, "store_operation_duration_seconds_sum", operation="add") is not None
    metrics.close()
    scheduler.close()


def test_a_store_in_memory_is_not_timed(
    scheduler: AdvancedTaskScheduler, metrics: SchedulerMetrics
) -> None:
    scheduler.schedule_task("works")
    run_due(scheduler)
    assert values(metrics, "store_operation_duration_seconds_count", "operation") == {}
