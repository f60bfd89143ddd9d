"""The nodes of a cluster, and what they are told to leave alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from .tasks import TaskPriority


class NodeState(StrEnum):
    """``stale``: it has not been heard of for three renewals of its leases."""

    ALIVE = "alive"
    DRAINING = "draining"
    STALE = "stale"


class Role(StrEnum):
    """What a node is there for; all nodes look after leases and history."""

    SCHEDULER = "scheduler"  # it fires schedules
    WORKER = "worker"  # it runs executions


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """A running scheduler process as it last said; ``seen_time`` is when.

    ``queues`` and ``priorities`` are None for all. ``loop_lag`` is in seconds. ``running`` are
    execution ids, at most 100; ``slots_used`` counts them all.
    """

    node_id: str
    name: str
    host: str
    pid: int
    version: str
    state: NodeState
    roles: tuple[str, ...]
    queues: tuple[str, ...] | None
    priorities: tuple[str, ...] | None
    slots: int
    slots_used: int
    running: tuple[str, ...]
    loop_lag: float
    started_time: datetime
    seen_time: datetime
    more: Mapping[str, Any] = field(default_factory=dict)
    """What a node of a newer version says beyond that."""

    @property
    def duties(self) -> Duties:
        """What of all this it does: nothing that is not known here."""
        queues, priorities = self.queues, self.priorities
        return Duties(
            roles=frozenset(one for one in Role if one in self.roles),
            queues=None if queues is None else frozenset(queues),
            priorities=None
            if priorities is None
            else frozenset(one for one in TaskPriority if one.word in priorities),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """From where no node starts anything; what runs goes on."""

    everything: bool = False
    queues: frozenset[str] = frozenset()
    priorities: frozenset[TaskPriority] = frozenset()

    def hold(self, queue: str, priority: int) -> bool:
        """Whether an execution of this queue and priority is left alone."""
        return self.everything or queue in self.queues or priority in self.priorities


NO_PAUSES: Final = Pauses()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What one node does: its roles, and of which queues and priorities; None is all of them."""

    roles: frozenset[Role] = frozenset(Role)
    queues: frozenset[str] | None = None
    priorities: frozenset[TaskPriority] | None = None

    def serve(self, queue: str, priority: TaskPriority) -> bool:
        """Whether executions of this queue and priority are for this node to run."""
        return (
            Role.WORKER in self.roles
            and (self.queues is None or queue in self.queues)
            and (self.priorities is None or priority in self.priorities)
        )

    def beside(self, pauses: Pauses) -> Pauses:
        """What this node leaves alone: what is paused, and the priorities that it does not run."""
        if self.priorities is None:
            return pauses
        return replace(pauses, priorities=pauses.priorities | set(TaskPriority) - self.priorities)
