"""Ten examples, each a function to read, run and copy.

``python examples.py`` lists them, ``python examples.py 3`` runs the third, ``all`` runs all.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from advanced_scheduler import (
    AdvancedTaskScheduler,
    CronTrigger,
    Event,
    EventType,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskContext,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)


def simple_task_with_priority() -> str:
    """Simple task with priority."""

    def greet(name: str) -> str:
        return f"hello {name}"

    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        scheduler.register_task(
            TaskDefinition("greet", "Greet somebody", greet, priority=TaskPriority.HIGH)
        )
        execution_id = scheduler.schedule_task("greet", "ada")
        answer: str = scheduler.result(execution_id, timeout=10)
        print(f"execution {execution_id} says: {answer}")
        return answer


def retry() -> list[float]:
    """Task with retry configuration."""
    calls, delays = 0, []

    def flaky() -> str:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionError("the service is not there")
        return "the service answered"

    def note(event: Event) -> None:
        if event.type is EventType.RETRYING and event.execution is not None:
            delays.append(event.data["delay"])
            print(f"{event.execution.error}; again in {event.data['delay']:.2f} s")

    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        scheduler.events.subscribe(note)
        patient = RetryConfig(
            strategy=RetryStrategy.EXPONENTIAL,
            max_attempts=5,  # retries after the first run
            initial_delay=0.1,
            max_delay=2,
            backoff_multiplier=2.0,
            jitter=False,  # True spreads the retries of many tasks by 20 %
            retry_on=(ConnectionError,),
        )
        scheduler.register_task(TaskDefinition("flaky", "Flaky", flaky, retry_config=patient))
        print(scheduler.result(scheduler.schedule_task("flaky"), timeout=10))
    return delays


def dependencies() -> dict[str, str]:
    """Task dependencies (DAG)."""

    def fetch() -> list[int]:
        return [3, 1, 2]

    def process(context: TaskContext) -> list[int]:
        return sorted(context.results["fetch"])

    def publish(context: TaskContext) -> str:
        return f"published {context.results['process']}"

    def alert() -> str:
        return "somebody, look at this"

    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        fetched, processed = (
            TaskDependency("fetch", "success"),
            TaskDependency("process", "success"),
        )
        trouble = TaskDependency("process", "failure")
        for task in (
            TaskDefinition("fetch", "Fetch", fetch),
            TaskDefinition("process", "Process", process, dependencies=[fetched]),
            TaskDefinition("publish", "Publish", publish, dependencies=[processed]),
            TaskDefinition("alert", "Alert", alert, dependencies=[trouble]),
        ):
            scheduler.register_task(task)
        print("in order:", " -> ".join(scheduler.dependency_graph.topological_sort()))

        run = scheduler.schedule_workflow(["fetch", "process", "publish", "alert"])
        print(scheduler.result(run["publish"], timeout=10))
        scheduler.wait_for_task(run["alert"], timeout=10)

        ended = {}
        for task_id, execution_id in run.items():
            status = scheduler.get_task_status(execution_id) or {}
            ended[task_id] = status["status"]
            print(f"{task_id:8} {status['status']:10} {status['reason'] or ''}".rstrip())
        return ended


def distributed_locking() -> list[int]:
    """Distributed locking."""
    inside = threading.Semaphore(1)
    fences: list[int] = []

    def alone(context: TaskContext) -> None:
        assert inside.acquire(blocking=False), "two executions hold the lock"
        assert context.lock_fence is not None
        fences.append(context.lock_fence)  # send it along with writes: it grows with every grant
        time.sleep(0.05)
        inside.release()

    address = os.environ.get("REDIS_URL")  # without it, the lock holds within this process
    with closing(AdvancedTaskScheduler(address)) as scheduler, scheduler.running():
        print(f"the lock is kept in: {scheduler.lock_manager.kind}")
        scheduler.register_task(
            TaskDefinition("alone", "One at a time", alone, require_lock=True, lock_timeout=30)
        )
        for execution_id in scheduler.schedule_task_many("alone", [()] * 3):
            scheduler.result(execution_id, timeout=30)
    print(f"3 executions ran one after the other; their fencing numbers: {fences}")
    return fences


def cron() -> list[datetime]:
    """Cron scheduling."""
    ran: list[datetime] = []
    twice = threading.Event()

    def tick(context: TaskContext) -> None:
        ran.append(context.scheduled_time)
        print(f"due at {context.scheduled_time:%H:%M:%S}, late by {context.lateness:.3f} s")
        if len(ran) == 2:
            twice.set()

    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        scheduler.register_task(TaskDefinition("tick", "Tick", tick))
        every_second = scheduler.schedule_cron_task("tick", "* * * * * *")  # six: seconds first
        twice.wait(timeout=10)
        scheduler.remove_schedule(every_second)

    print("the next three Mondays at nine in Berlin, the last after the clocks changed:")
    mondays = CronTrigger("0 9 * * MON", timezone="Europe/Berlin")
    instant, now = None, datetime(2030, 3, 17, tzinfo=UTC)
    for _ in range(3):
        instant = mondays.get_next_fire_time(instant, now)
        print(f"  {instant}")
    return ran


def priority_queue() -> list[str]:
    """Multi-priority queue."""
    order: list[str] = []

    with closing(AdvancedTaskScheduler(max_concurrent_tasks=1)) as scheduler:
        scheduler.register_task(TaskDefinition("note", "Note", order.append))
        ids = [
            scheduler.schedule_task("note", one.name, options=ScheduleOptions(priority=one))
            for one in reversed(TaskPriority)  # the least urgent is the first to come
        ]
        waiting = scheduler.task_queue.by_priority()
        print("waiting:", {one.name: count for one, count in waiting.items()})
        with scheduler.running():
            for execution_id in ids:
                scheduler.wait_for_task(execution_id, timeout=10)
    print("ran:", " -> ".join(order))
    return order


def timeout() -> dict[str, str]:
    """Task timeout."""
    told = threading.Event()

    async def coroutine() -> None:
        await asyncio.sleep(60)  # is cancelled

    def thread(context: TaskContext) -> None:
        # Nobody can stop a thread from outside: a long one looks at its context.
        if context.cancelled.wait(60):
            told.set()

    errors = {}
    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        for body in (coroutine, thread):
            name = body.__name__
            scheduler.register_task(TaskDefinition(name, name.title(), body, timeout=0.2))
            execution_id = scheduler.schedule_task(name)
            scheduler.wait_for_task(execution_id, timeout=10)
            status = scheduler.get_task_status(execution_id) or {}
            errors[name] = status["error"]
            print(f"{name}: {status['status']}, {status['error']}")
        assert told.wait(10)
    return errors


def health_monitoring() -> dict[str, Any]:
    """Health monitoring."""

    def divide(a: int, b: int) -> float:
        return a / b

    with closing(AdvancedTaskScheduler()) as scheduler, scheduler.running():
        server = scheduler.serve_metrics(port=0)  # 9464 is the usual one for Prometheus
        scheduler.register_task(TaskDefinition("divide", "Divide", divide))
        for execution_id in scheduler.schedule_task_many("divide", [(1, 2), (3, 4), (5, 0)]):
            scheduler.wait_for_task(execution_id, timeout=10)

        health = scheduler.get_health_status()
        print(f"status: {health['status']}, success rate: {health['success_rate']:.0f} %")
        print(f"average: {health['average_execution_time']:.6f} s")
        for error in health["recent_errors"]:
            print(f"  {error['task_name']}: {error['error']}")

        with urlopen(f"{server.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        print(*(line for line in lines if "executions_finished_total{" in line), sep="\n")
        return health


def complex_workflow() -> dict[str, str]:
    """Complex workflow."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'jobs.db'}"  # what was accepted survives kill -9
        with closing(AdvancedTaskScheduler(store=store)) as scheduler, scheduler.running():
            for task in nightly_import():
                scheduler.register_task(task)
            run = scheduler.schedule_workflow(scheduler.task_definitions)
            for execution_id in run.values():
                scheduler.wait_for_task(execution_id, timeout=20)
            ended = {name: scheduler.get_task_status(one) or {} for name, one in run.items()}
    for name, status in ended.items():
        print(f"{name:10} {status['status']:10} {status['result'] or status['error']}")
    return {name: status["status"] for name, status in ended.items()}


