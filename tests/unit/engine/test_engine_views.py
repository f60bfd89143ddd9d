"""How executions and the queue look from outside."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from advanced_scheduler import InvalidArguments, lifecycle
from advanced_scheduler.engine.views import TaskQueueView, status_of
from advanced_scheduler.models import TaskPriority
from advanced_scheduler.stores.memory import MemoryStore
from tests.unit.engine.kit import NOW, by, execution

HIGH, NORMAL, LOW = TaskPriority.HIGH, TaskPriority.NORMAL, TaskPriority.LOW


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_status_has_the_keys_of_the_document_and_is_json() -> None:
    shown = status_of(execution("e", started_time=NOW, result={"a": 1}))
    assert set(shown) >= {
        "execution_id", "task_id", "task_name", "status", "priority", "scheduled_time",
        "started_time", "completed_time", "retry_count", "error", "result", "metrics",
    }  # fmt: skip
    assert (shown["status"], shown["priority"]) == ("pending", 2)
    assert (shown["started_time"], shown["completed_time"]) == (NOW.isoformat(), None)
    assert json.loads(json.dumps(shown)) == shown


def test_a_lost_node_is_named_to_the_end() -> None:
    assert status_of(execution("e", metrics={"lost": "node n was lost"}))["reason"] == (
        "node n was lost"
    )
    assert status_of(execution("e", reason="now", metrics={"lost": "then"}))["reason"] == "now"


def test_an_empty_queue_says_so(store: MemoryStore) -> None:
    queue = TaskQueueView(store)
    assert queue.is_empty()
    assert (queue.size(), queue.size(HIGH), queue.peek()) == (0, 0, None)
    assert queue.get_tasks_by_priority(HIGH) == []
    assert queue.by_priority() == dict.fromkeys(TaskPriority, 0)


def test_the_queue_shows_all_that_waits_in_the_order_in_which_it_runs(store: MemoryStore) -> None:
    queue = TaskQueueView(store)
    store.add(
        [
            execution("a", priority=LOW),
            execution("b", scheduled_time=NOW + timedelta(seconds=1)),
            execution("c", blocked_by=frozenset({"a"}), scheduled_time=NOW + timedelta(days=1)),
            execution("d"),
            execution("e", priority=HIGH),
        ]
    )
    first = queue.peek()
    assert first is not None
    assert first.execution_id == "e"
    assert [row.execution_id for row in queue.get_tasks_by_priority(NORMAL)] == ["d", "b", "c"]
    assert [row.execution_id for row in queue.get_tasks_by_priority(NORMAL, limit=1)] == ["d"]
    assert (queue.size(), queue.size(NORMAL)) == (5, 3)


def test_what_runs_or_has_ended_does_not_wait_and_what_retries_does(store: MemoryStore) -> None:
    queue = TaskQueueView(store)
    store.add([execution("a"), execution("b"), execution("c")])
    a, b, _ = store.claim(by())
    store.apply(
        [
            lifecycle.complete(a, result=None, metrics={}, now=NOW),
            lifecycle.retry(b, error="x", at=NOW),
        ]
    )
    assert [row.execution_id for row in queue.get_tasks_by_priority(NORMAL)] == ["b"]
    assert queue.size() == 1


def test_a_level_that_is_none_is_refused() -> None:
    for priority in (-1, "high"):
        with pytest.raises(InvalidArguments, match="priority="):
            TaskQueueView(MemoryStore()).size(priority)  # type: ignore[arg-type]
