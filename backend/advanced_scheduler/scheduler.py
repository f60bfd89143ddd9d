"""The face of the package: every question and command is a plain call; the engine does the work."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import (
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from datetime import datetime
from pkgutil import resolve_name
from typing import Any, Final, Literal, ParamSpec, TypeVar

from .clock import Clock
from .cluster_calls import ClusterCalls
from .config import Settings, read_settings
from .dag import TaskDependencyGraph
from .engine.callbacks import Callbacks
from .engine.cluster import Cluster
from .engine.commands import Commands
from .engine.feed import Feed
from .engine.handle import TaskHandle, dependency_on
from .engine.host import TimerHost
from .engine.node import Node
from .engine.options import checked_queues, duties_of
from .engine.parts import Parts, assemble
from .engine.pools import Pools
from .engine.report import facts_of, health_report
from .engine.schedule_fields import checked_name
from .engine.schedules import Schedules
from .engine.timer import Host
from .engine.views import TaskQueueView
from .engine.waiters import Waiters
from .errors import ConfigurationError, SchedulerStateError
from .events import EventBus
from .execution_calls import ExecutionCalls
from .forks import free_in_child, renew_in_child
from .functions import home_of
from .health import HealthFacts, SchedulerHealthMonitor
from .hosting_calls import HostingCalls
from .locks import DistributedTaskLock
from .models import (
    RetryConfig,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)
from .registry import TaskRegistry
from .retry import TaskRetryManager
from .schedule_calls import ScheduleCalls
from .stores.base import Store

MOST_SLOTS: Final = 10_000  # of one node: far beyond what a process can run at once

P = ParamSpec("P")
R = TypeVar("R")


class AdvancedTaskScheduler(HostingCalls, ExecutionCalls, ScheduleCalls, ClusterCalls):
    """Wraps APScheduler: priorities, dependencies, locks, retries, durable state, health.

    ``redis_client`` (a ``redis.Redis`` or a URL) is where locks live; without it they live in
    the store, or in this process. ``store`` is a URL such as ``sqlite:///jobs.db``, or a
    store; the default is the setting ``store``, in memory. ``apscheduler`` is a scheduler of
    APScheduler 3 that the application already has; the default is one of our own. ``queues``
    are those that this node serves; the default is the setting ``queues``, all of them.
    ``tracer_provider`` is OpenTelemetry's, for spans of what is scheduled and run; without one
    there are none.

    Every plain method is thread-safe and works before ``start``. Raises ``ValueError`` for a
    setting that cannot work and ``StoreUnavailable`` if the store cannot be opened.
    """

    def __init__(
        self,
        redis_client: Any = None,
        max_concurrent_tasks: int = 10,
        *,
        store: str | Store | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        apscheduler: Host | None = None,
        name: str | None = None,
        queues: Collection[str] | None = None,
        tracer_provider: Any = None,
    ) -> None:
        self.settings = settings = settings or read_settings(Settings)
        self.name = _own_name() if name is None else checked_name(name)
        self._named = name is not None
        self.max_concurrent_tasks = _slots(max_concurrent_tasks)
        self._host = TimerHost(apscheduler)
        self._parts: Parts = assemble(
            redis_client,
            store=store,
            settings=settings,
            clock=clock,
            tracer_provider=tracer_provider,
        )
        self.clock: Clock = self._parts.clock
        self.events: EventBus = self._parts.events
        self.feed: Feed = self._parts.feed
        self.store: Store = self._parts.store
        self.task_registry: TaskRegistry = self._parts.registry
        self.dependency_graph: TaskDependencyGraph = self._parts.graph
        self.retry_manager: TaskRetryManager = self._parts.retries
        self.lock_manager: DistributedTaskLock = self._parts.locks
        self.health_monitor: SchedulerHealthMonitor = self._parts.monitor
        self.task_queue = TaskQueueView(self.store)
        self.duties = duties_of(settings)
        self.queues = settings.queues if queues is None else checked_queues(queues)
        self._pools = Pools()
        self._commands = Commands(self._parts, self._pools)
        self._schedules = Schedules(self._parts)
        self._cluster = Cluster(self.store, self.clock, self._parts.signals)
        self._waiters = Waiters(
            self.store, self.events, settings.poll_seconds, on_loop=self._is_home
        )
        self._callbacks = Callbacks(self.store, self.events, settings.poll_seconds)
        self._node: Node | None = None
        self._stepper: Node | None = None
        self._servers: list[Any] = []
        self._of_parent: list[object] = []
        renew_in_child(self, AdvancedTaskScheduler._leave_to_parent)

    @property
    def asked_store(self) -> str | Store:
        """The store, or its URL, as it was asked for; see ``engine.rehearsal``."""
        return self._parts.asked_store

    @property
    def asked_locks(self) -> Any:
        """Where locks live, as it was asked for: a client of Redis, its URL, or None."""
        return self._parts.asked_locks

    @property
    def apscheduler(self) -> Host:
        """The scheduler of APScheduler that this one is plugged into."""
        return self._host.apscheduler

    @property
    def task_definitions(self) -> Mapping[str, TaskDefinition]:
        """The registered definitions by task id: live, and read-only."""
        return self._parts.registry.definitions

    @property
    def running_tasks(self) -> int:
        """How many executions run on this node now."""
        node = self._node or self._stepper
        return 0 if node is None else len(node.dispatcher.running)

    def register_task(self, task_def: TaskDefinition) -> None:
        """Make a task known.

        Raises ``ValueError``: "already registered", a function that cannot be imported or
        called with the definition's arguments, "circular dependency" with its path.
        """
        self._commands.register(task_def)
        if self._node is not None:
            self._node.dispatcher.wake()

    def unregister_task(self, task_id: str) -> None:
        """Forget a task.

        Raises ``TaskNotRegistered``, and ``TaskInUse`` while executions wait for one of its
        executions to end. What is stored stays, and waits for a node that knows the task.
        """
        self._commands.unregister(task_id)

    def task(
        self,
        *,
        task_id: str | None = None,
        name: str | None = None,
        priority: TaskPriority = TaskPriority.NORMAL,
        retry: RetryConfig | None = None,
        lock: bool = False,
        lock_timeout: float = 300,
        timeout: float | None = None,
        after: Sequence[str | TaskDependency | TaskHandle[Any, Any]] = (),
        tags: Sequence[str] = (),
        executor: Literal["auto", "thread", "process"] = "auto",
        at_most_once: bool = False,
    ) -> Callable[[Callable[P, R]], TaskHandle[P, R]]:
        """Register the decorated function, under its dotted name unless ``task_id`` is given."""

        def register(function: Callable[P, R]) -> TaskHandle[P, R]:
            definition = TaskDefinition(
                task_id=task_id or f"{home_of(function)}.{function.__qualname__}",
                task_name=name or function.__name__,
                func_path=function,
                priority=priority,
                retry_config=retry,
                require_lock=lock,
                lock_timeout=lock_timeout,
                timeout=timeout,
                dependencies=[dependency_on(one) for one in after],
                tags=tags,
                executor=executor,
                at_most_once=at_most_once,
            )
            self.register_task(definition)
            return TaskHandle(self, definition.task_id, function)

        return register

    def add_process_pool(self, max_workers: int, name: str | None = None) -> str:
        """Let ``ScheduleOptions(executor=name)`` run calls in at most so many processes at once.

        Answers the name, such as ``process-pool-1``. Whoever waits for a process of its pool
        holds one of the node's ``max_concurrent_tasks``; its time-out begins after that. Raises
        ``ConfigurationError``.
        """
        return self._pools.add(max_workers, name)

    def schedule_task(
        self,
        task: str | Callable[..., Any] | None = None,
        /,
        *args: Any,
        options: ScheduleOptions | None = None,
        scheduled_time: datetime | None = None,
        **kwargs: Any,
    ) -> str:
        """Schedule one execution of ``task`` with these arguments; answers the execution id.

        ``task`` is a registered id (``task_id=`` will do), or a callable. ``scheduled_time``
        (aware) is short for ``options.at``. On a durable store the execution is durable when
        this returns. Raises ``ValueError`` before anything is stored: "not registered",
        arguments that do not fit, a dependency that nobody registered.
        """
        named = kwargs.pop("task_id", None) if task is None else task
        return self._commands.schedule(named, [(args, kwargs)], options, scheduled_time)[0]

    def get_health_status(self) -> dict[str, Any]:
        """Document 003's report: status, rates, queue, running; ``reasons`` if not healthy."""
        return health_report(self._parts, self._node, self.running_tasks, self.max_concurrent_tasks)

    def health_facts(self, *, ask: bool = True) -> HealthFacts:
        """What the health of this node is judged by; ``ask=False`` calls no server for it."""
        return facts_of(self._parts, self._node, ask=ask)

    def serve_metrics(self, port: int = 9464, host: str = "127.0.0.1") -> Any:
        """Answer ``/metrics`` and ``/health`` on a thread of its own; ``close()`` ends it.

        Port 0 takes a free one, see ``port`` of what is answered.
        """
        # A way in stands above this layer: it is loaded by name, and only when asked for.
        server = resolve_name("advanced_scheduler.metrics:serve")(self, port, host)
        self._servers.append(server)
        return server

    async def run_due(self) -> int:
        """Fire due schedules, then claim, run and settle once; answers how many executions ran.

        For tests, with a ``ManualClock``: at most ``max_concurrent_tasks`` run in one call,
        and what they unblock runs in the next.
        """
        if self._node is not None:
            raise SchedulerStateError("run_due() is for a scheduler that was not started")
        if self._stepper is None:
            self._stepper = self._new_node()
        return await self._stepper.step()

    def close(self) -> None:
        """Release the store, the locks and the metrics servers of a scheduler that has stopped."""
        if self._node is not None:
            raise SchedulerStateError("close() on a running scheduler; await stop() first")
        self._end_stepper()
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._callbacks.close()
        self._parts.close()

    def _is_home(self) -> bool:
        return self._node is not None and self._node.is_home()

    def _leave_to_parent(self) -> None:
        """In a forked process: what runs is the parent's; a start here starts afresh."""
        self._of_parent += [self._node, self._stepper]  # to free a loop closes it for the parent
        self._node = self._stepper = None
        self._servers.clear()
        if not self._named:
            self.name = _own_name()


def _own_name() -> str:
    return f"{platform.node()}-{os.getpid()}"


def _slots(wanted: object) -> int:
    if isinstance(wanted, int) and not isinstance(wanted, bool) and 1 <= wanted <= MOST_SLOTS:
        return wanted
    raise ConfigurationError(
        f"max_concurrent_tasks={wanted!r} must be a whole number from 1 to {MOST_SLOTS:,}"
    )


_shared: Final[list[AdvancedTaskScheduler]] = []
_shared_lock: Final = free_in_child(threading.Lock())


def get_advanced_scheduler() -> AdvancedTaskScheduler:
    """The scheduler that this process shares; made at the first call, from the settings."""
    with _shared_lock:
        if not _shared:
            _shared.append(AdvancedTaskScheduler())
        return _shared[0]
