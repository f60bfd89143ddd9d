"""REST of schedules and workflows."""

from __future__ import annotations

from typing import Any

import pytest

from advanced_scheduler import TaskDependency
from tests.support.definitions import define

from .rest import Rest, add


def made(rest: Rest, **fields: Any) -> dict[str, Any]:
    """A schedule of ``add``, each hour."""
    body = {"task_id": "add", "cron": "0 * * * *", "args": [1], **fields}
    found: dict[str, Any] = rest.post("/schedules", body, 201)
    return found


def test_a_schedule_is_made_read_edited_and_removed(rest: Rest) -> None:
    schedule = made(rest, name="Each hour", tags=["night"], priority="high")
    path = f"/schedules/{schedule['id']}"
    assert (schedule["version"], schedule["priority"], schedule["words"]) == (
        1,
        "high",
        "every hour, UTC",
    )
    detail = rest.get(path)
    assert [one["instant"] for one in detail["next_runs"]][:2] == [
        "2030-01-01T12:00:00Z",
        "2030-01-01T13:00:00Z",
    ]
    edited = rest.ask("PATCH", path, json={"cron": "30 2 * * *", "timezone": "Europe/Berlin"})
    assert (edited["version"], edited["timezone"]) == (2, "Europe/Berlin")
    assert [one["id"] for one in rest.get("/schedules?tag=night")["items"]] == [schedule["id"]]
    assert rest.get("/schedules?status=paused")["items"] == []
    assert rest.ask("DELETE", path) == {"status": "removed"}
    assert rest.get(path, 404)["code"] == "schedule-not-found"


def test_who_has_seen_another_version_changes_nothing(rest: Rest) -> None:
    schedule = made(rest)
    path = f"/schedules/{schedule['id']}"
    assert schedule["etag"] == '"v1"'
    rest.ask("PATCH", path, json={"tags": ["a"]}, headers={"if-match": '"v1"'})
    stale = rest.ask("PATCH", path, 412, json={"tags": ["b"]}, headers={"if-match": '"v1"'})
    assert stale["code"] == "version-conflict"
    assert rest.ask("PATCH", path, 412, json={}, headers={"if-match": "nonsense"})
    assert rest.get(path)["tags"] == ["a"]


def test_its_history_tells_what_each_version_has_changed(rest: Rest) -> None:
    path = f"/schedules/{made(rest)['id']}"
    rest.ask("PATCH", path, json={"args": [5], "changelog": "more"})
    rest.post(f"{path}/pause")
    latest, second, first = rest.get(f"{path}/history")["items"]
    assert (first["changed"], second["changed"]) == ({}, {"args": [[1], [5]]})
    assert (second["changelog"], latest["changed"]) == ("more", {"paused": [False, True]})
    assert rest.post(f"{path}/rollback/1")["args"] == [1]


def test_it_runs_by_hand_pauses_and_resumes(rest: Rest) -> None:
    path = f"/schedules/{made(rest)['id']}"
    assert rest.post(f"{path}/pause")["status"] == "paused"
    run = rest.post(f"{path}/run", {"kwargs": {"b": 9}}, 202)["execution_id"]
    rest.run()
    assert rest.get(f"/executions/{run}")["result"] == 10
    assert rest.post(f"{path}/resume", {"catch_up": True})["status"] == "active"


def test_the_ledger_tells_what_became_of_every_instant(rest: Rest) -> None:
    schedule = made(rest)
    rest.run()
    path = f"/schedules/{schedule['id']}"
    ledger = rest.get(f"{path}/ticks?start=2030-01-01T12:00:00Z&end=2030-01-01T13:00:00Z")
    assert [one["outcome"] for one in ledger["ticks"]] == ["fired"]
    assert ledger["missing"] == []
    told = rest.get(f"{path}/explain?instant=2030-01-01T12:00:00Z")
    assert (told["outcome"], told["status"]) == ("fired", "completed")


def test_instants_of_the_past_are_run_after_a_look(rest: Rest) -> None:
    path = f"/schedules/{made(rest)['id']}/backfill"
    body = {"start": "2029-12-31T10:00:00Z", "end": "2029-12-31T12:00:00Z"}
    looked = rest.post(path, {**body, "dry_run": True})
    assert looked["instants"] == ["2029-12-31T10:00:00Z", "2029-12-31T11:00:00Z"]
    assert looked["created"] == []
    created = rest.post(path, body)["created"]
    assert len(created) == 2
    again = rest.post(path, body)
    assert (again["created"], again["existing"]) == ([], created)
    found = rest.get(f"/executions/{created[0]}")
    assert found["scheduled_time"] == "2029-12-31T10:00:00Z"
    assert rest.post(path, {**body, "limit": 1}, 422)["code"] == "too-many"


def test_a_trigger_is_tried_before_it_is_a_schedule(rest: Rest) -> None:
    body = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "start": "2030-03-30T00:00:00Z"}
    found = rest.post("/schedules/preview", {**body, "count": 2})
    assert [one["note"] is None for one in found["runs"]] == [True, False]
    assert found["lint"]
    weekly = {"type": "weekly", "days": ["monday"], "time": "09:00"}
    found = rest.post("/schedules/preview", {"trigger": weekly, "count": 1})
    assert found["words"] == "every Monday at 09:00, UTC"
    wrong = {"trigger": {**weekly, "days": ["someday"]}}
    assert rest.post("/schedules/preview", wrong, 422)["code"] == "invalid-value"


