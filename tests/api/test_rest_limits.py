"""REST: bodies that are too long, cut short or missing, in any application."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from advanced_scheduler.api import Scope, limits, scheduler_router
from advanced_scheduler.api.limits import BODY_BYTES

from .raw import Connection, asked, part, scope_of
from .rest import PREFIX, Rest

PAUSE = f"{PREFIX}/queue/pause"
JSON = (b"content-type", b"application/json")
ALL = b'{"everything":true}'


@pytest.fixture(params=["create_app", "scheduler_router"])
def app(request: pytest.FixtureRequest, rest: Rest) -> Any:
    """The service by itself, and in an application that has no limit of its own."""
    if request.param == "create_app":
        return rest.client.app
    host = FastAPI()
    host.include_router(scheduler_router(rest.scheduler))
    return host


def test_a_body_that_says_it_is_too_long_is_not_read(rest: Rest, app: Any) -> None:
    length = (b"content-length", str(BODY_BYTES + 1).encode())
    status, problem, read = asked(
        rest, JSON, length, method="POST", path=PAUSE, parts=[part(b"x")], app=app
    )
    assert (status, problem["code"], read) == (413, "body-too-long", 0)


def test_a_body_in_chunks_is_read_up_to_the_limit(rest: Rest, app: Any) -> None:
    parts = [part(b" " * (BODY_BYTES // 2), more=True) for _ in range(9)]
    status, problem, read = asked(rest, JSON, method="POST", path=PAUSE, parts=parts, app=app)
    assert (status, problem["code"], read) == (413, "body-too-long", 3)
    fits = [part(ALL, more=True), part(b" " * (BODY_BYTES - len(ALL)))]
    assert asked(rest, JSON, method="POST", path=PAUSE, parts=fits, app=app)[0] == 200


def test_a_client_that_goes_before_the_last_part_has_asked_for_nothing(
    rest: Rest, app: Any
) -> None:
    for parts in ([], [part(b"", more=True)], [part(ALL, more=True)]):
        status, problem, _ = asked(rest, JSON, method="POST", path=PAUSE, parts=parts, app=app)
        assert (status, problem["code"]) == (400, "body-cut-short")
    assert not rest.get("/queue")["paused"]


def test_a_length_that_is_no_number_is_refused(rest: Rest) -> None:
    parts = [part(ALL)]
    for length in (b"-1", b"+1", b"1_0", b"x", b"", "²".encode("latin-1")):
        said = (b"content-length", length)
        assert asked(rest, JSON, said, method="POST", path=PAUSE, parts=parts)[0] == 400
    twice = [(b"content-length", b"19"), (b"content-length", b"1")]
    assert asked(rest, JSON, *twice, method="POST", path=PAUSE, parts=parts)[0] == 400
    long = (b"content-length", b"9" * 5_000)
    assert asked(rest, JSON, long, method="POST", path=PAUSE, parts=parts)[0] == 413


def test_a_body_whose_end_is_said_twice_is_refused(rest: Rest) -> None:
    """A proxy that goes by the other one would take its rest for a request."""
    said = [(b"content-length", b"19"), (b"transfer-encoding", b"chunked")]
    status, problem, read = asked(rest, JSON, *said, method="POST", path=PAUSE, parts=[part(ALL)])
    assert (status, problem["code"], read) == (400, "invalid-length", 0)


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    rest: Rest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.01)
    scope = {**scope_of(PAUSE, [JSON]), "method": "POST"}
    slow = Connection(rest.client.app, scope, part(ALL[:5], more=True))
    asyncio.run(slow.run())
    assert slow.sent[0]["status"] == 408
    assert (b"connection", b"close") in slow.sent[0]["headers"]
    assert not rest.get("/queue")["paused"]


def test_who_may_not_is_refused_before_anything_is_read(rest: Rest) -> None:
    may = rest.key(Scope.READ)["authorization"].encode()
    for headers, status in ([], 401), ([(b"authorization", may)], 403):
        found = asked(rest, *headers, method="POST", path=PAUSE, parts=[part(ALL)])
        assert (found[0], found[2]) == (status, 0)


def test_what_to_pause_must_be_said(rest: Rest) -> None:
    both = {"everything": True, "queue": "a"}
    for body in (None, {}, {"everything": False}, {"everything": None}, both):
        for verb in ("pause", "resume"):
            assert rest.post(f"/queue/{verb}", body, 422)["code"] == "invalid-request"
    assert not rest.get("/queue")["paused"]
