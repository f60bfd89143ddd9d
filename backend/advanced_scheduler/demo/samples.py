"""Sample tasks and schedules: something of everything, for who looks at the dashboard."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..context import TaskContext
from ..models import (
    OverlapPolicy,
    RetryConfig,
    RetryStrategy,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)
from ..scheduler import AdvancedTaskScheduler
from ..triggers import CronTrigger, IntervalTrigger, MonthlyTrigger, Trigger, WeeklyTrigger

_FETCH, _PRICES, _STOCK, _REPORT = _ORDERS = (
    "orders-fetch",
    "orders-prices",
    "orders-stock",
    "orders-report",
)
_TAGS: Final = ("sample",)
_BERLIN: Final = "Europe/Berlin"


def watch_disk() -> dict[str, float]:
    """Every few seconds: how full the disk of the temporary files is."""
    total, used, _ = shutil.disk_usage(tempfile.gettempdir())
    return {"gigabytes": round(total / 1e9, 1), "percent": round(100 * used / total, 1)}


def orders_fetch() -> list[int]:
    """The first step of a workflow: some orders."""
    return [random.randint(1, 100) for _ in range(20)]


def orders_prices(context: TaskContext) -> int:
    """One of two steps side by side: what the orders come to."""
    return sum(7 * pieces for pieces in context.results[_FETCH])


def orders_stock(context: TaskContext) -> int:
    """The other one: how many pieces leave the stock."""
    return sum(context.results[_FETCH])


def orders_report(context: TaskContext) -> str:
    """The last step, which needs both."""
    return f"{context.results[_STOCK]} pieces, {context.results[_PRICES]} EUR"


def fetch_rates() -> float:
    """Fails now and then, and is tried again."""
    if random.random() < 0.4:
        raise ConnectionError("the sample's server of rates is away now and then")
    return round(random.gauss(1.1, 0.02), 4)


def send_invoice(number: int) -> None:
    """Always fails: what is left of it is a dead letter."""
    raise ValueError(f"invoice {number} has no address")


def rebuild_index(shop: str, context: TaskContext) -> str:
    """One at a time on all nodes: the other shop's run waits for the lock."""
    context.cancelled.wait(2)
    return f"{shop}, under fence {context.lock_fence}"


async def import_catalogue(pages: int, context: TaskContext) -> int:
    """Slow; tells how far it is, and what it did."""
    for page in range(pages):
        await asyncio.sleep(0.5)
        context.progress(page + 1, pages, f"page {page + 1}")
        if page % 10 == 0:
            context.logger.info("page %d of %d", page + 1, pages)
    context.logger.info("all %d pages are in", pages)
    return pages


def thumbnails(context: TaskContext) -> int:
    """Schedules a batch that waits behind everything else."""
    return len([context.spawn("thumbnail", picture) for picture in range(20)])


async def thumbnail(picture: int) -> str:
    """One of the batch."""
    await asyncio.sleep(0.5)
    return f"{picture}.webp"


def count_primes(limit: int) -> int:
    """Computes, in a process of its own."""
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, limit))


def close_books() -> str:
    """For the schedules that are only to be looked at."""
    return "closed"


_SOON: Final = RetryConfig(RetryStrategy.EXPONENTIAL, max_attempts=5, initial_delay=1)
_ONCE_MORE: Final = RetryConfig(RetryStrategy.FIXED, max_attempts=1, initial_delay=1)


def _task(task_id: str, function: Callable[..., Any], *after: str, **more: Any) -> TaskDefinition:
    return TaskDefinition(
        task_id,
        task_id.replace("-", " ").capitalize(),
        function,
        dependencies=[TaskDependency(one, "success") for one in after],
        tags=_TAGS,
        **more,
    )


_TASKS: Final = (
    _task("watch-disk", watch_disk, priority=TaskPriority.CRITICAL),
    _task(_FETCH, orders_fetch),
    _task(_PRICES, orders_prices, _FETCH),
    _task(_STOCK, orders_stock, _FETCH),
    _task(_REPORT, orders_report, _PRICES, _STOCK),
    _task("fetch-rates", fetch_rates, retry_config=_SOON),
    _task("send-invoice", send_invoice, retry_config=_ONCE_MORE),
    _task("rebuild-index", rebuild_index, require_lock=True, lock_timeout=10),
    _task("import-catalogue", import_catalogue, priority=TaskPriority.LOW, timeout=120),
    _task("thumbnails", thumbnails, priority=TaskPriority.LOW),
    _task("thumbnail", thumbnail, priority=TaskPriority.BACKGROUND),
    _task("count-primes", count_primes, priority=TaskPriority.BACKGROUND, executor="process"),
    _task("close-books", close_books, timeout=60),
)

# By the name of the schedule: the task, its arguments, and when it runs.
_LIVELY: Final[Mapping[str, tuple[str, tuple[Any, ...], Trigger]]] = {
    "disk": ("watch-disk", (), IntervalTrigger(3)),
    "orders": ("orders", (), CronTrigger("* * * * *")),
    "rates": ("fetch-rates", (), IntervalTrigger(5)),
    "invoice": ("send-invoice", (4711,), IntervalTrigger(60)),
    "index of the book shop": ("rebuild-index", ("books",), IntervalTrigger(10)),
    "index of the toy shop": ("rebuild-index", ("toys",), IntervalTrigger(10)),
    "catalogue": ("import-catalogue", (40,), IntervalTrigger(45)),
    "thumbnails": ("thumbnails", (), IntervalTrigger(30)),
    "primes": ("count-primes", (50_000,), IntervalTrigger(20)),
}
_RARE: Final[Mapping[str, Trigger]] = {
    "in the hour of clock changes": CronTrigger("30 2 * * *", timezone=_BERLIN),
    "end of the month": MonthlyTrigger("last", "23:30", timezone=_BERLIN),
    "first Monday": CronTrigger("0 9 * * mon#1", timezone="America/New_York"),
}
_PAUSED: Final = "paused: Monday and Thursday"


def register_samples(scheduler: AdvancedTaskScheduler) -> None:
    """Make the tasks known; every node does."""

    def orders() -> dict[str, str]:
        """Starts the workflow of that name."""
        return scheduler.schedule_workflow(_ORDERS)

    for task in _TASKS:
        scheduler.register_task(task)
    scheduler.register_task(_task("orders", orders, priority=TaskPriority.HIGH, at_most_once=True))


def schedule_samples(scheduler: AdvancedTaskScheduler) -> None:
    """Make the schedules; those that the store had not, and that run often, run at once too."""
    known = {one.name for one in scheduler.get_schedules()}
    for name, (task_id, args, trigger) in _LIVELY.items():
        made = scheduler.create_schedule(
            task_id, trigger, args=args, name=name, overlap=OverlapPolicy.SKIP
        )
        if name not in known:
            scheduler.run_schedule_now(made)
    for name, trigger in _RARE.items():
        scheduler.create_schedule("close-books", trigger, name=name)
    paused = WeeklyTrigger(["mon", "thu"], "09:00", timezone=_BERLIN)
    made = scheduler.create_schedule("close-books", paused, name=_PAUSED)
    if _PAUSED not in known:
        scheduler.pause_schedule(made, changelog="only to be looked at")
