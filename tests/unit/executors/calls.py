"""Makes calls, and runs them on an event loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from advanced_scheduler.context import TaskContext
from advanced_scheduler.executors import Call, Executor, Outcome
from advanced_scheduler.models import TaskDependency, TaskExecution

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def make_context(results: Mapping[str, Any] | None = None, **fields: Any) -> TaskContext:
    """The context of an execution ``run-1`` of the task ``job``."""
    dependencies = tuple(TaskDependency(task_id) for task_id in results or ())
    execution = TaskExecution(
        **{
            "execution_id": "run-1",
            "task_id": "job",
            "task_name": "Job",
            "scheduled_time": NOW,
            "attempt": 2,
            "fence": 3,
            "dependencies": dependencies,
            **fields,
        }
    )
    return TaskContext(
        execution=execution, node="node-1", started=NOW, load_results=lambda: results or {}
    )


def make_call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Call:
    """A call with a context of its own."""
    return Call(function, args, kwargs, make_context())


def outcome_of(
    executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> Outcome:
    """Run one call from its beginning to its end."""
    return asyncio.run(executor.run(make_call(function, *args, **kwargs)))


def value_of(executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What one call answers; it must not fail."""
    outcome = outcome_of(executor, function, *args, **kwargs)
    assert outcome.error is None, outcome.error
    return outcome.value


def error_of(
    executor: Executor, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> BaseException:
    """What one call raises; it must fail."""
    outcome = outcome_of(executor, function, *args, **kwargs)
    assert outcome.error is not None, outcome.value
    return outcome.error
