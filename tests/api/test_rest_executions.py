"""REST of tasks and executions: paths, bodies and fields of document 001."""

from __future__ import annotations

from typing import Any

import pytest

from advanced_scheduler import RetryConfig, RetryStrategy, TaskContext
from tests.support.definitions import define

from .rest import Rest, fail


def ran(rest: Rest, task: str = "add", **body: object) -> str:
    """An execution that has ended."""
    made: str = rest.post(f"/tasks/{task}/execute", body or {"args": [1]}, 202)["execution_id"]
    rest.run()
    return made


def test_tasks_are_listed_with_the_fields_of_the_document(rest: Rest) -> None:
    page = rest.get("/tasks")
    assert [one["id"] for one in page["tasks"]] == ["add", "fail"]
    wanted = {"id", "name", "status", "next_execution", "recurring", "interval_type"}
    assert wanted | {"interval_value"} <= page["tasks"][0].keys()


def test_a_registered_task_tells_its_signature_and_how_it_went(rest: Rest) -> None:
    ran(rest)
    ran(rest)
    task = rest.get("/tasks/add")
    assert task["description"] == "Adds two numbers."
    assert [(one["name"], one["required"], one["default"]) for one in task["signature"]] == [
        ("a", True, None),
        ("b", False, 2),
    ]
    assert (task["execution_count"], task["success_rate"]) == (2, 100.0)
    assert task["recent"] == ["completed", "completed"]


def test_a_task_runs_once_and_its_execution_is_found(rest: Rest) -> None:
    answer = rest.client.request(
        "POST", "/api/v1/scheduler/tasks/add/execute", json={"args": [1, 5]}
    )
    assert answer.status_code == 202
    made = answer.json()["execution_id"]
    assert answer.json() == {"execution_id": made, "status": "running"}
    assert answer.headers["location"].endswith(f"executions/{made}")
    rest.run()
    found = rest.get(f"/executions/{made}")
    assert (found["success"], found["result"], found["error"]) == (True, 6, None)
    assert found["start_time"] == found["end_time"] == "2030-01-01T12:00:00Z"
    assert [one["id"] for one in rest.get("/tasks/add/executions")["executions"]] == [made]


def test_an_execution_tells_of_every_attempt_and_how_long_it_waited(rest: Rest) -> None:
    retry = RetryConfig(strategy=RetryStrategy.FIXED, max_attempts=1, initial_delay=0, jitter=False)
    rest.scheduler.register_task(define(fail, task_id="again", retry_config=retry))
    made = ran(rest, "again", args=[])
    rest.run()
    found = rest.get(f"/executions/{made}")
    first, last = found["attempts"]
    assert found["node"].startswith("here:")
    assert (first["attempt"], first["outcome"], first["error"]) == (1, "failed", "ValueError: no")
    assert first["traceback"].endswith("ValueError: no\n")
    assert (first["retry_delay"], first["backoff"]) == (0.0, "fixed: 0 s = 0 s")
    assert (first["node"], first["retry_time"]) == (found["node"], "2030-01-01T12:00:00Z")
    assert (last["attempt"], last["outcome"], last["retry_time"]) == (2, "failed", None)
    assert last["traceback"] == found["traceback"]


def test_a_function_that_nobody_registered_is_refused(rest: Rest) -> None:
    body = {
        "name": "Sum",
        "module_id": "ledger",
        "function_name": "total",
        "parameters": {"format": "csv"},
        "schedule_time": "2030-01-01T13:00:00Z",
    }
    refused = rest.post("/tasks", body, 403)
    assert refused["code"] == "task-not-allowed"
    assert rest.get("/tasks")["tasks"][-1]["id"] == "fail"


