"""Serves the tasks that run on a node: keeps what they tell, moves time-outs, schedules more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from ..context import Spawning, TaskContext
from ..errors import SchedulerStateError, StoreError
from ..events import Event, EventType
from ..models import Progress, Record, RecordKind, TaskExecution
from .children import Children
from .commands import Commands
from .ground import Ground
from .notebook import Notebook
from .offload import Offload
from .runner import Run

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1.0
"""How often what one execution tells is stored, at most."""

_Attempt = tuple[str, int]  # execution id and fence


class Desk:
    """The ``context.Desk`` of a node. Costs nothing for a task that asks it for nothing."""

    def __init__(
        self,
        running: Mapping[str, Run],
        *,
        ground: Ground,
        commands: Commands,
        offload: Offload,
        log_lines: int,
    ) -> None:
        self.home: asyncio.AbstractEventLoop | None = None
        self.keeps_logs = log_lines > 0
        self._log_lines = log_lines
        self.books: dict[_Attempt, Notebook] = {}
        self._families: dict[_Attempt, Children] = {}
        self._ground = ground
        self._store = ground.store
        self._commands = commands
        self._events = ground.events
        self._clock = ground.clock
        self._offload = offload
        self._running = running
        self._saving: dict[_Attempt, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def progress(self, context: TaskContext, progress: Progress) -> None:
        """Store it within a second."""
        if (book := self._book(context)) is not None:
            book.show(progress, self._clock.now())
            self._announce(context, book)

    def log(self, context: TaskContext, level: int, text: str, error: BaseException | None) -> None:
        """Store it within a second."""
        if (book := self._book(context)) is not None:
            book.add(self._clock.now(), level, context.attempt, text, error)
            self._announce(context, book)

    def extend(self, context: TaskContext, seconds: float) -> None:
        """Move the time-out on the loop that keeps it."""
        run = self._run(context)
        if run is not None and self.home is not None:
            with suppress(RuntimeError):  # the loop was closed: nothing strikes any more
                self.home.call_soon_threadsafe(run.extend, seconds)

    def spawn(self, context: TaskContext, wanted: Spawning) -> str:
        """Schedule it in the caller's thread, as ``schedule_task`` does."""
        if self._run(context) is None:
            raise SchedulerStateError(
                f"spawn() in execution {context.execution_id}: this attempt has ended"
            )
        family = self._families.get(_key(context))
        if family is None:
            made = Children(self._ground, self._commands, parent=context.execution)
            family = self._families.setdefault(_key(context), made)
        return family.spawn(wanted)

    async def finish(self, row: TaskExecution) -> None:
        """Store what is left to be, before the end of the attempt is stored; raises nothing."""
        key = row.execution_id, row.fence
        try:
            await self._save(row)
            await self._offload(self._drop_if_gone, row)
        except StoreError as error:
            logger.warning("not known whether %s is still there: %s", row.execution_id, error)
        except asyncio.CancelledError:
            pass  # the attempt has ended, and what it came to is what counts
        finally:
            self.books.pop(key, None)
            self._families.pop(key, None)
            self._saving.pop(key, None)

    def knows(self, row: TaskExecution) -> bool:
        """Whether the attempt has asked for anything."""
        if not self.books and not self._families:
            return False
        key = row.execution_id, row.fence
        return key in self.books or key in self._families

    def _run(self, context: TaskContext) -> Run | None:
        """The run of this very attempt; None once nobody waits for it."""
        run = self._running.get(context.execution_id)
        return run if run is not None and run.row.fence == context.fence else None

    def _book(self, context: TaskContext) -> Notebook | None:
        key = _key(context)
        book = self.books.get(key)
        if book is None and self._run(context) is not None:
            book = self.books.setdefault(key, Notebook(self._log_lines))
        return book

    def _announce(self, context: TaskContext, book: Notebook) -> None:
        if not book.announced and self.home is not None:
            book.announced = True
            with suppress(RuntimeError):
                self.home.call_soon_threadsafe(self._later, context.execution, book)

    def _later(self, row: TaskExecution, book: Notebook) -> None:
        home = asyncio.get_running_loop()
        since = None if book.stored is None else self._clock.monotonic() - book.stored
        wait = 0.0 if since is None else max(EVERY_SECONDS - since, 0.0)
        home.call_later(wait, lambda: self._start(home, row))

    def _start(self, home: asyncio.AbstractEventLoop, row: TaskExecution) -> None:
        if (row.execution_id, row.fence) in self.books:
            self._tasks.add(task := home.create_task(self._save(row)))
            task.add_done_callback(self._tasks.discard)

    async def _save(self, row: TaskExecution) -> None:
        key = row.execution_id, row.fence
        book = self.books.get(key)
        if book is None:
            return
        async with self._saving.setdefault(key, asyncio.Lock()):
            book.announced = False
            if not book.dirty:
                return
            try:
                told = await self._offload(self._write, row, book)
            except StoreError as error:
                book.dirty = True
                logger.warning("what %s has told is not stored: %s", row.execution_id, error)
                return
            if told is not None and self._events.hears(EventType.PROGRESS):
                self._events.publish(Event(EventType.PROGRESS, self._clock.now(), row, told))

    def _write(self, row: TaskExecution, book: Notebook) -> Mapping[str, object] | None:
        """Answers the progress."""
        if book.stored is None and row.fence > 1:
            for earlier in self._store.records(RecordKind.LOG, ids=[row.execution_id]):
                book.follow(earlier.data)
        book.stored = self._clock.monotonic()
        data = book.take()
        self._store.save_record(
            Record(
                kind=RecordKind.LOG,
                record_id=row.execution_id,
                written_time=self._clock.now(),
                data=data,
            )
        )
        progress: Mapping[str, object] | None = data["progress"]
        return progress

    def _drop_if_gone(self, row: TaskExecution) -> None:
        """Who deletes an execution that was cancelled elsewhere, and not yet here, is too early."""
        if not self._store.get([row.execution_id]):
            for kind in (RecordKind.LOG, RecordKind.SPAWNED):
                self._store.drop_records(kind, [row.execution_id])


def _key(context: TaskContext) -> _Attempt:
    return context.execution_id, context.fence
