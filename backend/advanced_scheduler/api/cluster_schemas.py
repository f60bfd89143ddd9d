"""How nodes, the queue and the locks look from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from .fields import Answer, Page, PriorityName


class NodeOut(Answer):
    """A running scheduler process as it last said; null queues and priorities are all."""

    id: str
    name: str
    state: Literal["alive", "draining", "stale"]
    host: str
    pid: int
    version: str
    roles: list[str]
    queues: list[str] | None
    priorities: list[str] | None
    slots: int
    slots_used: int
    running: list[str]
    loop_lag: float
    started_time: datetime
    seen_time: datetime
    seen_seconds_ago: float


class NodePage(Page):
    """Nodes by id."""

    items: list[NodeOut]


class LaneOut(Answer):
    """What waits at one priority; ages in seconds."""

    priority: PriorityName
    paused: bool
    waiting: int
    ready: int
    delayed: int
    blocked: int
    retrying: int
    oldest_age: float


class QueueOut(Answer):
    """The queue over all nodes; what is paused is not started on any of them."""

    paused: bool
    paused_queues: list[str]
    running: int
    lanes: list[LaneOut]


class LockOut(Answer):
    """A lock that a task takes; ``ttl`` in seconds, null where it is free.

    ``timeout`` is for how many seconds each renewal grants it; null where the task is not known.
    """

    task_id: str
    held: bool
    ttl: float | None
    timeout: float | None
    fence: int
    holder: str | None
    node: str | None
    waiting: int


class LockPage(Page):
    """Locks by task id."""

    items: list[LockOut]
