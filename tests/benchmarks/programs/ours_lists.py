"""advanced-scheduler: how long each list and filter takes beside a history of n executions.

``python ours_lists.py URL N``: the URL of an empty SQL store. Each page is asked for through the
service, which REST and the dashboard ask as well; the figures are the 95th percentiles of 20 calls,
in milliseconds, by name; ``prune_ms`` is the longest of the calls that trim the history to a
tenth, of the time in which it locks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import quantiles
from typing import Any

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.api.schemas import ExecutionQuery
from advanced_scheduler.api.service import Service
from advanced_scheduler.engine.housekeeper import BATCH
from advanced_scheduler.engine.ids import first_id_at
from advanced_scheduler.triggers import CronTrigger
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.history import STEP_MS, TASKS, fill
from tests.benchmarks.programs.opening import SETTINGS, noop

CALLS = 20
PRUNES = 100
HOUR = timedelta(hours=1)
SCHEDULES = 100


def filters(middle: datetime) -> dict[str, ExecutionQuery]:
    """What the table of executions is asked for, by name."""
    return {
        "all": ExecutionQuery(),
        "failed": ExecutionQuery(status=frozenset({"failed"})),
        "pending": ExecutionQuery(status=frozenset({"pending"})),
        "none running": ExecutionQuery(status=frozenset({"running"})),
        "two states": ExecutionQuery(status=frozenset({"failed", "cancelled"})),
        "task": ExecutionQuery(task_id="task-7"),
        "task, failed": ExecutionQuery(task_id="task-40", status=frozenset({"failed"})),
        "task, never failed": ExecutionQuery(task_id="task-7", status=frozenset({"failed"})),
        "no such task": ExecutionQuery(task_id="nobody"),
        "priority": ExecutionQuery(priority="critical"),
        "priority, failed": ExecutionQuery(priority="critical", status=frozenset({"failed"})),
        "priority, never cancelled": ExecutionQuery(
            priority="background", status=frozenset({"pending"}), until=middle
        ),
        "node": ExecutionQuery(node="node-3"),
        "no such node": ExecutionQuery(node="nobody"),
        "tag": ExecutionQuery(tag="nightly"),
        "rare tag": ExecutionQuery(tag="rare"),
        "no such tag": ExecutionQuery(tag="nobody"),
        "text": ExecutionQuery(text="number"),
        "no such text": ExecutionQuery(text="nobody said this"),
        "queue": ExecutionQuery(queue="default"),
        "rare queue": ExecutionQuery(queue="rare"),
        "no such queue": ExecutionQuery(queue="nobody"),
        "schedule": ExecutionQuery(schedule_id="s-4"),
        "schedule, failed": ExecutionQuery(schedule_id="s-4", status=frozenset({"failed"})),
        "workflow": ExecutionQuery(workflow_id="flow-80"),
        "an hour": ExecutionQuery(since=middle, until=middle + HOUR),
        "an hour, failed": ExecutionQuery(
            since=middle, until=middle + HOUR, status=frozenset({"failed"})
        ),
    }


def asked(scheduler: AdvancedTaskScheduler, rows: int) -> Mapping[str, Callable[[], object]]:
    """What pages, tables and charts ask, by name."""
    service = Service(scheduler)
    runs, tasks, schedules = service.executions, service.tasks, service.schedules
    now = datetime.now(UTC)
    middle = now - HOUR - timedelta(milliseconds=STEP_MS) * (rows // 2)
    deep = first_id_at(middle)
    queries = filters(middle)
    (one,) = runs.page(ExecutionQuery(), 1).executions
    return {
        **{name: partial(runs.page, query) for name, query in queries.items()},
        **{f"{name}, deep": partial(runs.page, query, 50, deep) for name, query in queries.items()},
        "page of 1,000": lambda: runs.page(ExecutionQuery(), 1000),
        "execution": lambda: runs.get(one.id),
        "tasks": tasks.page,
        "task detail": lambda: tasks.get("task-7"),
        "durations": lambda: tasks.durations("task-7"),
        "dead letters": service.dead_letters.groups,
        "dead letters, counted": service.dead_letters.count,
        "workflows": service.workflows.runs,
        "workflows, deep": lambda: service.workflows.runs(50, deep),
        "workflow run": lambda: service.workflows.get("flow-80"),
        "schedules": schedules.page,
        "schedule detail": lambda: schedules.get("s-4"),
        "ticks": lambda: schedules.ledger("s-4", middle, middle + HOUR),
        "lanes": service.cluster.queue,
        "locks": service.cluster.locks,
        "nodes": service.cluster.nodes,
        "audit": service.audit.page,
        "audit, deep": lambda: service.audit.page(100, deep),
        "series": lambda: service.series.read("6h"),
        "health": scheduler.get_health_status,
    }


def p95(call: Callable[[], object]) -> float:
    """In milliseconds, of 20 calls after one for the caches."""
    took = []
    for _ in range(1 + CALLS):
        begun = time.perf_counter()
        call()
        took.append((time.perf_counter() - begun) * 1000)
    return quantiles(took[1:], n=20)[-1]


def longest_prune(scheduler: AdvancedTaskScheduler, keep: int) -> float:
    """In milliseconds, of the transactions that lock; the housekeeper makes the same calls."""
    took: list[float] = []
    store: Any = scheduler.store
    write = store._write

    def timed(work: Any) -> Any:
        begun = time.perf_counter()
        answer = write(work)
        took.append(time.perf_counter() - begun)
        return answer

    store._write, now = timed, datetime.now(UTC)
    for _ in range(PRUNES):
        store.prune(keep=keep, before=now, older_than=now - timedelta(days=30), limit=BATCH)
    return max(took) * 1000


def opened(url: str) -> AdvancedTaskScheduler:
    """A scheduler that knows the tasks and schedules of the history."""
    scheduler = AdvancedTaskScheduler(store=url, settings=SETTINGS)
    for number in range(TASKS):
        name = f"task-{number}"
        scheduler.register_task(TaskDefinition(name, name, noop, require_lock=number < 5))
    every_day = CronTrigger("0 3 * * *")
    for number in range(SCHEDULES):
        scheduler.create_schedule(f"task-{number % TASKS}", every_day, schedule_id=f"s-{number}")
    return scheduler


def main(url: str, rows: int) -> None:
    scheduler = opened(url)
    fill(scheduler.store, rows)
    figures = {name: p95(call) for name, call in asked(scheduler, rows).items()}
    say(**figures, prune_ms=longest_prune(scheduler, rows // 10))
    scheduler.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
