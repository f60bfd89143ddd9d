"""The nouns of the scheduler: immutable values without decisions and without I/O."""

from __future__ import annotations

from .executions import (
    DEFAULT_QUEUE,
    EXECUTION_FIELDS,
    ExecutionFilter,
    TaskExecution,
)
from .schedules import (
    Audit,
    Explanation,
    MisfirePolicy,
    OverlapPolicy,
    Parked,
    Schedule,
    ScheduleFilter,
    Tick,
    TickOutcome,
    Total,
)
from .tasks import (
    DEPENDENCY_TYPES,
    LONGEST,
    DependencyType,
    ResultOf,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
    TaskStatus,
    result_of,
    task_key,
)

__all__ = [
    "DEFAULT_QUEUE",
    "DEPENDENCY_TYPES",
    "EXECUTION_FIELDS",
    "LONGEST",
    "Audit",
    "DependencyType",
    "ExecutionFilter",
    "Explanation",
    "MisfirePolicy",
    "OverlapPolicy",
    "Parked",
    "ResultOf",
    "RetryConfig",
    "RetryStrategy",
    "Schedule",
    "ScheduleFilter",
    "ScheduleOptions",
    "TaskDefinition",
    "TaskDependency",
    "TaskExecution",
    "TaskPriority",
    "TaskStatus",
    "Tick",
    "TickOutcome",
    "Total",
    "result_of",
    "task_key",
]
