"""The nouns of the scheduler: immutable values without decisions and without I/O."""

from __future__ import annotations

from .executions import (
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
    Tick,
    TickOutcome,
)
from .tasks import (
    DEPENDENCY_TYPES,
    LONGEST,
    DependencyType,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
    TaskStatus,
    task_key,
)

__all__ = [
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
    "RetryConfig",
    "RetryStrategy",
    "Schedule",
    "ScheduleOptions",
    "TaskDefinition",
    "TaskDependency",
    "TaskExecution",
    "TaskPriority",
    "TaskStatus",
    "Tick",
    "TickOutcome",
    "task_key",
]
