"""Document 001's REST endpoints: each call with its body, each answer with its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.rest import Rest, serving

TASK = {
    "name": "Daily Cleanup",
    "description": "Clean up old log files",
    "module_id": "core.scheduler",
    "function_name": "cleanup_old_logs",
    "parameters": {"days_to_keep": 30},
    "schedule_time": "2030-01-01T14:00:00Z",
    "recurring": True,
    "interval_type": "days",
    "interval_value": 1,
}
EXPORT = {
    "name": "Data Export",
    "module_id": "standard.data_export",
    "function_name": "export_users",
    "parameters": {"format": "csv"},
    "schedule_time": "2030-01-01T14:00:00Z",
    "recurring": False,
}


@pytest.fixture
def rest() -> Iterator[Rest]:
    """The service of a scheduler with the document's functions."""
    with serving() as made:
        register = made.scheduler.task
        register(task_id="core.scheduler.cleanup_old_logs")(lambda parameters: {"processed": 100})
        register(task_id="standard.data_export.export_users")(
            lambda parameters: {"as": parameters["format"]}
        )
        yield made


def scheduled(rest: Rest, body: dict[str, Any]) -> str:
    made = rest.post("/tasks", body, 201)
    assert made == {"task_id": made["task_id"], "status": "scheduled"}
    found: str = made["task_id"]
    return found


def test_tasks_are_listed_shown_and_scheduled(rest: Rest) -> None:
    made = scheduled(rest, TASK)
    (listed,) = [one for one in rest.get("/tasks")["tasks"] if one["id"] == made]
    fields = ("name", "status", "next_execution", "recurring", "interval_type", "interval_value")
    assert [listed[field] for field in fields] == [
        *("Daily Cleanup", "pending", "2030-01-01T14:00:00Z", True, "days", 1)
    ]
    task = rest.get(f"/tasks/{made}")
    for field in ("name", "description", "module_id", "function_name", "parameters"):
        assert task[field] == TASK[field]
    fields = ("id", "status", "created_at", "next_execution", "execution_count", "last_execution")
    assert [task[field] for field in fields] == [
        *(made, "pending", "2030-01-01T12:00:00Z", "2030-01-01T14:00:00Z", 0, None)
    ]


def test_a_task_is_paused_resumed_executed_and_cancelled(rest: Rest) -> None:
    made = scheduled(rest, TASK)
    assert rest.post(f"/tasks/{made}/pause") == {"status": "paused"}
    assert rest.post(f"/tasks/{made}/resume") == {"status": "resumed"}
    started = rest.post(f"/tasks/{made}/execute", None, 202)
    assert started == {"execution_id": started["execution_id"], "status": "running"}
    assert rest.ask("DELETE", f"/tasks/{made}") == {"status": "cancelled"}


def test_the_history_of_a_task_has_each_execution(rest: Rest) -> None:
    made = scheduled(rest, EXPORT)
    rest.clock.advance(hours=2)
    rest.run()
    (run,) = rest.get(f"/tasks/{made}/executions")["executions"]
    fields = ("start_time", "end_time", "success", "result", "error")
    instant = "2030-01-01T14:00:00Z"
    assert [run[field] for field in fields] == [instant, instant, True, {"as": "csv"}, None]
    found = rest.get(f"/executions/{run['id']}")
    assert [found[field] for field in fields] == [run[field] for field in fields]
    assert (found["task_id"], "trace_session_id" in found) == (made, True)
