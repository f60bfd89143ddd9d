"""Owns schedulers for tests of the engine: quick ones, on real stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import Clock
from advanced_scheduler.config import Settings
from advanced_scheduler.engine.new_schedules import Edit, New
from advanced_scheduler.engine.parts import Parts, assemble
from advanced_scheduler.engine.schedules import Schedules
from advanced_scheduler.models import Schedule, TaskExecution, TaskStatus
from advanced_scheduler.stores.base import Claim, Store
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from advanced_scheduler.triggers import IntervalTrigger, Trigger
from tests.support.definitions import define

NOW: Final = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)


def quick(**fields: Any) -> Settings:
    """Settings that poll often, and drain for as long as it takes."""
    return Settings(**{"poll_seconds": 0.02, "drain_seconds": 10, **fields})


def scheduler(
    store: Store | str | None = None,
    *,
    clock: Clock | None = None,
    limit: int = 10,
    name: str = "here",
    **settings: Any,
) -> AdvancedTaskScheduler:
    """A scheduler on ``store`` (in memory) that was not started."""
    return AdvancedTaskScheduler(
        None,
        limit,
        store=MemoryStore() if store is None else store,
        settings=quick(**settings),
        clock=clock,
        name=name,
    )


def faulty(*, blocking: bool = False) -> FaultyStore:
    """A store in memory that can be made to fail; ``blocking``: called in threads."""
    return FaultyStore(MemoryStore(), blocking=blocking)


def parts(store: Store, clock: Clock, **settings: Any) -> Parts:
    """What a scheduler is made of."""
    return assemble(None, store=store, settings=quick(**settings), clock=clock)


def add_task(
    target: AdvancedTaskScheduler, function: Callable[..., Any], task_id: str = "job", **fields: Any
) -> None:
    """Register ``function``."""
    target.register_task(define(function, task_id=task_id, **fields))


def row_of(target: AdvancedTaskScheduler, execution_id: str) -> TaskExecution:
    """The stored row."""
    (row,) = target.store.get([execution_id])
    return row


def status_of(target: AdvancedTaskScheduler, execution_id: str) -> TaskStatus:
    """Where the execution stands."""
    return row_of(target, execution_id).status


def run(target: AdvancedTaskScheduler, times: int = 1) -> int:
    """Run what is due, so many times after each other; answers how many executions were run."""
    return sum(asyncio.run(target.run_due()) for _ in range(times))


def by(node: str = "n", limit: int = 10, now: datetime = NOW, lease: timedelta = MINUTE) -> Claim:
    """What a node asks for."""
    return Claim(node=node, limit=limit, now=now, lease_until=now + lease)


def execution(execution_id: str = "e", **fields: Any) -> TaskExecution:
    """A pending execution of the task ``job``, due now."""
    return TaskExecution(
        **{
            "execution_id": execution_id,
            "task_id": "job",
            "task_name": "Job",
            "scheduled_time": NOW,
            **fields,
        }
    )


MINUTELY: Final = IntervalTrigger(60, start_time=NOW)


def schedule(trigger: Trigger = MINUTELY, **fields: Any) -> Schedule:
    """A schedule that is due at ``NOW``."""
    return Schedule(
        **{
            "schedule_id": "s",
            "task_id": "job",
            "trigger": trigger.to_json(),
            "next_fire_time": NOW,
            **fields,
        }
    )


def add_cron(
    schedules: Schedules, task_id: str, trigger: Trigger, policies: Mapping[str, Any]
) -> str:
    """A schedule that says nothing but task, trigger and policies; its id."""
    task = schedules._parts.registry.get(task_id)
    new = New(task, Edit(trigger=trigger, policies=policies))
    return schedules.add(new, replacing=False).schedule_id


def edit(
    schedules: Schedules,
    schedule_id: str,
    trigger: Mapping[str, Any],
    policies: Mapping[str, Any],
    version: int | None = None,
) -> Schedule:
    """Change arguments of the trigger, and policies."""
    wanted = Edit(trigger=trigger or None, policies=policies, version=version)
    return schedules.update(schedule_id, wanted)
