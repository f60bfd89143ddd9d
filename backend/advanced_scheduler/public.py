"""The names that the package exports; ``advanced_scheduler`` loads them at their first use."""

from __future__ import annotations

from .clock import Clock, ManualClock, SystemClock
from .config import Settings
from .context import TaskContext, current_execution
from .dag import TaskDependencyGraph
from .engine.handle import TaskHandle
from .errors import (
    CircularDependency,
    ConfigurationError,
    ExecutionNotFound,
    IllegalTransition,
    InvalidArguments,
    InvalidCronExpression,
    InvalidTask,
    InvalidTrigger,
    LockError,
    LockLost,
    LockUnavailable,
    NotStorable,
    ProcessDied,
    RemoteError,
    ResultTimeout,
    SchedulerError,
    SchedulerStateError,
    StoreError,
    StoreUnavailable,
    TaskAlreadyRegistered,
    TaskFailed,
    TaskInUse,
    TaskNotRegistered,
    UnknownDependency,
)
from .events import Event, EventBus, EventType
from .health import SchedulerHealthMonitor
from .locks import DistributedTaskLock
from .models import (
    MisfirePolicy,
    OverlapPolicy,
    RetryConfig,
    RetryStrategy,
    Schedule,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Tick,
    TickOutcome,
)
from .queue import PriorityTaskQueue
from .retry import TaskRetryManager
from .scheduler import AdvancedTaskScheduler, get_advanced_scheduler
from .triggers import CronTrigger, IntervalTrigger, OneTimeTrigger

__all__ = [
    "AdvancedTaskScheduler",
    "CircularDependency",
    "Clock",
    "ConfigurationError",
    "CronTrigger",
    "DistributedTaskLock",
    "Event",
    "EventBus",
    "EventType",
    "ExecutionNotFound",
    "IllegalTransition",
    "IntervalTrigger",
    "InvalidArguments",
    "InvalidCronExpression",
    "InvalidTask",
    "InvalidTrigger",
    "LockError",
    "LockLost",
    "LockUnavailable",
    "ManualClock",
    "MisfirePolicy",
    "NotStorable",
    "OneTimeTrigger",
    "OverlapPolicy",
    "PriorityTaskQueue",
    "ProcessDied",
    "RemoteError",
    "ResultTimeout",
    "RetryConfig",
    "RetryStrategy",
    "Schedule",
    "ScheduleOptions",
    "SchedulerError",
    "SchedulerHealthMonitor",
    "SchedulerStateError",
    "Settings",
    "StoreError",
    "StoreUnavailable",
    "SystemClock",
    "TaskAlreadyRegistered",
    "TaskContext",
    "TaskDefinition",
    "TaskDependency",
    "TaskDependencyGraph",
    "TaskExecution",
    "TaskFailed",
    "TaskHandle",
    "TaskInUse",
    "TaskNotRegistered",
    "TaskPriority",
    "TaskRetryManager",
    "TaskStatus",
    "Tick",
    "TickOutcome",
    "UnknownDependency",
    "current_execution",
    "get_advanced_scheduler",
]
