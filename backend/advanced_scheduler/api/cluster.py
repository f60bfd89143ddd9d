"""What operators ask of the queue, the nodes and the locks."""

from __future__ import annotations

from typing import Final

from ..engine.lanes import WAIT_STATES, lane_of
from ..lifecycle import CLAIMABLE
from ..models import ExecutionFilter, NodeStatus, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .cluster_schemas import LaneOut, LockOut, LockPage, NodeOut, NodePage, QueueOut
from .operation_schemas import PauseAsked
from .planning import Plan, unplanned
from .problems import not_found
from .views import priority_name, priority_of

_RUNNING: Final = ExecutionFilter(statuses=frozenset({TaskStatus.RUNNING}), limit=1000)
_LOOKED_AT: Final = 1000  # executions of a lane; what waits beyond them is counted as the last


class Cluster:
    """Over all nodes of a store."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler

    def nodes(self) -> NodePage:
        """Nodes that run, or were killed lately."""
        now = self._scheduler.clock.now()
        return NodePage(
            items=[
                _node(one, (now - one.seen_time).total_seconds()) for one in self._scheduler.nodes()
            ]
        )

    def drain(self, node_id: str) -> None:
        """Let it start nothing more; raises ``NodeNotFound``."""
        self._scheduler.drain_node(node_id)

    def resume(self, node_id: str) -> None:
        """Let it go on; raises ``NodeNotFound``."""
        self._scheduler.resume_node(node_id)

    def forget(self, node_id: str) -> None:
        """Show a dead one no more; raises ``NodeNotFound`` and ``NodeAlive``."""
        self._scheduler.forget_node(node_id)

    def queue(self) -> QueueOut:
        """The five lanes."""
        pauses = self._scheduler.pauses()
        counts = self._scheduler.store.counts(CLAIMABLE | {TaskStatus.RUNNING})
        running = sum(n for (status, _), n in counts.items() if status is TaskStatus.RUNNING)
        lanes = []
        for priority in TaskPriority:
            waiting = sum(counts.get((one, priority), 0) for one in CLAIMABLE)
            paused = priority in pauses.priorities
            lanes.append(self._lane(priority, waiting, paused=paused))
        return QueueOut(
            paused=pauses.everything,
            paused_queues=sorted(pauses.queues),
            running=running,
            lanes=lanes,
        )

    def pause(self, asked: PauseAsked) -> None:
        """Start nothing of it on any node; raises ``InvalidArguments``."""
        priority = None if asked.priority is None else priority_of(asked.priority)
        self._scheduler.pause_dispatch(queue=asked.queue, priority=priority)

    def go_on(self, asked: PauseAsked) -> None:
        """Take back just that pause; raises ``InvalidArguments``."""
        priority = None if asked.priority is None else priority_of(asked.priority)
        self._scheduler.resume_dispatch(queue=asked.queue, priority=priority)

    def locks(self) -> LockPage:
        """The locks of the tasks that need one, and of what runs under one elsewhere."""
        tasks = list(self._scheduler.task_definitions.values())
        held = (row.task_id for row in self._scheduler.store.find(_RUNNING) if row.lock_id)
        known = dict.fromkeys([*(one.task_id for one in tasks if one.require_lock), *held])
        return LockPage(items=[self._lock(task_id) for task_id in known])

    def release_lock(self, task_id: str, plan: Plan = unplanned) -> bool:
        """Take the lock from whoever holds it, who is told; False if nobody does.

        Raises ``Problem``. The holder may still be at work: its result will not count. Who was
        granted the lock after the request was first sent, keeps it.
        """
        locks = self._scheduler.lock_manager
        planned = plan(lambda: self._grant(task_id))
        if str(locks.fence(task_id)) in planned:
            locks.force_release(task_id)
        return bool(planned)

    def _grant(self, task_id: str) -> list[str]:
        """The fence of the grant that holds, if one does; raises ``Problem``."""
        locks = self._scheduler.lock_manager
        definition = self._scheduler.task_definitions.get(task_id)
        held = locks.is_locked(task_id)
        if (definition is None or not definition.require_lock) and not held:
            raise not_found("lock", task_id)
        return [str(locks.fence(task_id))] if held else []

    def _lane(self, priority: TaskPriority, waiting: int, *, paused: bool) -> LaneOut:
        now = self._scheduler.clock.now()
        lane = lane_of(self._scheduler.store, priority, waiting, now, look_at=_LOOKED_AT)
        return LaneOut(
            priority=priority_name(priority),
            paused=paused,
            waiting=waiting,
            **{state: lane.states.get(state, 0) for state in WAIT_STATES},
            oldest_age=lane.oldest_age,
        )

    def _lock(self, task_id: str) -> LockOut:
        locks = self._scheduler.lock_manager
        task = self._scheduler.task_definitions.get(task_id)
        ttl = locks.get_lock_ttl(task_id)
        held = ttl is not None and ttl > 0
        running = self._scheduler.executions(task_id=task_id, statuses=["running"], limit=10)
        holder = next((row for row in running if held), None)
        pending = self._scheduler.executions(task_id=task_id, statuses=["pending"], limit=1000)
        return LockOut(
            task_id=task_id,
            held=held,
            ttl=ttl if held else None,
            timeout=None if task is None else task.lock_timeout,
            fence=locks.fence(task_id),
            holder=None if holder is None else holder.execution_id,
            node=None if holder is None else holder.node,
            waiting=sum("lock" in (row.reason or "") for row in pending),
        )


def _node(one: NodeStatus, silent: float) -> NodeOut:
    return NodeOut(
        id=one.node_id,
        name=one.name,
        state=one.state.value,
        host=one.host,
        pid=one.pid,
        version=one.version,
        roles=list(one.roles),
        queues=None if one.queues is None else list(one.queues),
        priorities=None if one.priorities is None else list(one.priorities),
        slots=one.slots,
        slots_used=one.slots_used,
        running=list(one.running),
        loop_lag=one.loop_lag,
        started_time=one.started_time,
        seen_time=one.seen_time,
        seen_seconds_ago=max(silent, 0.0),
    )