def nightly_import() -> list[TaskDefinition]:
    """Two extracts in parallel, then one step after the other; for the end, whatever happens."""
    again = RetryConfig(RetryStrategy.FIXED, initial_delay=0.1)
    extracted = [TaskDependency("orders", "success"), TaskDependency("customers", "success")]
    transformed, loaded = TaskDependency("transform", "success"), TaskDependency("load", "success")
    checked, broken = TaskDependency("check"), TaskDependency("check", "failure", timeout=60)
    return [
        TaskDefinition("orders", "Orders", extract, args=("orders",), retry_config=again),
        TaskDefinition("customers", "Customers", extract, args=("customers",), retry_config=again),
        TaskDefinition("transform", "Transform", transform, dependencies=extracted),
        TaskDefinition(
            "load",
            "Load",
            load,
            priority=TaskPriority.HIGH,
            dependencies=[transformed],
            require_lock=True,
            timeout=30,
        ),
        TaskDefinition("check", "Check", check, dependencies=[loaded]),
        TaskDefinition("tidy_up", "Tidy up", tidy_up, dependencies=[checked]),
        TaskDefinition(
            "alert", "Alert", alert, priority=TaskPriority.CRITICAL, dependencies=[broken]
        ),
    ]


def extract(source: str, context: TaskContext) -> dict[str, int]:
    if context.retry_count == 0:
        raise ConnectionError(f"{source} does not answer")
    return {source: len(source)}


