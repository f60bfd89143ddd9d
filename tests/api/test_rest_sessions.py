"""REST: sessions of browsers, tickets, and streams: none outlives the key that has opened it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from advanced_scheduler import ManualClock
from advanced_scheduler.api import Principal, Scope, scheduler_router
from advanced_scheduler.api.auth import Keyring
from advanced_scheduler.api.live import HEARTBEAT_SECONDS
from advanced_scheduler.api.problems import Problem
from advanced_scheduler.api.shared_time import SharedClock
from advanced_scheduler.api.sockets import GOING_AWAY, REFUSED, VOUCHED_SECONDS
from advanced_scheduler.models import Record, RecordKind
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.waiting import eventually, eventually_async

from .raw import Socket, Stream
from .rest import ALL, FAR, HERE, NOW, PREFIX, Client, Rest, serving

END: Final = NOW + timedelta(hours=1)


class Browser:
    """Somebody who has logged in with a key of these scopes."""

    def __init__(self, rest: Rest, *scopes: Scope, **more: Any) -> None:
        self.token, self.key = rest.scheduler_keys.create("ada", scopes, **more)
        body = {"key": self.token}
        self.answer = rest.client.request("POST", f"{PREFIX}/session", json=body)
        assert self.answer.status_code == 201
        self.cookie = {"cookie": self.answer.headers["set-cookie"].partition(";")[0]}
        self.word = {**self.cookie, "x-csrf-token": self.answer.json()["csrf"]}


def test_a_browser_gets_a_cookie_that_no_script_and_no_other_site_can_use(far: Rest) -> None:
    answer = Browser(far, Scope.WRITE).answer
    said = {one.strip().lower() for one in answer.headers["set-cookie"].split(";")[1:]}
    assert said == {"httponly", "samesite=strict", "path=/"}
    assert answer.json()["name"] == "ada"
    assert answer.json()["scopes"] == ["write"]
    assert "ask_" not in answer.headers["set-cookie"]


def test_the_cookie_is_for_where_the_service_is_and_for_https_alone_behind_it(far: Rest) -> None:
    token, _ = far.scheduler_keys.create("ada", [Scope.READ])
    host = FastAPI()
    host.include_router(scheduler_router(far.scheduler), prefix="/ops")

    client = Client(host, FAR)

    def cookie(method: str, **headers: str) -> str:
        body = {"key": token} if method == "POST" else None
        found = client.request(method, f"/ops{PREFIX}/session", json=body, headers=headers)
        return found.headers["set-cookie"]

    said = cookie("POST")
    assert "Path=/ops/;" in said
    assert "Secure" not in said
    assert "Secure" in cookie("POST", **{"x-forwarded-proto": "https"})
    browser = Browser(far, Scope.READ)
    assert "Path=/ops/;" in cookie("DELETE", **browser.word)


def test_what_a_cookie_changes_needs_the_word(far: Rest) -> None:
    browser, other = Browser(far, Scope.WRITE), Browser(far, Scope.WRITE)
    assert far.get("/tasks", headers=browser.cookie)["tasks"]
    wrong: tuple[dict[str, str], ...] = ({}, {"x-csrf-token": ""}, {"x-csrf-token": "x"})
    for one in (*wrong, {"x-csrf-token": other.word["x-csrf-token"]}):
        refused = far.post("/queue/pause", ALL, 403, headers={**browser.cookie, **one})
        assert refused["code"] == "csrf"
    far.post("/queue/pause", ALL, headers=browser.word)
    lines = far.get("/audit", headers=browser.cookie)["items"]
    assert [one["outcome"] for one in lines] == [200, 403, 403, 403, 403, 201, 201]


def test_a_page_asks_for_its_word(far: Rest) -> None:
    browser = Browser(far, Scope.RUN)
    told = far.get("/session", headers=browser.cookie)
    assert told == {"name": "ada", "scopes": ["run"], "csrf": browser.answer.json()["csrf"]}
    with_key = far.get("/session", headers={"authorization": f"Bearer {browser.token}"})
    assert with_key["csrf"] is None
    assert far.get("/session", 401)


def test_a_session_ends_when_it_is_left(far: Rest) -> None:
    browser = Browser(far, Scope.READ)
    assert far.ask("DELETE", "/session", 403, headers=browser.cookie)
    far.ask("DELETE", "/session", headers=browser.word)
    assert far.get("/tasks", 401, headers=browser.cookie)
    assert far.ask("DELETE", "/session", 401, headers=browser.word)


def test_a_session_holds_no_longer_than_its_key(far: Rest) -> None:
    short, revoked = Browser(far, Scope.READ, expires=END), Browser(far, Scope.READ)
    assert far.get("/tasks", headers=short.cookie)
    far.clock.set(END)
    assert far.get("/tasks", 401, headers=short.cookie)
    far.scheduler_keys.revoke(revoked.key.key_id)
    assert far.get("/tasks", 401, headers=revoked.cookie)
    long = Browser(far, Scope.READ)
    far.clock.advance(hours=12)
    assert far.get("/tasks", 401, headers=long.cookie)


def test_a_session_may_what_its_key_may_by_now(far: Rest) -> None:
    browser = Browser(far, Scope.ADMIN)
    (record,) = far.scheduler.store.records(RecordKind.KEY)
    data = {**record.data, "scopes": ["read"]}
    far.scheduler.store.save_record(
        Record(kind=RecordKind.KEY, record_id=record.record_id, written_time=NOW, data=data)
    )
    assert far.post("/queue/pause", ALL, 403, headers=browser.word)["code"] == "forbidden"


def test_a_cookie_of_long_ago_does_not_lock_out_who_needs_none(rest: Rest) -> None:
    assert rest.get("/tasks", headers={"cookie": "advanced_scheduler_session=old"})


class Revoking(MemoryStore):
    """Revokes the key at the moment when a session or a ticket of it is written."""

    armed: RecordKind | None = None
    revoke: Callable[[], None]

    def save_record(
        self, record: Record, *, new: bool = False, expected: datetime | None = None
    ) -> bool:
        if record.kind is self.armed:
            self.armed = None
            self.revoke()
        return super().save_record(record, new=new, expected=expected)


def test_who_logs_in_while_the_key_is_revoked_is_not_let_in() -> None:
    store = Revoking()
    with serving(client=FAR) as rest:
        keys = Keyring(store, rest.clock)
        token, key = keys.create("ada", [Scope.READ])
        store.revoke = lambda: keys.revoke(key.key_id)
        store.armed = RecordKind.SESSION
        with pytest.raises(Problem, match="revoked"):
            keys.log_in(token)
        token, key = keys.create("ada", [Scope.READ])
        store.revoke = lambda: keys.revoke(key.key_id)
        store.armed = RecordKind.TICKET
        ticket = keys.ticket(keys.bearer(token))
        with pytest.raises(Problem, match="revoked"):
            keys.take_ticket(ticket)


def test_a_node_whose_clock_is_wrong_goes_by_that_of_the_server(postgres_schema: str) -> None:
    store = open_store(postgres_schema, auto_migrate=True)
    store.open()
    with closing(store):
        told = store.time()
        assert told is not None
        ahead = ManualClock(told + timedelta(days=365))
        keys = Keyring(store, SharedClock(store, ahead))
        token, _ = keys.create("ada", [Scope.READ], told + timedelta(seconds=30))
        session = keys.session(keys.log_in(token).token)
        assert keys.take_ticket(keys.ticket(session.principal)).name == "ada"
        ahead.advance(seconds=40)
        with pytest.raises(Problem, match="expired"):
            keys.bearer(token)


# --- streams --------------------------------------------------------------------------------


def stir(rest: Rest) -> bool:
    """Let something happen after the time of a heartbeat; always True."""
    rest.clock.advance(seconds=HEARTBEAT_SECONDS)
    return bool(rest.scheduler.schedule_task("add", 1))


def until_it_hears(rest: Rest, stream: Stream) -> None:
    said = eventually(lambda: stream.text)  # until then what opens it must not run out
    eventually(lambda: stir(rest) and len(stream.text) > len(said) + len("retry: 2000"))
    assert not stream.over


def until_it_ends(rest: Rest, stream: Stream) -> None:
    eventually(lambda: stir(rest) and stream.over)


def test_a_stream_ends_with_its_key(far: Rest) -> None:
    short = far.key(Scope.READ, expires=NOW + timedelta(days=1))
    stream = Stream(far.client.app, short, FAR).start()
    until_it_hears(far, stream)
    far.clock.advance(days=1)
    until_it_ends(far, stream)


def test_a_stream_ends_with_its_session(far: Rest) -> None:
    for end in (
        lambda browser: far.ask("DELETE", "/session", headers=browser.word),
        lambda browser: far.scheduler_keys.revoke(browser.key.key_id),
    ):
        browser = Browser(far, Scope.READ)
        stream = Stream(far.client.app, browser.cookie, FAR).start()
        until_it_hears(far, stream)
        end(browser)
        until_it_ends(far, stream)


def test_a_local_stream_ends_with_the_first_key(rest: Rest) -> None:
    stream = Stream(rest.client.app, {}, HERE).start()
    until_it_hears(rest, stream)
    rest.key(Scope.READ)
    until_it_ends(rest, stream)


def test_a_stream_ends_when_the_host_knows_the_caller_no_more() -> None:
    known = [Principal(name="ada", scopes=frozenset({Scope.READ}))]
    with serving(authenticate=lambda _: known[0] if known else None) as rest:
        stream = Stream(rest.client.app, {}, FAR).start()
        until_it_hears(rest, stream)
        known.clear()
        until_it_ends(rest, stream)


def test_a_stream_ends_with_the_application(rest: Rest) -> None:
    async def live_and_end() -> None:
        stream = Stream(rest.client.app, {}, HERE)
        async with rest.client.app.router.lifespan_context(rest.client.app):
            running = asyncio.create_task(stream.run())
            await eventually_async(lambda: stream.text)
        await asyncio.wait_for(running, 30)
        assert stream.over

    asyncio.run(live_and_end())


# --- sockets --------------------------------------------------------------------------------


def ticket(rest: Rest, headers: dict[str, str]) -> str:
    """The query of a socket that it opens."""
    return f"ticket={rest.post('/tickets', headers=headers)['ticket']}"


def opened(rest: Rest, query: str, **headers: str) -> bool:
    """Whether a socket was let in."""
    socket = Socket(rest.client.app, query, headers).start()
    return eventually(lambda: socket.is_open or socket.code) is True


def test_a_ticket_opens_one_socket_within_half_a_minute(far: Rest) -> None:
    may = far.key(Scope.READ)
    query = ticket(far, may)
    assert opened(far, query)
    assert not opened(far, query)
    late = ticket(far, may)
    far.clock.advance(seconds=30)
    assert not opened(far, late)


def test_a_ticket_of_a_key_that_is_revoked_opens_nothing(far: Rest) -> None:
    token, key = far.scheduler_keys.create("ada", [Scope.READ])
    query = ticket(far, {"authorization": f"Bearer {token}"})
    far.scheduler_keys.revoke(key.key_id)
    assert not opened(far, query)


def test_a_socket_takes_no_cookie_no_key_in_its_address_and_no_page_of_another_site(
    far: Rest,
) -> None:
    browser = Browser(far, Scope.ADMIN)
    assert not opened(far, "")
    assert not opened(far, "", **browser.word)
    for name in ("ticket", "key", "token", "authorization"):
        assert not opened(far, f"{name}={browser.token}")
    assert not opened(far, ticket(far, browser.word), origin="https://evil.example")
    assert opened(far, ticket(far, browser.word), origin="http://127.0.0.1:8000")
    assert opened(far, "", authorization=f"Bearer {browser.token}")


def test_a_socket_is_closed_when_its_key_is_revoked(far: Rest) -> None:
    browser = Browser(far, Scope.READ)
    socket = Socket(far.client.app, ticket(far, browser.word), {}).start()
    eventually(lambda: socket.is_open)  # before the time goes on, which the ticket has little of
    eventually(lambda: stir(far) and "execution.scheduled" in socket.text)
    assert socket.is_open
    far.scheduler_keys.revoke(browser.key.key_id)
    eventually(lambda: stir(far) and socket.code)
    assert socket.code == REFUSED


@pytest.mark.parametrize("later", [None, Principal(name="ada", scopes=frozenset())])
def test_a_socket_is_closed_when_the_host_lets_the_caller_read_no_more(
    later: Principal | None,
) -> None:
    known: list[Principal | None] = [Principal(name="ada", scopes=frozenset({Scope.READ}))]
    with serving(authenticate=lambda _: known[-1]) as rest:
        socket = Socket(rest.client.app, "", {}).start()
        eventually(lambda: stir(rest) and socket.text)
        known.append(later)
        eventually(lambda: stir(rest) and socket.code)
        assert socket.code == REFUSED


def test_a_ticket_stands_for_a_while_for_whom_the_host_does_not_know_by_the_socket() -> None:
    def check(connection: HTTPConnection) -> Principal | None:
        if connection.headers.get("x-user") is None:
            return None
        return Principal(name="ada", scopes=frozenset({Scope.READ}))

    with serving(authenticate=check) as rest:
        socket = Socket(rest.client.app, ticket(rest, {"x-user": "ada"}), {}).start()

        def hear() -> None:
            """Asked by then, as the time of a heartbeat has passed."""
            before = socket.text
            rest.clock.advance(seconds=HEARTBEAT_SECONDS)
            eventually(lambda: rest.scheduler.schedule_task("add", 1) and socket.text != before)

        eventually(lambda: socket.is_open)
        hear()
        hear()
        rest.clock.advance(seconds=VOUCHED_SECONDS)
        eventually(lambda: stir(rest) and socket.code)
        assert socket.code == REFUSED


def test_a_socket_is_closed_with_the_application(far: Rest) -> None:
    query = ticket(far, far.key(Scope.READ))

    async def live_and_end() -> int | None:
        socket = Socket(far.client.app, query, {})
        async with far.client.app.router.lifespan_context(far.client.app):
            running = asyncio.create_task(socket.run())
            await eventually_async(lambda: socket.is_open)
            await asyncio.sleep(0)
        await asyncio.wait_for(running, 30)
        return socket.code

    assert asyncio.run(live_and_end()) == GOING_AWAY