def test_a_task_of_the_service_is_paused_resumed_and_cancelled(rest: Rest) -> None:
    rest.scheduler.task(task_id="ledger.total")(lambda parameters: parameters)
    body = {
        "name": "Sum",
        "module_id": "ledger",
        "function_name": "total",
        "parameters": {"format": "csv"},
        "interval_type": "hours",
        "interval_value": 1,
        "recurring": True,
    }
    made = rest.post("/tasks", body, 201)
    assert made["status"] == "scheduled"
    task = rest.get(f"/tasks/{made['task_id']}")
    assert (task["module_id"], task["function_name"]) == ("ledger", "total")
    assert (task["parameters"], task["recurring"]) == ({"format": "csv"}, True)
    assert (task["interval_type"], task["interval_value"]) == ("hours", 1)
    assert rest.post(f"/tasks/{made['task_id']}/pause") == {"status": "paused"}
    assert rest.get(f"/tasks/{made['task_id']}")["status"] == "paused"
    assert rest.post(f"/tasks/{made['task_id']}/resume") == {"status": "resumed"}
    assert rest.ask("DELETE", f"/tasks/{made['task_id']}") == {"status": "cancelled"}
    assert rest.get(f"/tasks/{made['task_id']}", 404)["code"] == "task-not-found"


def test_what_the_code_registers_cannot_be_removed(rest: Rest) -> None:
    assert rest.ask("DELETE", "/tasks/add", 409)["code"] == "task-is-code"


def test_executions_are_found_by_what_they_are(rest: Rest) -> None:
    good, bad = ran(rest), ran(rest, "fail", tags=["night"])

    def found(query: str) -> list[str]:
        return [one["id"] for one in rest.get(f"/executions?{query}")["executions"]]

    assert found("") == [bad, good]
    assert found("status=failed&status=cancelled") == [bad]
    assert found("task_id=add") == [good]
    assert found("tag=night") == [bad]
    assert found("text=VALUEERROR") == [bad]
    assert found("since=2030-01-01T12:00:01Z") == []
    assert found("until=2030-01-01T12:00:00Z") == []
    assert found("since=2030-01-01T11:00:00Z&until=2030-01-01T13:00:00Z") == [bad, good]