def transform(context: TaskContext) -> dict[str, int]:
    return {**context.results["orders"], **context.results["customers"]}


def load(context: TaskContext) -> str:
    return f"loaded {context.results['transform']} under lock {context.lock_fence}"


def check() -> None:
    raise ValueError("one row is missing")


def tidy_up() -> str:
    return "temporary files removed"


def alert() -> str:
    return "told the people on call"


def status_tracking() -> list[str]:
    """Task status tracking."""
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        go_on.wait(10)
        return "done"

    seen: list[str] = []
    with closing(AdvancedTaskScheduler()) as scheduler:
        scheduler.register_task(TaskDefinition("work", "Work", work))
        execution_id = scheduler.schedule_task("work")
        unwanted = scheduler.schedule_task("work", options=ScheduleOptions(delay=3600))

        def look(one: str) -> None:
            status = scheduler.get_task_status(one) or {}
            seen.append(status["status"])
            print(
                f"{status['status']:10} started {status['started_time']}, result {status['result']}"
            )

        look(execution_id)
        with scheduler.running():
            begun.wait(10)
            look(execution_id)
            go_on.set()
            scheduler.result(execution_id, timeout=10)
            look(execution_id)
            scheduler.cancel_task(unwanted)
            look(unwanted)
    return seen


Example = Callable[[], Any]
EXAMPLES: tuple[Example, ...] = (
    simple_task_with_priority,
    retry,
    dependencies,
    distributed_locking,
    cron,
    priority_queue,
    timeout,
    health_monitoring,
    complex_workflow,
    status_tracking,
)


def main(arguments: list[str]) -> int:
    """Run the examples that are named by their numbers; without any, list them."""
    titles = [f"{number:2} {one.__doc__}" for number, one in enumerate(EXAMPLES, 1)]
    if not arguments:
        print(*titles, sep="\n")
        return 0
    known = {str(number): number for number in range(1, len(EXAMPLES) + 1)}
    numbers = list(known) if arguments == ["all"] else arguments
    for text in numbers:
        if text not in known:
            print(f"no example {text!r}; there are 1 to {len(EXAMPLES)}, and all", file=sys.stderr)
            return 2
    for text in numbers:
        print(f"=== {titles[known[text] - 1].strip()}")
        EXAMPLES[known[text] - 1]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
