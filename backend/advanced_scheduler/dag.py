"""Owns the dependencies: the graph between tasks, and what an ended upstream does to dependents."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from . import lifecycle
from .errors import CircularDependency, InvalidTask
from .forks import free_in_child
from .lifecycle import Transition
from .models import TaskDependency, TaskExecution, TaskStatus

if TYPE_CHECKING:
    import networkx as nx

_Trail = dict[str, str | None]  # each node that was visited -> the one it was reached from


class TaskDependencyGraph:
    """Which task needs which, without cycles; thread-safe.

    A dependency that nobody has added yet is a placeholder node.
    """

    def __init__(self) -> None:
        self._graph: nx.DiGraph[str] | None = None
        self._known: set[str] = set()
        self._lock = free_in_child(threading.RLock())

    @property
    def graph(self) -> nx.DiGraph[str]:
        """The networkx graph, to be read; its edges lead from a dependency to its dependent.

        Who has no tasks does not wait until networkx is imported.
        """
        with self._lock:
            if self._graph is None:
                import networkx as nx

                self._graph = nx.DiGraph()
            return self._graph

    def add_task(self, task_id: str, dependencies: Iterable[TaskDependency | str] = ()) -> None:
        """Add a task, or replace the dependencies of one that is there.

        Raises ``CircularDependency`` (a ValueError) that names the path, and ``InvalidTask`` if
        a dependency is neither a ``TaskDependency`` nor a task id; the graph is then as before.
        """
        wanted = dict.fromkeys(_task_ids(task_id, dependencies))
        with self._lock:
            if (cycle := self._cycle(task_id, wanted)) is not None:
                raise CircularDependency(_named(cycle))
            before = self.get_dependencies(task_id)
            self.graph.remove_edges_from([(one, task_id) for one in before])
            self.graph.add_node(task_id)
            self.graph.add_edges_from((one, task_id) for one in wanted)
            self._known.add(task_id)
            self._drop_unused(before)

    def remove_task(self, task_id: str) -> bool:
        """Take a task out; False if it was not there.

        While others depend on it, their edges and a placeholder stay.
        """
        with self._lock:
            if task_id not in self._known:
                return False
            self._known.remove(task_id)
            before = self.get_dependencies(task_id)
            self.graph.remove_edges_from([(one, task_id) for one in before])
            self._drop_unused([*before, task_id])
            return True

    def is_known(self, task_id: str) -> bool:
        """Whether the task was added; False for a placeholder."""
        return task_id in self._known

    def missing(self) -> list[str]:
        """The placeholders: what tasks depend on and nobody has added."""
        with self._lock:
            return [one for one in self.graph if one not in self._known]

    def has_cycle(self) -> bool:
        """Whether ``graph`` has a cycle: only if somebody has changed it by hand."""
        import networkx as nx

        with self._lock:
            return not nx.is_directed_acyclic_graph(self.graph)

    def get_dependencies(self, task_id: str) -> list[str]:
        """The ids of the tasks that this one needs, as they were given; none if unknown."""
        with self._lock:
            return list(self.graph.pred.get(task_id, ()))

    def get_dependents(self, task_id: str) -> list[str]:
        """The ids of the tasks that need this one; none if unknown."""
        with self._lock:
            return list(self.graph.succ.get(task_id, ()))

    def topological_sort(self) -> list[str]:
        """All ids, placeholders too, dependencies first; ties in the order they were added.

        Raises ``CircularDependency`` if somebody has put a cycle into ``graph`` by hand.
        """
        import networkx as nx

        with self._lock:
            try:
                return list(nx.topological_sort(self.graph))
            except nx.NetworkXUnfeasible:
                edges = nx.find_cycle(self.graph)
                cycle = [dependent for _, dependent, *_ in reversed(edges)]
                raise CircularDependency(_named(cycle)) from None

    def _cycle(self, task_id: str, wanted: Iterable[str]) -> list[str] | None:
        """The cycle that these dependencies of the task would close, each needing the next.

        One walk goes from the task to its dependents, one from the dependencies to theirs, an
        edge each in turn: the cost is that of the smaller side, and none for a new task.
        """
        down: _Trail = {task_id: None}
        up: _Trail = dict.fromkeys(wanted)
        if task_id in up:
            return [task_id]
        steps = zip(_walk(down, self.graph.succ.get), _walk(up, self.graph.pred.get), strict=False)
        for dependent, dependency in steps:
            for meeting in (dependent, dependency):
                if meeting in down and meeting in up:
                    return [*reversed(_trace(up, meeting)), *_trace(down, meeting)[1:]]
        return None

    def _drop_unused(self, task_ids: Iterable[str]) -> None:
        """Forget placeholders that nothing depends on any more."""
        self.graph.remove_nodes_from(
            [one for one in task_ids if one not in self._known and not self.graph.succ[one]]
        )


def _task_ids(task_id: str, dependencies: Iterable[TaskDependency | str]) -> Iterator[str]:
    if isinstance(dependencies, str):
        raise InvalidTask(
            f"dependencies={dependencies!r} of task {task_id!r} is one text; give a list of ids"
        )
    for one in dependencies:
        name: object = one.task_id if isinstance(one, TaskDependency) else one
        if not isinstance(name, str) or not name:
            raise InvalidTask(
                f"the dependency {one!r} of task {task_id!r} is neither a TaskDependency nor a "
                "task id"
            )
        yield name


def _walk(
    trail: _Trail, neighbours: Callable[[str, Iterable[str]], Iterable[str]]
) -> Iterator[str]:
    """Breadth first from the nodes in ``trail``, which grows; one step for each edge."""
    queue = deque(trail)
    while queue:
        node = queue.popleft()
        for after in neighbours(node, ()):
            if after not in trail:
                trail[after] = node
                queue.append(after)
            yield after


def _trace(trail: _Trail, node: str) -> list[str]:
    """The way back from ``node`` to where the walk began."""
    path, step = [node], trail[node]
    while step is not None:
        path.append(step)
        step = trail[step]
    return path


def _named(cycle: list[str]) -> str:
    """The same text for the same cycle, whichever task closed it."""
    first = cycle.index(min(cycle))
    path = [*cycle[first:], *cycle[: first + 1]]
    return f"circular dependency: {' -> '.join(path)}; take one of them out"


_BECAME: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.COMPLETED: "completed, but had to fail",
    TaskStatus.FAILED: "failed, but had to succeed",
    TaskStatus.CANCELLED: "was cancelled",
    TaskStatus.SKIPPED: "was skipped",
}


def resolve(
    row: TaskExecution, ended: Mapping[str, TaskExecution | None], now: datetime
) -> Transition | None:
    """What the end of some dependencies, or the time, does to a blocked execution.

    ``ended`` maps keys (``TaskDependency.key``) to the executions that ended, or to None where
    the history has lost them. A key that is of no dependency is only waited for: any end will
    do. Answers SKIPPED if a dependency can no longer be met or waited
    longer than its time-out, else what takes the met keys off ``blocked_by``, else None.
    """
    awaited = [one for one in row.dependencies if one.key in row.blocked_by]
    for dependency in awaited:
        if dependency.key in ended:
            upstream = ended[dependency.key]
            if upstream is None:
                return _end(row, dependency.task_id, None, "is gone from the history", now)
            if dependency.dependency_type not in lifecycle.MEETS[upstream.status]:
                return _end(row, dependency.task_id, upstream, _BECAME[upstream.status], now)
    settled = row.blocked_by & ended.keys()
    limits = [
        (one.timeout, one.task_id)
        for one in awaited
        if one.timeout is not None and one.key not in settled
    ]
    wait_until = None
    if limits:
        seconds, task_id = min(limits)
        wait_until = (row.created_time or row.scheduled_time) + timedelta(seconds=seconds)
        if wait_until <= now:
            return _end(row, task_id, None, f"did not end within {seconds:g} s", now)
    if wait_until != row.wait_until:
        # A limit that no longer counts would have the row looked at again and again.
        return lifecycle.annotate(lifecycle.unblock(row, settled=settled), wait_until=wait_until)
    return lifecycle.unblock(row, settled=settled) if settled else None


def _end(
    row: TaskExecution, task_id: str, upstream: TaskExecution | None, became: str, now: datetime
) -> Transition:
    """SKIPPED; the reason names the dependency and, through that one's own cause, the root."""
    reason, cause = f"dependency {task_id!r} {became}", f"task {task_id!r} {became}"
    if upstream is not None and upstream.cause is not None:
        reason, cause = f"{reason}: {upstream.cause}", upstream.cause
    elif upstream is not None:
        cause = f"task {task_id!r} (execution {upstream.execution_id}) {became}"
    return lifecycle.skip(row, reason=reason, cause=cause, now=now)
