"""Schedules executions for one that runs, each once, however many attempts ask for it."""

from __future__ import annotations

import reprlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ..context import Spawning
from ..errors import InvalidArguments
from ..faults import is_storable
from ..models import Record, RecordKind, ScheduleOptions, TaskExecution
from .commands import Commands
from .ground import Ground

MOST: Final = 1000
KEY_LENGTH: Final = 200


class Children:
    """Of one attempt; thread-safe.

    The id of the next child is on record before the child is there: whoever finds the record
    after a crash knows that all but the last one are there, even if some have left the history.
    """

    def __init__(self, ground: Ground, commands: Commands, *, parent: TaskExecution) -> None:
        self._store = ground.store
        self._commands = commands
        self._clock = ground.clock
        self._parent = parent
        self._lock = threading.Lock()
        self._calls = 0
        self._ids: dict[str, str] | None = None  # by key; None until they are read
        self._doubtful: str | None = None  # the key of one that may not be there

    def spawn(self, wanted: Spawning) -> str:
        """Schedule one, unless it was; answers its id."""
        with self._lock:
            key = self._key(wanted.key)
            ids = self._known()
            if key in ids and key != self._doubtful:
                return ids[key]
            if key not in ids and len(ids) >= MOST:
                raise InvalidArguments(
                    f"execution {self._parent.execution_id} has spawned {MOST:,}; "
                    "schedule_workflow and schedule_task_many take more"
                )
            return self._schedule(key, ids, wanted)

    def _schedule(self, key: str, ids: dict[str, str], wanted: Spawning) -> str:
        request = self._commands.request(
            wanted.task, (wanted.args, wanted.kwargs), self._options(wanted.options)
        )
        now = self._clock.now()
        intake = self._commands.intake
        request = request._replace(
            execution_id=ids.get(key) or request.options.execution_id or intake.new_id(now),
            parent=self._parent.execution_id,
        )
        row = intake.prepare([request], now)[0]  # what is refused leaves no record
        if key in ids and self._store.get([row.execution_id]):
            self._doubtful = None
            return row.execution_id
        ids[key], self._doubtful = row.execution_id, key
        self._store.save_record(
            Record(
                kind=RecordKind.SPAWNED,
                record_id=self._parent.execution_id,
                written_time=now,
                data={"ids": ids, "last": key},
            )
        )
        ids[key] = intake.submit([request])[0]
        self._doubtful = None
        return ids[key]

    def _options(self, options: ScheduleOptions | None) -> object:
        given: object = options or ScheduleOptions()
        if not isinstance(given, ScheduleOptions):
            return given
        if given.connection is not None:  # the id is on record, whatever becomes of a transaction
            raise InvalidArguments("spawn() takes no connection; schedule_task() does")
        if self._parent.workflow_id is None:
            return given
        return replace(given, workflow_id=given.workflow_id or self._parent.workflow_id)

    def _key(self, key: object) -> str:
        if key is None:
            self._calls += 1
            return f"#{self._calls}"
        if isinstance(key, str) and 0 < len(key) <= KEY_LENGTH and is_storable(key):
            return key
        raise InvalidArguments(
            f"key={reprlib.repr(key)} must be a text of 1 to {KEY_LENGTH} characters"
        )

    def _known(self) -> dict[str, str]:
        if self._ids is None:
            kind, parent = RecordKind.SPAWNED, self._parent.execution_id
            found = self._store.records(kind, ids=[parent]) if self._parent.fence > 1 else ()
            data: Mapping[str, dict[str, str]] = found[0].data if found else {}
            self._ids = dict(data.get("ids", {}))
            self._doubtful = found[0].data.get("last") if found else None
        return self._ids