@pytest.mark.parametrize(
    "body",
    [
        {"task_id": "add"},
        {"task_id": "add", "cron": "61 * * * *"},
        {"task_id": "add", "cron": "* * * * *", "trigger": {"type": "interval"}},
        {"task_id": "add", "trigger": {"type": "object", "object": "os.system"}},
        {"task_id": "add", "cron": "0 0 31 2 *"},
        {"task_id": "add", "cron": "* * * * *", "args": [1, 2, 3, 4]},
        {"task_id": "add", "cron": "* * * * *", "colour": "red"},
        {"task_id": "add", "cron": "* * * * *", "timezone": "Mars/Base"},
    ],
)
def test_what_cannot_work_is_refused(rest: Rest, body: dict[str, Any]) -> None:
    assert rest.post("/schedules", body, 422)["detail"]
    assert rest.get("/schedules")["items"] == []


def test_a_path_is_no_task(rest: Rest) -> None:
    body = {"task_id": "os:system", "cron": "* * * * *"}
    assert rest.post("/schedules", body, 404)["code"] == "task-not-found"


def test_a_workflow_runs_along_the_graph(rest: Rest) -> None:
    after = [TaskDependency("add", "success")]
    rest.scheduler.register_task(define(add, task_id="more", args=[2], dependencies=after))
    graph = rest.get("/workflows/graph")
    assert {"source": "add", "target": "more", "type": "success"} in graph["edges"]
    assert {one["id"]: one["layer"] for one in graph["nodes"]} == {"add": 0, "fail": 0, "more": 1}
    assert {one["id"] for one in graph["nodes"] if one["critical"]} == {"add", "more"}
    body = {"tasks": ["add", "more"], "arguments": {"add": {"a": 1}}}
    run = rest.post("/workflows", body, 202)["workflow_id"]
    assert rest.get(f"/workflows/{run}")["status"] == "pending"
    rest.run(2)
    detail = rest.get(f"/workflows/{run}")
    assert (detail["status"], detail["counts"]) == ("completed", {"completed": 2})
    assert [one["task_id"] for one in detail["items"]] == ["add", "more"]
    assert [one["id"] for one in rest.get("/workflows")["items"]] == [run]
    assert rest.post(f"/workflows/{run}/retry", status=422)


def test_a_workflow_is_retried_from_the_task_that_failed(rest: Rest) -> None:
    left = [1, 0]

    def unsteady() -> float:
        return 1 / left.pop()

    rest.scheduler.register_task(define(unsteady, task_id="unsteady"))
    after = [TaskDependency("unsteady", "success")]
    rest.scheduler.register_task(define(add, task_id="more", args=[2], dependencies=after))
    body = {"tasks": ["add", "unsteady", "more"], "arguments": {"add": {"a": 1}}}
    run = rest.post("/workflows", body, 202)["workflow_id"]
    rest.run(3)
    assert rest.get(f"/workflows/{run}")["counts"] == {"completed": 1, "failed": 1, "skipped": 1}
    again = rest.post(f"/workflows/{run}/retry", status=202)["executions"]
    assert sorted(again) == ["more", "unsteady"]
    rest.run(3)
    assert rest.get(f"/workflows/{run}")["counts"] == {"completed": 3}


def test_a_workflow_is_cancelled(rest: Rest) -> None:
    run = rest.post("/workflows", {"tasks": ["fail"]}, 202)["workflow_id"]
    assert rest.post(f"/workflows/{run}/cancel") == {"status": "cancelled"}
    assert rest.get(f"/workflows/{run}")["status"] == "cancelled"
    assert rest.get("/workflows/unknown", 404)["code"] == "workflow-not-found"


def test_a_task_of_a_workflow_is_skipped_with_what_depends_on_it(rest: Rest) -> None:
    after = [TaskDependency("add", "success")]
    rest.scheduler.register_task(define(add, task_id="more", args=[2], dependencies=after))
    body = {"tasks": ["add", "more"], "arguments": {"add": {"a": 1}}}
    run = rest.post("/workflows", body, 202)["workflow_id"]
    assert rest.post(f"/workflows/{run}/tasks/add/skip") == {"status": "skipped"}
    assert rest.get(f"/workflows/{run}")["counts"] == {"skipped": 2}
    assert rest.post(f"/workflows/{run}/tasks/none/skip", status=404)["code"] == "task-not-found"


def test_an_id_of_any_script_leads_to_its_schedule(rest: Rest) -> None:
    body = {"id": "жук & 1", "task_id": "add", "cron": "0 * * * *", "args": [1]}
    answer = rest.client.request("POST", "/api/v1/scheduler/schedules", json=body)
    assert answer.headers["location"] == "schedules/%D0%B6%D1%83%D0%BA%20%26%201"
    assert rest.get(f"/{answer.headers['location']}")["id"] == "жук & 1"
    assert rest.post("/schedules", {**body, "id": "a/b"}, 422)["errors"][0]["pointer"] == "/id"
