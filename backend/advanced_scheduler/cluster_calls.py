"""The part of the face that is about the nodes of a cluster, and what they leave alone."""

from __future__ import annotations

from .engine.cluster import Cluster
from .models import NodeStatus, Pauses, TaskPriority


class ClusterCalls:
    """Calls on nodes and pauses; thread-safe, and the same on any node of a store."""

    _cluster: Cluster

    def nodes(self) -> list[NodeStatus]:
        """The nodes of this store that run, or were killed within a day, by id."""
        return self._cluster.nodes()

    def drain_node(self, node_id: str) -> None:
        """Let a node start nothing more, and end what it runs; it stays up.

        It hears of it soon where nodes hear of each other (PostgreSQL, Redis, one process), else
        within ``poll_seconds``; ``nodes()`` says when it has. Raises ``NodeNotFound``.
        """
        self._cluster.order(node_id, drain=True)

    def resume_node(self, node_id: str) -> None:
        """Let a node that drains go on; raises ``NodeNotFound``."""
        self._cluster.order(node_id, drain=False)

    def forget_node(self, node_id: str) -> None:
        """Show a node no more that was killed; raises ``NodeNotFound`` and ``NodeAlive``.

        What it ran is taken over when its leases run out, whether it is forgotten or not.
        """
        self._cluster.forget(node_id)

    def pauses(self) -> Pauses:
        """From where no node starts anything."""
        return self._cluster.pauses()

    def pause_dispatch(
        self, *, queue: str | None = None, priority: TaskPriority | None = None
    ) -> None:
        """Start nothing of a queue or of a priority, or (neither given) at all, on any node.

        What runs goes on, and schedules go on to put executions into their queues. Nodes hear
        of it as of ``drain_node``. Raises ``InvalidArguments``.
        """
        self._cluster.pause(queue, priority)

    def resume_dispatch(
        self, *, queue: str | None = None, priority: TaskPriority | None = None
    ) -> None:
        """Take back ``pause_dispatch`` with the same arguments; safe to repeat."""
        self._cluster.resume(queue, priority)
