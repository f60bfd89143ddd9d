"""What follows from a transition: events, and the news to all that waited."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.parts import Parts
from advanced_scheduler.engine.settler import Change
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.models import TaskDependency, TaskExecution, TaskStatus
from advanced_scheduler.stores import open_store
from tests.unit.engine.kit import NOW, by, execution, parts


@pytest.fixture
def made(url: str, clock: ManualClock) -> Parts:
    return parts(open_store(url), clock)


def running(made: Parts, *rows: TaskExecution) -> list[TaskExecution]:
    made.store.add(rows)
    return made.store.claim(by(limit=len(rows)))


def after(name: str, *upstreams: str) -> TaskExecution:
    """Blocked by executions (of tasks of the same name)."""
    dependencies = tuple(TaskDependency(one, "success", execution_id=one) for one in upstreams)
    return execution(name, task_id=name, dependencies=dependencies, blocked_by=frozenset(upstreams))


def done(row: TaskExecution) -> Change:
    return Change(
        row,
        lifecycle.complete(row, result=1, metrics={"execution_time": 2.0}, now=NOW),
    )


def failed(row: TaskExecution) -> Change:
    return Change(row, lifecycle.fail(row, error="no", now=NOW))


def states(made: Parts, names: str) -> list[TaskStatus]:
    return [row.status for row in made.store.get(list(names))]


def test_the_end_of_one_frees_those_that_waited_for_it_alone(made: Parts) -> None:
    (a,) = running(made, execution("a", task_id="a"))
    made.store.add([execution("b", task_id="b", scheduled_time=NOW + timedelta(days=1))])
    made.store.add([after("c", "a"), after("d", "a", "b")])
    assert made.settler.settle([done(a)]) == [True]
    c, d = made.store.get(["c", "d"])
    assert (c.blocked_by, d.blocked_by) == (frozenset(), frozenset({"b"}))
    made.close()


def test_a_failure_skips_a_whole_chain_and_names_its_root(made: Parts) -> None:
    (a,) = running(made, execution("a", task_id="a"))
    made.store.add([after("b", "a"), after("c", "b"), after("d", "c")])
    heard: list[Event] = []
    made.events.subscribe(heard.append)
    made.settler.settle([failed(a)])
    assert states(made, "abcd") == [TaskStatus.FAILED] + [TaskStatus.SKIPPED] * 3
    assert "'a'" in (made.store.get(["d"])[0].cause or "")
    assert [(one.type, one.execution and one.execution.execution_id) for one in heard] == [
        (EventType.FINISHED, name) for name in "abcd"
    ]
    made.close()


def test_what_was_refused_is_not_told_and_changes_nothing(made: Parts) -> None:
    (a,) = running(made, execution("a", task_id="a"))
    made.store.add([after("b", "a")])
    made.settler.settle([done(a)])
    heard: list[Event] = []
    made.events.subscribe(heard.append)
    assert made.settler.settle([failed(a)]) == [False]
    assert heard == []
    assert states(made, "ab") == [TaskStatus.COMPLETED, TaskStatus.PENDING]
    made.close()


def test_events_carry_the_row_as_it_is_now_and_how_long_it_took(made: Parts) -> None:
    a, b, c = running(made, *(execution(name) for name in "abc"))
    heard: list[Event] = []
    made.events.subscribe(heard.append)
    retry = lifecycle.retry(b, error="x", at=NOW + timedelta(seconds=9))
    back = lifecycle.give_back(c, due=NOW, reason="full")
    made.settler.settle([done(a), Change(b, retry), Change(c, back)])
    assert [one.type for one in heard] == [
        EventType.FINISHED, EventType.RETRYING, EventType.GIVEN_BACK,
    ]  # fmt: skip
    assert [one.execution and one.execution.status for one in heard] == [
        TaskStatus.COMPLETED, TaskStatus.RETRYING, TaskStatus.PENDING,
    ]  # fmt: skip
    assert heard[0].data["duration"] == 2.0
    assert heard[1].data["delay"] == 9.0
    assert heard[2].data["reason"] == "full"
    made.close()


def test_a_listener_that_raises_stops_nothing(made: Parts) -> None:
    def raise_(_: Event) -> None:
        raise ValueError("of a listener")

    (a,) = running(made, execution("a", task_id="a"))
    made.store.add([after("b", "a")])
    made.events.subscribe(raise_)
    made.settler.settle([done(a)])
    assert made.store.get(["b"])[0].blocked_by == frozenset()
    made.close()


def test_two_upstreams_that_end_in_one_batch_both_count(made: Parts) -> None:
    rows = running(made, execution("a", task_id="a"), execution("b", task_id="b"))
    made.store.add([after("c", "a", "b")])
    made.settler.settle([done(row) for row in rows])
    assert made.store.get(["c"])[0].blocked_by == frozenset()
    made.close()


def test_nothing_to_settle_is_nothing_done(made: Parts) -> None:
    assert made.settler.settle([]) == []
    made.close()