def test_pages_follow_each_other_and_end(rest: Rest) -> None:
    made = [ran(rest) for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = rest.get(f"/executions?limit=2{cursor}")
        seen += [one["id"] for one in page["executions"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


def test_an_ended_execution_runs_again_as_a_new_one(rest: Rest) -> None:
    old = ran(rest)
    new = rest.post(f"/executions/{old}/retry", status=202)["execution_id"]
    rest.run()
    found = rest.get(f"/executions/{new}")
    assert (found["again"], found["result"], found["caused_by"]) == (old, 3, "retry")


def test_what_has_ended_cannot_be_cancelled(rest: Rest) -> None:
    assert rest.post(f"/executions/{ran(rest)}/cancel", status=409)["code"] == "execution-ended"


def test_many_are_cancelled_retried_and_deleted_after_a_look(rest: Rest) -> None:
    waiting = [rest.post("/tasks/add/execute", {"args": [1]}, 202) for _ in range(3)]
    query = {"status": ["pending"]}
    looked = rest.post("/executions/batch", {"action": "cancel", "query": query, "dry_run": True})
    assert (looked["matched"], looked["changed"]) == (3, 0)
    done = rest.post("/executions/batch", {"action": "cancel", "query": query})
    assert (done["matched"], done["changed"]) == (3, 3)
    ids = [one["execution_id"] for one in waiting]
    again = rest.post("/executions/batch", {"action": "retry", "ids": ids[:1]})
    assert len(again["created"]) == 1
    gone = rest.post("/executions/batch", {"action": "delete", "ids": [*ids, "unknown"]})
    assert (gone["matched"], gone["changed"]) == (3, 3)
    assert rest.get(f"/executions/{ids[0]}", 404)["code"] == "execution-not-found"


@pytest.mark.parametrize("which", [{}, {"ids": [], "query": {}}])
def test_on_which_ones_to_act_must_be_said_and_once(rest: Rest, which: dict[str, Any]) -> None:
    rest.post("/tasks/add/execute", {"args": [1]}, 202)
    assert rest.post("/executions/batch", {"action": "cancel", **which}, 422)
    assert rest.get("/executions")["executions"][0]["status"] == "pending"


def test_a_file_of_executions_has_no_formulas(rest: Rest) -> None:
    rest.scheduler.task(task_id="=HYPERLINK(1)")(lambda: None)
    ran(rest, "=HYPERLINK(1)", args=[])
    answer = rest.client.request("GET", "/api/v1/scheduler/executions/export")
    assert answer.headers["content-type"].startswith("text/csv")
    head, row = answer.text.splitlines()
    assert head.startswith("id,task_id")
    assert ",'=HYPERLINK(1)," in row
    as_json = rest.client.request("GET", "/api/v1/scheduler/executions/export?format=json").json()
    assert [one["task_id"] for one in as_json] == ["=HYPERLINK(1)"]


def test_dead_letters_are_grouped_retried_and_discarded(rest: Rest) -> None:
    for _ in range(3):
        ran(rest, "fail", args=[])
    (group,) = rest.get("/dead-letters")["items"]
    assert (group["task_id"], group["error_type"], group["count"]) == ("fail", "ValueError", 3)
    done = rest.post(f"/dead-letters/{group['id']}/retry")
    assert (done["matched"], len(done["created"])) == (3, 3)
    rest.run()
    (group,) = rest.get("/dead-letters")["items"]
    assert group["count"] == 3
    assert rest.post(f"/dead-letters/{group['id']}/discard")["changed"] == 3
    assert rest.get("/dead-letters")["items"] == []


def test_what_cannot_run_again_stops_nothing_and_stays_a_dead_letter(rest: Rest) -> None:
    ids = [ran(rest, "fail", args=[]) for _ in range(3)]
    rest.scheduler.unregister_task("fail")
    (group,) = rest.get("/dead-letters")["items"]
    done = rest.post(f"/dead-letters/{group['id']}/retry")
    assert (done["matched"], done["changed"], done["created"]) == (3, 0, [])
    assert done["refused"].keys() == set(ids)
    assert all("not registered" in why for why in done["refused"].values())
    (group,) = rest.get("/dead-letters")["items"]
    assert group["count"] == 3


def test_what_a_task_has_asked_for_names_it(rest: Rest) -> None:
    def parent(context: TaskContext) -> None:
        context.spawn("add", 1)

    rest.scheduler.register_task(define(parent, task_id="parent"))
    asked = ran(rest, "parent", args=[])
    (child,) = rest.get("/executions?task_id=add")["executions"]
    assert (child["parent"], child["caused_by"]) == (asked, "task")
    found = rest.get(f"/executions/{asked}")
    assert (found["parent"], found["caused_by"]) == (None, "api")


def test_an_argument_that_does_not_fit_is_pointed_at(rest: Rest) -> None:
    def only(a: int, /, *, b: int = 0) -> None:
        raise AssertionError("never called")

    rest.scheduler.register_task(define(only, task_id="only"))

    def pointed(task: str, **body: object) -> list[str]:
        refused = rest.post(f"/tasks/{task}/execute", body, 422)
        return [one["pointer"] for one in refused["errors"]]

    assert pointed("only", args=[1, 2]) == ["/args/1"]
    assert pointed("only", args=[]) == ["/kwargs/a"]
    assert pointed("only", args=[1], kwargs={"c/d": 1}) == ["/kwargs/c~1d"]
    assert pointed("add", args=[1], kwargs={"a": 2}) == ["/kwargs/a"]
    body = {"tasks": ["add"], "arguments": {"add": {"c": 1}}}
    assert "errors" not in rest.post("/workflows", body, 422)


def test_a_request_with_a_key_of_idempotency_is_done_once(rest: Rest) -> None:
    headers = {"idempotency-key": "one"}
    first = rest.post("/tasks/add/execute", {"args": [1]}, 202, headers=headers)
    assert rest.post("/tasks/add/execute", {"args": [1]}, 202, headers=headers) == first
    assert len(rest.get("/executions")["executions"]) == 1
    other = rest.post("/tasks/add/execute", {"args": [2]}, 422, headers=headers)
    assert other["code"] == "idempotency-key-reused"


def test_a_dead_letter_that_was_run_again_before_a_crash_is_not_run_twice(rest: Rest) -> None:
    broken = [True]

    def flaky() -> None:
        if broken:
            raise ValueError("no")

    rest.scheduler.register_task(define(flaky, task_id="flaky"))
    old = ran(rest, "flaky", args=[])
    broken.clear()
    new = rest.scheduler.retry_execution(old)  # and the process died before it deleted the old one
    rest.run()
    (group,) = rest.get("/dead-letters")["items"]
    assert rest.post(f"/dead-letters/{group['id']}/retry")["created"] == []
    assert [one["id"] for one in rest.get("/executions")["executions"]] == [new]


def test_what_waits_is_let_past_others_and_shown_in_line(rest: Rest) -> None:
    one, two, three = (
        rest.post("/tasks/add/execute", {"args": [1]}, 202)["execution_id"] for _ in range(3)
    )

    def line(priority: str = "normal") -> list[str]:
        items = rest.get(f"/queue/lanes/{priority}")["items"]
        assert [item["position"] for item in items] == list(range(1, len(items) + 1))
        return [item["execution"]["id"] for item in items]

    assert line() == [one, two, three]
    assert rest.post(f"/executions/{three}/priority", {"first": True})["rank"] == 1
    assert rest.post(f"/executions/{two}/priority", {"first": True})["rank"] == 2
    assert line() == [two, three, one]
    assert rest.post(f"/executions/{two}/priority", {"first": True})["rank"] == 2
    assert rest.post(f"/executions/{one}/priority", {"priority": "high"})["priority"] == "high"
    assert (line(), line("high")) == ([two, three], [one])
    rest.run()
    late = rest.post(f"/executions/{one}/priority", {"rank": 5}, 409)
    assert late["code"] == "execution-not-pending"
    assert rest.post("/executions/none/priority", {"rank": 5}, 404)


def test_what_waits_is_skipped(rest: Rest) -> None:
    one = rest.post("/tasks/add/execute", {"args": [1]}, 202)["execution_id"]
    assert rest.post(f"/executions/{one}/skip") == {"status": "skipped"}
    assert rest.get(f"/executions/{one}")["status"] == "skipped"
    assert rest.post(f"/executions/{one}/skip", status=409)["code"] == "execution-not-pending"
    assert rest.post("/executions/none/skip", status=404)["code"] == "execution-not-found"


def test_what_an_execution_has_logged_can_be_followed(rest: Rest) -> None:
    def work(context: TaskContext) -> None:
        for number in range(3):
            context.logger.info("line %d", number)
        context.progress(3, 4, "nearly")

    rest.scheduler.register_task(define(work, task_id="talks"))
    made = ran(rest, "talks", args=[])
    page = rest.get(f"/executions/{made}/logs")
    assert [(one["number"], one["level"], one["text"]) for one in page["lines"]] == [
        (1, "INFO", "line 0"),
        (2, "INFO", "line 1"),
        (3, "INFO", "line 2"),
    ]
    assert (page["next_after"], page["ended"]) == (3, True)
    assert [one["number"] for one in rest.get(f"/executions/{made}/logs?after=2")["lines"]] == [3]
    assert rest.get(f"/executions/{made}/logs?after=3")["next_after"] == 3
    assert rest.get(f"/executions/{made}")["progress"] == {
        "done": 3.0,
        "total": 4.0,
        "message": "nearly",
        "time": "2030-01-01T12:00:00Z",
    }
    assert rest.get("/executions/nobody/logs", 404)["code"] == "execution-not-found"
    assert rest.get(f"/executions/{made}/logs?after=-1", 422)["status"] == 422
