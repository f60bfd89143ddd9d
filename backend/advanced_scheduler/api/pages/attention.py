"""What an operator should look at first, from what the parts of the service say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from ...models import Role
from ..cluster_schemas import LockOut, NodeOut, QueueOut
from ..schedule_schemas import ScheduleOut
from ..schemas import ExecutionOut

Tone = Literal["warn", "bad"]

_FAILURES: Final = 3  # of one task within the hour
_LATE: Final = timedelta(minutes=1)
_STARVED: Final = 60.0  # seconds that urgent work may wait
_RENEWED: Final = 1 / 2  # of its time a lock has left, even if it was renewed a little late


class Alarm(NamedTuple):
    """One line: how bad it is, what is the matter, and which page has more."""

    tone: Tone
    text: str
    page: str
    step: str | None = None


def of_queue(queue: QueueOut) -> Iterable[Alarm]:
    """Pauses, and urgent work that waits."""
    if queue.paused:
        yield Alarm("warn", "Dispatch is paused: nothing is started on any node.", "queue")
    paused = [one.priority for one in queue.lanes if one.paused] + queue.paused_queues
    if paused:
        yield Alarm("warn", f"Paused: {', '.join(paused)}.", "queue")
    for lane in queue.lanes[:2]:
        if lane.ready and lane.oldest_age > _STARVED:
            waited = f"for {lane.oldest_age:.0f} s"
            yield Alarm("bad", f"Work of priority {lane.priority} has waited {waited}.", "queue")


def of_nodes(nodes: Sequence[NodeOut]) -> Iterable[Alarm]:
    """Nodes that are silent or drain, or that there are none, or none that works."""
    alive = [one for one in nodes if one.state == "alive"]
    if not alive:
        yield Alarm("bad", "No node runs: nothing is started.", "nodes")
    elif not any(Role.WORKER in one.roles for one in alive):
        yield Alarm("bad", "No node is a worker: nothing is started.", "nodes")
    for one in nodes:
        if one.state == "stale":
            silent = f"has been silent for {one.seen_seconds_ago:.0f} s"
            yield Alarm("bad", f"Node {one.name} {silent}.", "nodes")
        elif one.state == "draining":
            yield Alarm("warn", f"Node {one.name} drains.", "nodes")


def of_failures(failed: Iterable[ExecutionOut]) -> Iterable[Alarm]:
    """Tasks that failed again and again within the hour."""
    for task, times in Counter(one.task_id for one in failed).most_common():
        if times >= _FAILURES:
            yield Alarm("bad", f"Task {task} failed {times} times within the hour.", "tasks", task)


def of_schedules(schedules: Iterable[ScheduleOut], now: datetime) -> Iterable[Alarm]:
    """Schedules whose time has passed, and that did not fire."""
    for one in schedules:
        if one.status == "active" and one.next_run and one.next_run < now - _LATE:
            name = one.name or one.id
            yield Alarm("bad", f"Schedule {name} is late.", "schedules", one.id)


def of_locks(locks: Iterable[LockOut]) -> Iterable[Alarm]:
    """Locks that nobody renews: their holder is gone, or cannot reach them."""
    for one in locks:
        if one.ttl is None or one.timeout is None or one.ttl >= _RENEWED * one.timeout:
            continue
        ends = f"is not renewed and ends in {one.ttl:.0f} s"
        yield Alarm("warn", f"The lock of {one.task_id} {ends}.", "locks")
