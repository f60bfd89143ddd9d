"""What the programs share that measure us: a scheduler that keeps all history, and its ends."""

from __future__ import annotations

import asyncio
import threading

from advanced_scheduler import AdvancedTaskScheduler, Event, EventType, Settings, TaskDefinition

SETTINGS = Settings(history_limit=10_000_000, auto_migrate=True)


async def noop(_: int = 0) -> None:
    pass


def opened(
    store: str, concurrency: int = 10, *, redis: str | None = None, settings: Settings = SETTINGS
) -> AdvancedTaskScheduler:
    """A scheduler with the task ``noop``, not started; locks are in ``redis`` if that is given."""
    scheduler = AdvancedTaskScheduler(redis, concurrency, store=store, settings=settings)
    scheduler.register_task(TaskDefinition("noop", "No-op", noop))
    return scheduler


class Ends:
    """Counts the executions that have ended *in the store*, not only in their function."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._home = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._count = 0
        self._wanted = 0
        self._reached = asyncio.Event()
        scheduler.events.subscribe(self._hear, [EventType.FINISHED])

    async def more(self, wanted: int) -> None:
        """Wait until so many more have ended than when this was last waited for."""
        with self._lock:
            self._wanted += wanted
            if self._count >= self._wanted:
                return
            self._reached.clear()
        await self._reached.wait()

    def _hear(self, _: Event) -> None:
        with self._lock:
            self._count += 1
            if self._count == self._wanted:
                self._home.call_soon_threadsafe(self._reached.set)


def check_completed(scheduler: AdvancedTaskScheduler, n: int) -> None:
    """AssertionError unless the store has n executions, all completed."""
    recorded: dict[str, int] = {}
    for (status, _), count in scheduler.store.counts().items():
        recorded[str(status)] = recorded.get(str(status), 0) + count
    assert recorded == {"completed": n}, recorded
