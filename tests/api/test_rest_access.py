"""REST: who may do what, what is noted, and what is too much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from advanced_scheduler.api import Principal, Scope

from .rest import PREFIX, Rest, serving

FAR: Final = ("203.0.113.9", 50_000)


@pytest.fixture
def far() -> Iterator[Rest]:
    """The same service, asked from another machine."""
    with serving(client=FAR) as found:
        yield found


def key(rest: Rest, *scopes: Scope) -> dict[str, str]:
    """The header that shows a key of these scopes."""
    token, _ = rest.scheduler_keys.create("somebody", scopes)
    return {"authorization": f"Bearer {token}"}


def test_who_asks_from_elsewhere_needs_a_key(far: Rest) -> None:
    assert far.get("/tasks", 401)["code"] == "unauthorized"
    assert far.get("/tasks", 401, headers={"authorization": "Bearer ask_wrong"})
    assert far.get("/tasks", headers=key(far, Scope.READ))["tasks"]


@pytest.mark.parametrize("scope", [Scope.RUN, Scope.WRITE, Scope.ADMIN])
def test_a_scope_includes_those_before_it_and_no_other(far: Rest, scope: Scope) -> None:
    may = key(far, scope)
    allowed = 202
    far.post("/tasks/add/execute", {"args": [1]}, allowed, headers=may)
    paused = 200 if scope is not Scope.RUN else 403
    far.post("/queue/pause", status=paused, headers=may)
    listed = 200 if scope is Scope.ADMIN else 403
    far.get("/keys", listed, headers=may)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_a_proxy_or_a_page_elsewhere_does_not_pass_for_this_machine(
    rest: Rest, headers: dict[str, str]
) -> None:
    answer = rest.client.request("GET", f"{PREFIX}/tasks", headers=headers)
    assert answer.status_code in (401, 403)


def test_the_check_of_the_host_decides_alone() -> None:
    async def check(request: Any) -> Principal | None:
        name = request.headers.get("x-user")
        return None if name is None else Principal(name=name, scopes=frozenset({Scope.READ}))

    with serving(authenticate=check) as rest:
        assert rest.get("/tasks", 401)
        assert rest.get("/tasks", headers={"x-user": "ada"})
        assert rest.post("/queue/pause", status=403, headers={"x-user": "ada"})


def test_keys_are_made_listed_and_revoked(rest: Rest) -> None:
    made = rest.post("/keys", {"name": "ci", "scopes": ["run"]}, 201)
    (listed,) = rest.get("/keys")["items"]
    assert (listed["id"], "key" in listed) == (made["id"], False)
    assert rest.scheduler_keys.bearer(made["key"]).name == "ci"
    assert rest.ask("DELETE", f"/keys/{made['id']}") == {"status": "revoked"}
    assert rest.ask("DELETE", f"/keys/{made['id']}", 404)["code"] == "key-not-found"


def test_a_browser_gets_a_cookie_and_says_its_word_when_it_changes_something(far: Rest) -> None:
    token, _ = far.scheduler_keys.create("ada", [Scope.WRITE])
    answer = far.client.request("POST", f"{PREFIX}/session", json={"key": token})
    assert answer.status_code == 201
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    assert far.get("/tasks", headers=cookie)["tasks"]
    assert far.post("/queue/pause", status=403, headers=cookie)["code"] == "csrf"
    far.post("/queue/pause", headers={**cookie, "x-csrf-token": answer.json()["csrf"]})
    far.ask("DELETE", "/session", headers={**cookie, "x-csrf-token": answer.json()["csrf"]})
    assert far.get("/tasks", 401, headers=cookie)


def test_what_changes_something_leaves_a_line_in_the_audit(far: Rest) -> None:
    may = key(far, Scope.RUN)
    far.post("/tasks/add/execute", {"args": [1]}, 202, headers=may)
    far.post("/queue/pause", status=403, headers=may)
    far.get("/tasks", headers=may)
    refused, ran = far.get("/audit", headers=may)["items"]
    assert (ran["who"], ran["target"], ran["outcome"]) == ("somebody", "add", 202)
    assert (refused["action"], refused["outcome"]) == (f"POST {PREFIX}/queue/pause", 403)


def test_a_long_body_is_refused_before_it_is_read(rest: Rest) -> None:
    answer = rest.client.request("POST", f"{PREFIX}/tasks", content=b"x" * (1024 * 1024 + 1))
    assert answer.status_code == 413
    assert answer.json()["code"] == "body-too-long"


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


def test_a_path_and_a_method_that_there_are_not(rest: Rest) -> None:
    assert rest.get("/nothing", 404)["code"] == "not-found"
    assert rest.ask("PUT", "/tasks", 405)["code"] == "method-not-allowed"
