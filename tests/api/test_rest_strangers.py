"""REST: what strangers see, and what they and a hostile row of the store try in vain."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from typing import Any, Final

from advanced_scheduler.api import Scope
from advanced_scheduler.models import ExecutionFilter, RecordKind

from .raw import asked
from .rest import ALL, FAR, PREFIX, Rest, serving

PROBES: Final = ("/health/live", "/health/ready", "/health/startup")
DETAILS: Final = ("/health", "/metrics", f"{PREFIX}/openapi.json")
HOSTILE: Final = "this.antigravity"
"""A module that makes itself heard when it is imported: ``this`` prints."""


def status(rest: Rest, path: str, method: str = "GET", **headers: str) -> int:
    answer = rest.client.request(method, path, headers=headers)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.status_code != 401 and path in PROBES and method == "GET":
        assert set(answer.json()) == {"status"}
    return answer.status_code


def test_strangers_see_whether_a_node_is_well_and_nothing_more(far: Rest) -> None:
    may, less = far.key(Scope.READ), {"authorization": "Bearer ask_wrong"}
    for path in PROBES:
        assert {status(far, path), status(far, path, "HEAD")} <= {200, 503}
    for path in DETAILS:
        assert (status(far, path), status(far, path, **less)) == (401, 401)
        assert status(far, path, **may) in (200, 503)
    for path in DETAILS[:2]:
        assert status(far, path, "HEAD") == 401


def test_metrics_may_be_for_everybody() -> None:
    with serving(client=FAR, public_metrics=True) as rest:
        assert status(rest, "/metrics") == 200
        assert status(rest, "/health") == 401


def test_nothing_is_built_from_the_host_that_a_request_names(far: Rest) -> None:
    may = {**far.key(Scope.ADMIN), "host": "evil.example"}
    for method, path, body in (
        ("GET", f"{PREFIX}/tasks/", None),
        ("POST", f"{PREFIX}/tasks/add/execute", {"args": [1]}),
        ("POST", f"{PREFIX}/keys", {"name": "a", "scopes": ["read"]}),
        ("GET", "/", None),
        ("GET", "/scheduler", None),
    ):
        answer = far.client.request(method, path, json=body, headers=may)
        assert "evil.example" not in f"{answer.headers} {answer.text}", path


def test_a_request_is_what_it_says_on_its_first_line(far: Rest) -> None:
    may = far.key(Scope.READ)
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        assert far.get("/tasks", headers={**may, name: "DELETE"})["tasks"]
        assert far.get("/tasks?_method=DELETE", 422, headers=may)["code"] == "invalid-request"
        assert far.get("/keys", 403, headers={**may, name: "OPTIONS"})
    for name in ("x-original-url", "x-rewrite-url"):
        assert far.get("/keys", 403, headers={**may, name: f"{PREFIX}/tasks"})
    for path in (PREFIX.upper(), f"/{PREFIX}", f"{PREFIX}//", f"{PREFIX}/./"):
        answer = far.client.request("GET", f"{path}/keys")
        assert answer.status_code in (401, 404), path
    assert asked(far, method="get", path=f"{PREFIX}/keys")[0] in (401, 405)


def test_a_token_of_any_shape_is_just_unknown(far: Rest) -> None:
    far.key(Scope.ADMIN)
    for shown in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer " + "a" * 100_000, "bearer\tx"):
        assert far.get("/tasks", 401, headers={"authorization": shown})
    (record,) = far.scheduler.store.records(RecordKind.KEY)
    assert far.get("/tasks", 401, headers={"authorization": f"Bearer {record.record_id}"})
    keys: tuple[Any, ...] = ("", "x" * 513, "\ud800", "\0", None, 1, [])
    for key in keys:
        body = b'{"key": %s}' % json.dumps(key).encode()
        headers = {"content-type": "application/json"}
        answer = far.client.request("POST", f"{PREFIX}/session", content=body, headers=headers)
        assert answer.status_code in (401, 422), key


def test_no_name_in_the_store_is_imported_by_who_reads_it(rest: Rest) -> None:
    scheduler = rest.scheduler
    made = rest.post("/tasks/add/execute", {"args": [1]}, 202)["execution_id"]
    asked_for = {"task_id": "add", "cron": "@daily", "id": "daily", "args": [1]}
    rest.post("/schedules", asked_for, 201)
    metadata = {"module_id": HOSTILE, "function_name": "run", "recurring": True}
    (row,) = scheduler.store.find(ExecutionFilter())
    hostile = replace(
        row,
        execution_id="hostile",
        task_id=f"{HOSTILE}:run",
        extras={"metadata": metadata, "func_path": f"{HOSTILE}.run"},
        unique_key=None,
    )
    assert scheduler.store.add([hostile]) == [True]
    (daily,) = scheduler.store.schedules()
    own = replace(daily, schedule_id="hostile", task_id=f"{HOSTILE}:run", metadata=metadata)
    assert scheduler.store.put(own, expected=None)
    before = set(sys.modules)
    for path, body in _calls(rest, made):
        method = "GET" if body is None else "POST"
        answer = rest.client.request(method, f"{PREFIX}{path}", json=body)
        assert answer.status_code < 500, (path, answer.text)
    rest.run()
    assert not {"this", "antigravity"} & (set(sys.modules) - before)


def _calls(rest: Rest, made: str) -> list[tuple[str, Any]]:
    """Every route that reads what is stored, and those that act on it; the body of a POST."""
    found = rest.client.request("GET", f"{PREFIX}/openapi.json").json()["paths"]
    reading = [
        (path.removeprefix(PREFIX), None)
        for path, methods in found.items()
        if "get" in methods and not path.endswith("/events")
    ]
    calls = [(re.sub(r"{\w+}", "hostile", path), body) for path, body in reading]
    verbs = ("execute", "run", "pause", "resume", "retry", "cancel", "skip")
    kinds = ("executions", "schedules", "tasks")
    acts: list[tuple[str, Any]] = [
        (f"/{kind}/hostile/{one}", {}) for kind in kinds for one in verbs
    ]
    by_name = {"name": "x", "module_id": HOSTILE, "function_name": "run"}
    return [
        *calls,
        ("/tasks", by_name),
        *acts,
        ("/queue/resume", ALL),
        (f"/executions/{made}", None),
    ]
