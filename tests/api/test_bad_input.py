"""Whatever is sent: a problem of the caller is a 4xx that says so, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advanced_scheduler.stores import open_store
from advanced_scheduler.triggers import IntervalTrigger

from .rest import PREFIX, Rest, serving

JSON: Final = {"content-type": "application/json"}
RUN: Final = "/tasks/add/execute"
ODD: Final = ("\0", "\ud800", "a\0b")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def anywhere(url_of_each: str) -> Iterator[Rest]:
    """A service on each kind of store."""
    with serving(open_store(url_of_each, auto_migrate=True)) as found:
        yield found


def refused(rest: Rest, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """The status and the problem that a call is answered with; its texts hide the inside."""
    answer = rest.client.request(method, f"{PREFIX}{path}", **more)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    return answer.status_code, answer.json()


def test_what_no_store_takes_is_refused_wherever_it_stands(anywhere: Rest) -> None:
    for path in ("/tasks/%00", "/executions/%00", "/schedules/%00", "/workflows/a%00b"):
        assert refused(anywhere, "GET", path)[0] == 422
    for query in ("task_id=%00", "cursor=%00", "text=%00", "queue=a%00b"):
        assert refused(anywhere, "GET", f"/executions?{query}")[0] == 422
    for odd in ODD:
        bodies = [("queue", odd), ("unique", odd), ("tags", [odd])]
        for name, value in bodies:
            body = json.dumps({"args": [1], name: value})
            status, told = refused(anywhere, "POST", RUN, content=body, headers=JSON)
            assert (status, told["errors"][0]["pointer"].split("/")[1]) == (422, name)
    assert anywhere.get("/executions")["executions"] == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"args": ', JSON, 400),
        (b"\xff\xfe\xff", JSON, 400),
        (b"[" * 10_000 + b"]" * 10_000, JSON, 400),
        (b'{"args": [' + b"[" * 10_000 + b"]" * 10_000 + b"]}", JSON, 400),
        (b'{"args": [1]}', {"content-type": "text/plain"}, 415),
        (b'{"args": [1]}', {}, 415),
        (b" " * 20_000_000, JSON, 413),
        (b'{"args": 1}', JSON, 422),
        (b'{"args": [1], "colour": "red"}', JSON, 422),
        (b'{"args": [1], "delay": -1}', JSON, 422),
        (b'{"args": [1], "delay": Infinity}', JSON, 422),
        (b'{"args": [1], "delay": true}', JSON, 422),
        (b'{"args": [1], "at": "yesterday"}', JSON, 422),
        (b'{"args": [1], "at": "0001-01-01T00:00:00+10:00"}', JSON, 422),
        (b'{"args": [NaN]}', JSON, 422),
        (b'{"args": ["\\ud800"]}', JSON, 422),
        (b'{"args": [1], "kwargs": {"\\udfff": 1}}', JSON, 422),
        (b"[]", JSON, 422),
    ],
    ids=range(18),
)
def test_a_body_that_is_none_is_refused(
    rest: Rest, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert refused(rest, "POST", RUN, content=content, headers=headers)[0] == status
    assert rest.get("/executions")["executions"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/executions?limit=-1", 422),
        ("GET", "/executions?limit=1e9", 422),
        ("GET", "/executions?colour=red", 422),
        ("GET", "/executions?since=12345", 422),
        ("GET", "/executions/unknown", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/tasks", 405),
        ("POST", "/schedules/s/rollback/99999999999999999999", 422),
    ],
)
def test_a_wrong_address_is_refused(rest: Rest, method: str, path: str, status: int) -> None:
    assert refused(rest, method, path)[0] == status


def test_broken_json_says_where_it_breaks(rest: Rest) -> None:
    _, told = refused(rest, "POST", RUN, content=b'{"args": [1,]}', headers=JSON)
    assert told["code"] == "invalid-json"
    assert "character 12" in told["detail"] or "character 11" in told["detail"]
    assert "errors" not in told


def test_who_is_not_known_is_told_so_whatever_is_sent() -> None:
    with serving(client=("10.0.0.1", 1)) as rest:
        for headers in ({}, {"authorization": "Bearer ask_false"}, {"authorization": "Bearer x"}):
            sent = {**JSON, **headers}
            assert refused(rest, "POST", RUN, content=b"{", headers=sent)[0] == 401


def test_500_bodies_of_any_kind_are_answered_as_they_deserve(rest: Rest) -> None:
    paths = ("/tasks", RUN, "/schedules", "/schedules/preview", "/workflows", "/executions/batch")

    @settings(
        max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(st.sampled_from(paths), anything, st.sampled_from(["cron", "args", "trigger", "ids"]))
    def sent(path: str, value: object, name: str) -> None:
        body = json.dumps({"task_id": "add", name: value} if path != RUN else {name: value})
        answer = rest.client.request("POST", f"{PREFIX}{path}", content=body, headers=JSON)
        assert answer.status_code < 500, (path, body, answer.text)

    sent()


def test_a_fault_of_a_cron_text_points_at_its_field(rest: Rest) -> None:
    made = rest.post("/schedules", {"task_id": "add", "cron": "0 * * * *", "args": [1]}, 201)
    for method, path in (("POST", "/schedules/preview"), ("PATCH", f"/schedules/{made['id']}")):
        for field, body in (("cron", {"cron": "61 * * * *"}), ("timezone", {"cron": "@daily"})):
            sent = {**body, **({"timezone": "Mars/Base"} if field == "timezone" else {})}
            status, told = refused(rest, method, path, json=sent)
            assert (status, [one["pointer"] for one in told["errors"]]) == (422, [f"/{field}"])


def test_a_name_may_have_every_printable_character(rest: Rest) -> None:
    name = "".join(map(chr, range(33, 127))) + " a%2Fb é任务"
    rest.scheduler.create_schedule("add", IntervalTrigger(60), schedule_id=name, args=[1])
    address = f"/schedules/{quote(name, safe='')}"
    assert rest.get(address)["id"] == name
    made = rest.post(f"{address}/run", {}, 202)["execution_id"]
    assert rest.get(f"/executions/{made}")["schedule_id"] == name
    assert rest.get("/audit")["items"][0]["target"] == name
    assert rest.get("/schedules/a/b", 404)
