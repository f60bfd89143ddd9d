"""``advanced-scheduler bench``: how fast it is here, on a store."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .lazy import alone
from .options import printing
from .output import Printer
from .sources import StoreUrl

if TYPE_CHECKING:
    from ..events import Event
    from ..scheduler import AdvancedTaskScheduler

Executions = Annotated[
    int, typer.Option("--executions", min=100, max=1_000_000, help="How many are run.")
]
Slots = Annotated[
    int, typer.Option("--slots", min=1, max=10_000, help="How many run at the same time.")
]

TASK = "advanced-scheduler-bench"
_PAGE = 1000
_SHOWN = 100  # ends between two steps of the bar


async def _nothing() -> None:
    """The task: what is measured is everything around it."""


@printing
def bench(
    printer: Printer,
    store: StoreUrl = None,
    executions: Executions = 10_000,
    slots: Slots = 10,
) -> None:
    """Run tasks that do nothing, and say how many a second: one node, all states recorded.

    On a new SQLite file, unless --store says where. There they are in a queue of their own,
    which no other node serves that serves given queues, and are deleted at the end.
    """
    from rich.console import Console
    from rich.progress import Progress

    bars = Progress(console=Console(stderr=True), transient=True)
    with _scheduler(store, slots) as scheduler, bars:
        measured = _measure(scheduler, executions, bars)
    printer.show(measured, measured)


def _measure(scheduler: AdvancedTaskScheduler, executions: int, progress: Any) -> dict[str, Any]:
    from ..clock import SystemClock
    from ..events import EventType
    from ..models import ScheduleOptions, TaskDefinition

    scheduler.register_task(TaskDefinition(TASK, "Nothing", _nothing))
    options, clock = ScheduleOptions(queue=next(iter(scheduler.queues or ()))), SystemClock()
    began = clock.monotonic()
    ids = scheduler.schedule_task_many(TASK, [()] * executions, options=options)
    accepted = clock.monotonic()
    ends, bar = count(1), progress.add_task("running", total=executions)
    over = threading.Event()

    def ended(_: Event) -> None:
        number = next(ends)
        if number % _SHOWN == 0:
            progress.update(bar, completed=number)
        if number == executions:
            over.set()

    hear_no_more = scheduler.events.subscribe(ended, [EventType.FINISHED])
    try:
        with scheduler.running():
            over.wait()
            done = clock.monotonic()
            hear_no_more()
            waits = _pick_ups(scheduler, options)
    finally:
        for first in range(0, len(ids), _PAGE):
            scheduler.delete_executions(ids[first : first + _PAGE])
    return {
        "store": type(scheduler.store).__name__,
        "executions": executions,
        "slots": scheduler.max_concurrent_tasks,
        "accepted_per_second": round(executions / (accepted - began)),
        "run_per_second": round(executions / (done - accepted)),
        "pick_up_p50_ms": round(waits[49] * 1000, 2),
        "pick_up_p99_ms": round(waits[98] * 1000, 2),
    }


def _pick_ups(scheduler: AdvancedTaskScheduler, options: Any) -> list[float]:
    """Percentiles of the seconds from the call to the start, one after the other."""
    found: list[float] = []
    for _ in range(100):
        made = scheduler.schedule_task(TASK, options=options)
        scheduler.result(made, timeout=60)
        row = scheduler.get_execution(made)
        assert row is not None
        assert row.started_time is not None
        found.append((row.started_time - row.scheduled_time).total_seconds())
        scheduler.delete_executions([made])
    return quantiles(found, n=100)


@contextmanager
def _scheduler(store: str | None, slots: int) -> Iterator[AdvancedTaskScheduler]:
    from ..config import Settings, read_settings
    from ..models import Duties, Role
    from ..scheduler import AdvancedTaskScheduler

    queue = f"{TASK}-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as folder:
        url = store or f"sqlite:///{Path(folder) / 'bench.db'}"
        settings = read_settings(Settings, store=url, redis_url=None, history_limit=2_000_000)
        made = AdvancedTaskScheduler(max_concurrent_tasks=slots, settings=settings, queues=[queue])
        made.duties = Duties(roles=frozenset({Role.WORKER}))  # the store may have schedules
        with closing(made):
            yield made


commands = alone(bench)
