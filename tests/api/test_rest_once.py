"""REST: what a request that was cut short has made, the next try finds, on every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from advanced_scheduler.api.replies import LEASE
from advanced_scheduler.stores import open_store
from advanced_scheduler.testing import FaultyStore
from advanced_scheduler.triggers import CronTrigger
from tests.support.definitions import define

from .rest import Rest, serving

ONCE: Final = {"idempotency-key": "k"}


class Case(NamedTuple):
    """A request, the verb that makes ``made`` things of it, and how it is answered."""

    path: str
    body: Any
    made: int
    verb: str = "add"
    status: int = 200


CASES: Final = {
    "tasks": Case(
        "/tasks",
        {
            "name": "export",
            "module_id": "lib",
            "function_name": "export",
            "recurring": True,
            "interval_type": "hours",
            "interval_value": 100_000,  # from now on by the store's server, which is in no 2030
        },
        1,
        "add_schedules",
        201,
    ),
    "schedules": Case(
        "/schedules",
        {"task_id": "add", "cron": "0 0 1 7 *", "args": [7]},
        1,
        "add_schedules",
        201,
    ),
    "workflow": Case("/workflows", {"tasks": ["fail", "broken"]}, 2, status=202),
    "workflow again": Case("/workflows/run/retry", None, 2, status=202),
    "batch": Case("/executions/batch", {"action": "retry", "query": {"task_id": "fail"}}, 2),
    "dead letters": Case("/dead-letters/{group}/retry", None, 2),
    "backfill": Case(
        "/schedules/yearly/backfill",
        {"start": "2026-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z"},
        3,
    ),
    "backfill again": Case(
        "/schedules/yearly/backfill",
        {"start": "2028-01-01T00:00:00Z", "end": "2030-01-01T00:00:00Z", "force": True},
        2,
    ),
}


@pytest.fixture
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Callable[[], str]]:
    return {
        "sqlite": lambda: f"sqlite:///{tmp_path / 'jobs.db'}?synchronous=normal",
        "redis": lambda: f"{request.getfixturevalue('redis_url')}?prefix={tmp_path.name}",
    }


@pytest.fixture(params=["sqlite", "redis"])
def faulty(
    request: pytest.FixtureRequest, urls: dict[str, Callable[[], str]]
) -> Iterator[tuple[Rest, FaultyStore]]:
    """A service on this store, where three executions have failed: two of a run, and one more.

    One instant of a schedule has been backfilled.
    """
    store = FaultyStore(open_store(urls[request.param]()))
    with serving(store.face) as rest:
        rest.scheduler.register_task(define(_no, task_id="broken"))
        rest.scheduler.register_task(define(_export, task_id="lib.export"))
        trigger = CronTrigger("0 0 1 7 *")
        rest.scheduler.create_schedule("add", trigger, schedule_id="yearly", args=[1])
        rest.scheduler.backfill_schedule("yearly", [datetime(2028, 7, 1, tzinfo=UTC)])
        rest.scheduler.schedule_workflow(["fail", "broken"], workflow_id="run")
        rest.scheduler.schedule_task("fail")
        rest.run()
        yield rest, store


def _no() -> None:
    raise KeyError("no")


def _export(parameters: dict[str, Any]) -> None:
    """Takes what a task of document 001 does."""


def there(rest: Rest) -> set[str]:
    """The ids of all executions and schedules."""
    executions = {one.execution_id for one in rest.scheduler.executions()}
    return executions | {one.schedule_id for one in rest.scheduler.get_schedules()}


def address(rest: Rest, case: Case) -> str:
    groups = rest.get("/dead-letters")["items"]
    return case.path.format(group=next(one["id"] for one in groups if one["task_id"] == "fail"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_was_made_and_not_answered_is_answered_and_not_made_again(
    faulty: tuple[Rest, FaultyStore], case: Case
) -> None:
    """Meanwhile what it has made fails as well, and time goes by."""
    rest, store = faulty
    path, before = address(rest, case), there(rest)
    store.fail(case.verb, after=True)
    rest.post(path, case.body, 503, headers=ONCE)
    cut_short = there(rest) - before
    assert cut_short
    rest.run()
    rest.clock.advance(seconds=30)
    answer = rest.post(path, case.body, case.status, headers=ONCE)
    made = there(rest) - before
    assert len(made) == case.made
    assert cut_short <= made
    assert all(one in str(answer) for one in made)
    rest.run()
    assert rest.post(path, case.body, case.status, headers=ONCE) == answer
    assert there(rest) - before == made


@pytest.mark.parametrize("faulty", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_two_nodes_that_serve_the_same_request_at_once_make_the_same(
    faulty: tuple[Rest, FaultyStore], case: Case
) -> None:
    """The first one was held up until its lease had run out, and goes on then."""
    rest, store = faulty
    path, before = address(rest, case), there(rest)
    held = store.hold(case.verb)
    with ThreadPoolExecutor(1) as other:
        first = other.submit(rest.post, path, case.body, case.status, headers=ONCE)
        assert held.entered.wait(20)
        rest.clock.advance(LEASE)
        second = rest.post(path, case.body, case.status, headers=ONCE)
        held.released.set()
        assert first.result() == second
    assert len(there(rest) - before) == case.made


UNDONE: Final = {
    "pause": {"act": "pause", "undo": "resume"},
    "resume": {"before": "pause", "act": "resume", "undo": "pause"},
    "rollback": {"act": "rollback/1", "undo": "rollback/2"},
}


@pytest.mark.parametrize("verbs", UNDONE.values(), ids=UNDONE)
def test_a_change_that_was_made_and_not_answered_does_not_undo_what_others_did_since(
    faulty: tuple[Rest, FaultyStore], verbs: dict[str, str]
) -> None:
    rest, store = faulty
    path = "/schedules/yearly"
    rest.ask("PATCH", path, json={"args": [2]})
    if before := verbs.get("before"):
        rest.post(f"{path}/{before}")
    store.fail("put", after=True)
    rest.post(f"{path}/{verbs['act']}", None, 503, headers=ONCE)
    undone = rest.post(f"{path}/{verbs['undo']}")
    answer = rest.post(f"{path}/{verbs['act']}", headers=ONCE)
    assert answer == undone
    assert rest.get(path)["version"] == undone["version"]
    assert rest.post(f"{path}/{verbs['act']}", headers={"idempotency-key": "other"}) != undone
    assert rest.post(f"{path}/{verbs['act']}", headers=ONCE) == answer


def test_a_change_that_was_not_made_is_made_by_the_next_try(
    faulty: tuple[Rest, FaultyStore],
) -> None:
    """Of what others have changed meanwhile."""
    rest, store = faulty
    path = "/schedules/yearly"
    rest.ask("PATCH", path, json={"args": [2]})
    store.fail("put")
    rest.post(f"{path}/rollback/1", None, 503, headers=ONCE)
    edited = rest.ask("PATCH", path, json={"args": [3]})
    back = rest.post(f"{path}/rollback/1", headers=ONCE)
    assert (back["args"], back["version"]) == ([1], edited["version"] + 1)


@pytest.mark.parametrize("faulty", ["sqlite"], indirect=True)
@pytest.mark.parametrize("done", [True, False])
def test_a_lock_is_taken_only_from_whom_the_request_was_about(
    faulty: tuple[Rest, FaultyStore], *, done: bool
) -> None:
    """Before the second try somebody else was granted it, or, not ``done``, nobody was."""
    rest, store = faulty
    rest.scheduler.register_task(define(_no, task_id="locked", require_lock=True))
    locks = rest.scheduler.lock_manager
    assert locks.try_acquire("locked", 60)
    store.fail("release_lock", after=done)
    lost = rest.post("/locks/locked/release", None, 503, headers=ONCE)
    assert lost["code"] == "lock-server-unavailable"
    assert bool(locks.try_acquire("locked", 60)) is done
    assert rest.post("/locks/locked/release", headers=ONCE) == {"status": "released"}
    assert locks.is_locked("locked") is done
