"""Nodes that see each other, and what they are told to leave alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    Duties,
    InvalidArguments,
    ManualClock,
    Role,
    ScheduleOptions,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.errors import NodeAlive, NodeNotFound
from advanced_scheduler.models import NodeState, Pauses, Record, RecordKind
from advanced_scheduler.stores.base import Store
from tests.support.waiting import eventually

from .kit import add_task, scheduler, status_of


@pytest.fixture
def target(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler that runs when it is told to."""
    made = scheduler(clock=clock)
    add_task(made, lambda: None)
    yield made
    made.close()


def shown(store: Store, clock: ManualClock, node_id: str = "gone:1") -> None:
    """A node that shows itself now, and never again."""
    data = {"name": "gone", "renewal": 10.0, "slots": 4, "colour": "red"}
    store.save_record(
        Record(kind=RecordKind.NODE, record_id=node_id, written_time=clock.now(), data=data)
    )


def test_a_running_node_shows_itself_and_leaves_when_it_stops(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    one, other = scheduler(url, name="one"), scheduler(url, name="other")
    with one.running():
        eventually(lambda: [node.name for node in other.nodes()] == ["one"])
        (node,) = other.nodes()
        assert (node.state, node.slots, node.queues) == (NodeState.ALIVE, 10, None)
        assert node.seen_time >= node.started_time
    assert other.nodes() == []
    one.close()
    other.close()


@pytest.mark.parametrize("bad", ["", "x" * 201, " mail", "a\0b", "\ud800", 5])
def test_what_can_be_no_queue_is_not_paused(bad: Any, target: AdvancedTaskScheduler) -> None:
    with pytest.raises(InvalidArguments, match="queue="):
        target.pause_dispatch(queue=bad)
    assert target.pauses() == Pauses()


def test_a_node_that_drains_starts_nothing_until_it_is_resumed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    one, other = scheduler(url, name="one"), scheduler(url, name="other")
    add_task(one, lambda: None)
    add_task(other, lambda: None)
    with one.running():
        eventually(lambda: len(other.nodes()) == 1)
        (node,) = other.nodes()
        other.drain_node(node.node_id)
        eventually(lambda: other.nodes()[0].state is NodeState.DRAINING)
        made = other.schedule_task("job")
        assert one.running_tasks == 0
        assert status_of(other, made) is TaskStatus.PENDING
        other.resume_node(node.node_id)
        other.result(made, timeout=10)
        eventually(lambda: other.nodes()[0].state is NodeState.ALIVE)
    one.close()
    other.close()


def test_a_node_that_was_killed_looks_stale_and_can_be_forgotten(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    shown(target.store, clock)
    (node,) = target.nodes()
    assert (node.state, node.name, node.more) == (NodeState.ALIVE, "gone", {"colour": "red"})
    with pytest.raises(NodeAlive):
        target.forget_node("gone:1")
    clock.advance(seconds=30)
    assert target.nodes()[0].state is NodeState.ALIVE
    clock.advance(seconds=1)
    assert target.nodes()[0].state is NodeState.STALE
    target.forget_node("gone:1")
    assert target.nodes() == []


def test_a_node_that_there_is_not_cannot_be_asked(target: AdvancedTaskScheduler) -> None:
    for verb in (target.drain_node, target.resume_node, target.forget_node):
        with pytest.raises(NodeNotFound, match="no node"):
            verb("gone:1")


def test_a_node_that_nobody_heard_of_for_a_day_is_dropped(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    shown(target.store, clock)
    clock.advance(days=1, seconds=1)
    assert target.nodes() == []


def test_pauses_add_up_and_are_taken_back_one_by_one(target: AdvancedTaskScheduler) -> None:
    target.pause_dispatch()
    target.pause_dispatch(queue="mail")
    target.pause_dispatch(queue="mail")
    target.pause_dispatch(priority=TaskPriority.LOW)
    assert target.pauses() == Pauses(
        everything=True, queues=frozenset({"mail"}), priorities=frozenset({TaskPriority.LOW})
    )
    target.resume_dispatch()
    target.resume_dispatch(queue="mail")
    target.resume_dispatch(queue="mail")
    assert target.pauses() == Pauses(priorities=frozenset({TaskPriority.LOW}))


def test_a_thousand_pauses_hide_no_other(target: AdvancedTaskScheduler) -> None:
    target.pause_dispatch()
    for number in range(1001):
        target.pause_dispatch(queue=f"q{number}")
    assert target.pauses().everything
    assert len(target.pauses().queues) == 1001


def test_what_is_paused_waits_and_the_rest_runs(target: AdvancedTaskScheduler) -> None:
    target.pause_dispatch(queue="mail")
    target.pause_dispatch(priority=TaskPriority.LOW)
    wanted = {
        "mail": ScheduleOptions(queue="mail", priority=TaskPriority.CRITICAL),
        "low": ScheduleOptions(priority=TaskPriority.LOW),
        "plain": ScheduleOptions(),
    }
    made = {name: target.schedule_task("job", options=one) for name, one in wanted.items()}
    assert asyncio.run(target.run_due()) == 1
    assert {name: status_of(target, one).value for name, one in made.items()} == {
        "mail": "pending",
        "low": "pending",
        "plain": "completed",
    }
    target.resume_dispatch(queue="mail")
    target.resume_dispatch(priority=TaskPriority.LOW)
    assert asyncio.run(target.run_due()) == 2


@pytest.mark.parametrize(
    "wrong",
    [{"queue": "", "priority": None}, {"queue": "a\0"}, {"queue": "a", "priority": 1}],
)
def test_a_pause_that_means_nothing_is_refused(
    target: AdvancedTaskScheduler, wrong: dict[str, object]
) -> None:
    with pytest.raises(InvalidArguments):
        target.pause_dispatch(**wrong)  # type: ignore[arg-type]
    assert target.pauses() == Pauses()


def test_a_node_without_the_role_of_a_worker_fires_and_runs_nothing(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    target.duties = Duties(roles=frozenset({Role.SCHEDULER}))
    target.schedule_cron_task("job", "* * * * *")
    clock.advance(minutes=1)
    assert asyncio.run(target.run_due()) == 0
    assert target.task_queue.size() == 1


def test_a_node_without_the_role_of_a_scheduler_runs_and_fires_nothing(
    target: AdvancedTaskScheduler, clock: ManualClock
) -> None:
    target.duties = Duties(roles=frozenset({Role.WORKER}))
    target.schedule_cron_task("job", "* * * * *")
    made = target.schedule_task("job")
    clock.advance(minutes=1)
    assert asyncio.run(target.run_due()) == 1
    assert status_of(target, made) is TaskStatus.COMPLETED
    assert target.task_queue.size() == 0


def test_a_node_runs_the_priorities_that_it_is_for(url: str, clock: ManualClock) -> None:
    made = scheduler(url, clock=clock, priorities={"critical", "high"})
    add_task(made, lambda: None)
    runs = {
        priority: made.schedule_task("job", options=ScheduleOptions(priority=priority))
        for priority in TaskPriority
    }
    assert asyncio.run(made.run_due()) == 2
    done = {one for one, run in runs.items() if status_of(made, run) is TaskStatus.COMPLETED}
    assert done == {TaskPriority.CRITICAL, TaskPriority.HIGH}
    made.close()


def test_started_nodes_tell_what_they_are_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    one, other = scheduler(url, roles={"worker"}, priorities={"low"}), scheduler(url)
    with one.running():
        eventually(lambda: len(other.nodes()) == 1)
        (node,) = other.nodes()
        assert (node.roles, node.priorities, node.slots) == (("worker",), ("low",), 10)
        eventually(lambda: one.get_health_status()["status"] == "healthy", what="it is well")
    one.duties = Duties(roles=frozenset({Role.SCHEDULER}))
    with one.running():
        eventually(other.nodes)
        (node,) = other.nodes()
        assert (node.roles, node.slots) == (("scheduler",), 0)
    one.close()
    other.close()
