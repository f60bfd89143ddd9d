"""REST: a POST with an Idempotency-Key is done once, by whoever may do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from advanced_scheduler import current_execution
from advanced_scheduler.api import Scope
from advanced_scheduler.api.replies import LEASE, Replies
from advanced_scheduler.models import RecordKind, TaskStatus
from advanced_scheduler.stores import open_store
from advanced_scheduler.testing import FaultyStore
from advanced_scheduler.triggers import CronTrigger
from tests.support.definitions import define

from .rest import PREFIX, Rest, serving

BODY = {"args": [1]}


def once(headers: dict[str, str], key: str = "k") -> dict[str, str]:
    """The same headers with an idempotency key."""
    return {**headers, "idempotency-key": key}


def run(rest: Rest, headers: dict[str, str], status: int = 202, body: Any = BODY) -> Any:
    return rest.post("/tasks/add/execute", body, status, headers=headers)


def test_the_same_request_is_answered_as_the_first_time(far: Rest) -> None:
    may = once(far.key(Scope.RUN))
    first = far.client.request("POST", f"{PREFIX}/tasks/add/execute", json=BODY, headers=may)
    again = far.client.request("POST", f"{PREFIX}/tasks/add/execute", json=BODY, headers=may)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert first.headers["location"] == again.headers["location"]
    assert run(far, may, 422, {"args": [2]})["code"] == "idempotency-key-reused"
    assert len(far.get("/executions", headers=may)["executions"]) == 1


def test_two_keys_of_one_name_are_two_callers(far: Rest) -> None:
    one, other = (once(far.key(Scope.RUN, name="ci")) for _ in range(2))
    assert run(far, one)["execution_id"] != run(far, other)["execution_id"]


def test_a_reply_is_given_to_nobody_who_could_not_have_asked(far: Rest) -> None:
    token, made = far.scheduler_keys.create("ci", [Scope.RUN])
    may = once({"authorization": f"Bearer {token}"})
    run(far, may)
    (record,) = far.scheduler.store.records(RecordKind.KEY)
    less = {**record.data, "scopes": ["read"]}
    far.scheduler.store.save_record(replace(record, data=less))
    assert run(far, may, 403)["code"] == "forbidden"
    far.scheduler_keys.revoke(made.key_id)
    assert run(far, may, 401)


def test_no_reply_is_kept_that_has_a_secret(far: Rest) -> None:
    admin = far.key(Scope.ADMIN)
    asked = {"name": "ci", "scopes": ["read"]}
    keys = [far.post("/keys", asked, 201, headers=once(admin))["key"] for _ in range(2)]
    assert keys[0] != keys[1]
    far.post("/tickets", headers=once(admin))
    far.post("/session", {"key": keys[0]}, 201, headers={"idempotency-key": "k"})
    assert not far.scheduler.store.records(RecordKind.REPLY)


def test_a_request_whose_process_was_killed_may_be_sent_again(far: Rest) -> None:
    """The process is one that begins, and says nothing more."""
    token, _ = far.scheduler_keys.create("ci", [Scope.RUN])
    may = once({"authorization": f"Bearer {token}"})
    killed = Replies(far.scheduler.store, far.clock)
    who = far.scheduler_keys.bearer(token).identity
    body = b'{"args":[1]}'
    begun, _ = killed.begin(who, "k", f"{PREFIX}/tasks/add/execute", body)

    def again(status: int) -> Any:
        headers = {**may, "content-type": "application/json"}
        return far.ask("POST", "/tasks/add/execute", status, content=body, headers=headers)

    assert again(409)["code"] == "request-under-way"
    far.clock.advance(LEASE / 2)
    killed.renew(begun)
    far.clock.advance(LEASE / 2)
    assert again(409), "it was not killed yet"
    far.clock.advance(LEASE / 2)
    assert again(202) == again(202)
    assert len(far.get("/executions", headers=may)["executions"]) == 1


def test_one_of_many_who_take_over_does_it(far: Rest) -> None:
    replies = Replies(far.scheduler.store, far.clock)
    replies.begin("ci", "k", "/", b"")
    for _ in range(3):
        far.clock.advance(LEASE)
        begun, before = replies.begin("ci", "k", "/", b"")
        assert before is None
        with pytest.raises(Exception, match="under way"):
            replies.begin("ci", "k", "/", b"")
    replies.give_up(begun)
    assert replies.begin("ci", "k", "/", b"")[1] is None


def test_what_a_batch_makes_may_start_workflows_under_its_own_ids(rest: Rest) -> None:
    def parent() -> None:
        if not rest.scheduler.executions(task_id="add"):
            raise ValueError("no")
        own = current_execution().execution_id
        rest.scheduler.schedule_workflow(["add"], {"add": {"a": 1}}, workflow_id=own)

    rest.scheduler.register_task(define(parent, task_id="parent"))
    rest.scheduler.schedule_task_many("parent", [[]] * 3)
    rest.run()
    rest.scheduler.schedule_task("add", 1)
    asked = {"action": "retry", "query": {"task_id": "parent"}}
    assert rest.post("/executions/batch", asked, headers=once({}))["changed"] == 3
    rest.run(2)
    assert len(rest.scheduler.executions(task_id="add")) == 1 + 3


def test_what_is_refused_may_be_sent_again_and_a_key_of_nonsense_may_not(far: Rest) -> None:
    may = once(far.key(Scope.RUN))
    assert run(far, may, 422, {"colour": "red"})
    assert run(far, may)
    for key in ("", "x" * 256):
        assert run(far, once(may, key), 400)["code"] == "invalid-idempotency-key"
    two = [*may.items(), ("idempotency-key", "other")]
    assert far.client.request("POST", f"{PREFIX}/tasks/add/execute", headers=two).status_code == 400


def test_a_reply_keeps_the_version_of_what_was_made(rest: Rest) -> None:
    body = {"task_id": "add", "cron": "0 0 1 7 *", "args": [1]}
    first, again = (
        rest.client.request("POST", f"{PREFIX}/schedules", json=body, headers=once({}))
        for _ in range(2)
    )
    assert first.headers["etag"] == again.headers["etag"] == '"v1"'
    assert first.headers["location"] == again.headers["location"]


@pytest.fixture
def faulty() -> Iterator[tuple[Rest, FaultyStore]]:
    """A service whose store does what it is asked, and does not say so when it is told to."""
    store = FaultyStore(open_store("memory://"))
    with serving(store.face) as rest:
        yield rest, store


@pytest.mark.parametrize(
    ("path", "body", "verb"),
    [
        ("/tasks/add/execute", BODY, "add"),
        ("/executions/{old}/retry", None, "add"),
        ("/schedules/s/run", {}, "fire"),
        ("/workflows", {"tasks": ["add"], "arguments": {"add": {"a": 1}}}, "add"),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
def test_what_was_done_and_not_answered_is_not_done_again(
    faulty: tuple[Rest, FaultyStore], path: str, body: Any, verb: str, killed: bool
) -> None:
    """The store was lost after it, or the process was killed before it had kept the reply."""
    rest, store = faulty
    rest.scheduler.create_schedule("add", CronTrigger("0 0 1 7 *"), schedule_id="s", args=[1])
    old = rest.scheduler.schedule_task("add", 1)
    rest.run()
    path = path.format(old=old)
    store.fail(verb, after=True)
    assert rest.post(path, body, 503, headers=once({}))["code"] == "store-unavailable"
    if killed:
        (record,) = rest.scheduler.store.records(RecordKind.REPLY)
        data = {name: value for name, value in record.data.items() if name != "over"}
        rest.scheduler.store.save_record(replace(record, data=data))
        assert rest.post(path, body, 409, headers=once({}))
        rest.clock.advance(LEASE)
    rest.run()
    (made,) = [one for one in rest.scheduler.executions() if one.execution_id != old]
    assert made.status is TaskStatus.COMPLETED
    assert made.execution_id in str(rest.post(path, body, 202, headers=once({})))
    assert len(rest.scheduler.executions()) == 2
