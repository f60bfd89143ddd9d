"""REST: who may do what, what is noted, and what is too much."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from advanced_scheduler.api import Principal, Scope
from advanced_scheduler.models import Record, RecordKind

from .raw import asked
from .rest import ALL, NOW, PREFIX, Rest, serving


def test_who_asks_from_elsewhere_needs_a_key(far: Rest) -> None:
    assert far.get("/tasks", 401)["code"] == "unauthorized"
    assert far.get("/tasks", 401, headers={"authorization": "Bearer ask_wrong"})
    assert far.get("/tasks", headers=far.key(Scope.READ))["tasks"]


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.WRITE, Scope.ADMIN])
def test_a_scope_includes_those_before_it_and_no_other(far: Rest, scope: Scope) -> None:
    may = far.key(scope)
    allowed = 202
    far.post("/tasks/add/execute", {"args": [1]}, allowed, headers=may)
    paused = 200 if scope is not Scope.RUN else 403
    far.post("/queue/pause", ALL, status=paused, headers=may)
    listed = 200 if scope is Scope.ADMIN else 403
    far.get("/keys", listed, headers=may)


def test_a_proxy_does_not_pass_for_this_machine(rest: Rest) -> None:
    for name in (
        *("forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
        *("x-real-ip", "cf-connecting-ip", "cf-ray", "true-client-ip", "x-client-ip"),
    ):
        assert rest.get("/tasks", 401, headers={name: "127.0.0.1"})["code"] == "unauthorized"


def test_the_name_of_this_machine_is_one_that_no_other_can_have(rest: Rest) -> None:
    for host, status in (
        ("localhost", 200),
        ("LocalHost:8000", 200),
        ("127.0.0.1", 200),
        ("127.9.9.9:80", 200),
        ("[::1]", 200),
        ("[::1]:8000", 200),
        ("evil.example", 401),
        ("evil.example:8000", 401),
        ("localhost.evil.example", 401),
        ("127.0.0.1.evil.example", 401),
        ("127.0.0.1:8000@evil.example", 401),
        ("10.0.0.1", 401),
        ("0.0.0.0", 401),
        ("localhost:x", 401),
        ("", 401),
    ):
        assert rest.get("/tasks", status, headers={"host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_elsewhere_does_not_act_for_whoever_sits_here(
    rest: Rest, headers: dict[str, str]
) -> None:
    assert rest.get("/tasks", 403, headers=headers)["code"] == "cross-site"
    assert rest.post("/session", {"key": "x"}, 403, headers=headers)["code"] == "cross-site"
    assert not rest.scheduler.store.records(RecordKind.AUDIT), "nothing of what strangers try"
    assert rest.post("/queue/pause", ALL, 403, headers=headers)
    (line,) = rest.scheduler.store.records(RecordKind.AUDIT)
    assert line.data["outcome"] == 403


def test_a_call_of_http_1_0_comes_of_a_proxy(rest: Rest) -> None:
    assert [asked(rest, version=one)[0] for one in ("1.0", "1.1", "2")] == [401, 200, 200]


def test_two_headers_where_one_is_meant_are_none(rest: Rest) -> None:
    known = rest.key(Scope.READ)["authorization"].encode()
    two = [(b"authorization", known), (b"authorization", b"Bearer ask_other")]
    assert asked(rest, *two[:1])[0] == 200
    assert asked(rest, *two)[0] == 401
    assert asked(rest, *reversed(two))[0] == 401
    rest.scheduler.store.drop_records(RecordKind.KEY, [sha256(known[7:]).hexdigest()])
    assert asked(rest)[0] == 200
    assert asked(rest, (b"host", b"evil.example"))[0] == 401, "a second one"


def test_local_access_ends_with_the_first_key_be_it_an_expired_one(rest: Rest) -> None:
    assert rest.get("/tasks")
    soon = NOW + timedelta(seconds=1)
    made = rest.post(
        "/keys", {"name": "ops", "scopes": ["read"], "expires_time": soon.isoformat()}, 201
    )
    assert rest.get("/tasks", 401)
    rest.clock.advance(seconds=1)
    assert rest.get("/tasks", 401)
    rest.scheduler_keys.revoke(made["id"])
    assert rest.get("/tasks")


def test_local_access_can_be_switched_off() -> None:
    with serving(trust_local=False) as rest:
        assert rest.get("/tasks", 401)
        assert rest.get("/tasks", headers=rest.key(Scope.READ))


def test_the_check_of_the_host_decides_alone() -> None:
    async def check(request: Any) -> Principal | None:
        name = request.headers.get("x-user")
        return None if name is None else Principal(name=name, scopes=frozenset({Scope.READ}))

    with serving(authenticate=check) as rest:
        assert rest.get("/tasks", 401)
        assert rest.get("/tasks", headers={"x-user": "ada"})
        assert rest.post("/queue/pause", ALL, status=403, headers={"x-user": "ada"})


def test_a_page_elsewhere_does_not_act_for_whom_the_host_knows_by_a_cookie() -> None:
    """One that may send ``Authorization`` was let by the host; a GET tells that page nothing."""
    boss = Principal(name="boss", scopes=frozenset(Scope))
    elsewhere = {"origin": "https://evil.example"}
    with serving(authenticate=lambda _: boss) as rest:
        assert rest.post("/tasks/add/pause", None, 403, headers=elsewhere)["code"] == "cross-site"
        assert rest.post("/queue/pause", ALL, headers={"origin": "http://127.0.0.1:8000"})
        assert rest.post("/queue/resume", ALL, headers={**elsewhere, "authorization": "Token t"})
        assert rest.get("/tasks", headers=elsewhere)


def test_keys_are_made_listed_and_revoked(far: Rest) -> None:
    admin = far.key(Scope.ADMIN, name="ops")
    made = far.post("/keys", {"name": "ci", "scopes": ["run"]}, 201, headers=admin)
    listed, _ = far.get("/keys", headers=admin)["items"]
    assert (listed["id"], listed["name"], "key" in listed) == (made["id"], "ci", False)
    assert far.scheduler_keys.bearer(made["key"]).name == "ci"
    assert far.ask("DELETE", f"/keys/{made['id']}", headers=admin) == {
        "status": "revoked",
        "warning": None,
    }
    gone = far.ask("DELETE", f"/keys/{made['id']}", 404, headers=admin)
    assert gone["code"] == "key-not-found"


def test_a_key_that_is_over_opens_nothing_on_any_node(far: Rest) -> None:
    may = far.key(Scope.READ, expires=NOW + timedelta(hours=1))
    far.clock.advance(timedelta(hours=1) - timedelta(microseconds=1))
    assert far.get("/tasks", headers=may)
    far.clock.advance(timedelta(microseconds=1))
    assert far.get("/tasks", 401, headers=may)
    body = {"name": "late", "scopes": ["read"], "expires_time": NOW.isoformat()}
    assert far.post("/keys", body, 422, headers=far.key(Scope.ADMIN))["code"] == "invalid-value"


def test_all_keys_are_found_however_many_there_are(far: Rest) -> None:
    for number in range(2_100):
        token = sha256(str(number).encode()).hexdigest()
        data = {"name": f"key {number}", "scopes": ["read"], "key_id": token[:12]}
        record = Record(kind=RecordKind.KEY, record_id=token, written_time=NOW, data=data)
        far.scheduler.store.save_record(record)
    assert len(far.scheduler_keys.all()) == 2_100
    for one in far.scheduler_keys.all()[::700]:
        far.scheduler_keys.revoke(one.key_id)
    assert len(far.scheduler_keys.all()) == 2_097


def test_what_changes_something_leaves_a_line_in_the_audit(far: Rest) -> None:
    may = far.key(Scope.RUN)
    far.post("/tasks/add/execute", {"args": ["hush"]}, 202, headers={**may, "x-request-id": "r1"})
    far.post("/queue/pause", ALL, status=403, headers=may)
    far.post("/tasks/a%00b/execute", status=422, headers=may)
    far.post("/workflows", {"tasks": []}, 422, headers=may)
    far.get("/tasks", headers=may)
    far.post("/tasks/add/execute", status=401)
    wrong, missed, refused, ran = far.get("/audit", headers=may)["items"]
    assert (ran["who"], ran["target"], ran["outcome"]) == ("somebody", "add", 202)
    assert (ran["request_id"], ran["details"]) == ("r1", {})
    assert (refused["action"], refused["outcome"]) == (f"POST {PREFIX}/queue/pause", 403)
    assert refused["details"] == {"refused": "forbidden"}
    assert (missed["target"], missed["outcome"]) == ("a\\x00b", 422)
    assert wrong["details"] == {"tasks": [], "refused": "invalid-request"}


def test_the_audit_says_what_was_asked_and_tells_no_secret(far: Rest) -> None:
    admin = far.key(Scope.ADMIN, name="ops")
    far.post("/queue/pause", {"queue": "mail"}, headers=admin)
    made = far.post("/keys", {"name": "ci", "scopes": ["run"]}, 201, headers=admin)
    far.post("/session", {"key": admin["authorization"][7:]}, 201)
    far.post("/session", {"key": "ask_wrong"}, 401)
    logged_in, created, paused = far.get("/audit", headers=admin)["items"]
    assert paused["details"] == {"queue": "mail"}
    assert created["target"] == made["id"]
    assert created["details"] == {"name": "ci", "scopes": ["run"]}
    assert (logged_in["who"], logged_in["details"]) == ("ops", {})
    assert made["key"] not in str(far.get("/audit", headers=admin))


def test_a_line_is_kept_for_a_year(far: Rest) -> None:
    may = far.key(Scope.WRITE)
    far.post("/queue/pause", {"queue": "a"}, headers=may)
    far.clock.advance(days=366)
    far.post("/queue/pause", {"queue": "b"}, headers=may)
    (line,) = far.get("/audit", headers=may)["items"]
    assert line["details"] == {"queue": "b"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"a":' * 10_000,
        b"null",
        b"[]",
        b"1e999",
        b'"\\ud800"',
    ],
)
def test_a_body_that_is_nonsense_is_no_fault_of_the_server(rest: Rest, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    for path in ("/tasks", "/schedules", "/executions/batch", "/keys", "/workflows"):
        answer = rest.client.request("POST", PREFIX + path, content=content, headers=headers)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("query", ["limit=-1", "limit=0", "limit=x", "cursor=", "colour=red"])
def test_a_query_that_is_nonsense_is_refused(rest: Rest, query: str) -> None:
    assert rest.get(f"/executions?{query}", 422)["errors"]


@pytest.mark.parametrize(
    ("path", "there"),
    [("/schedules", "cursor, limit, name, status, tag, task_id"), ("/nodes", "there are none")],
)
def test_a_parameter_that_there_is_not_is_refused_and_those_that_there_are_named(
    rest: Rest, path: str, there: str
) -> None:
    refused = rest.get(f"{path}?state=paused", 422)
    assert "'state'" in refused["detail"]
    assert there in refused["detail"]
    assert refused["errors"][0]["pointer"] == "query:state"


def test_a_path_and_a_method_that_there_are_not(rest: Rest) -> None:
    assert rest.get("/nothing", 404)["code"] == "not-found"
    assert rest.ask("PUT", "/tasks", 405)["code"] == "method-not-allowed"
