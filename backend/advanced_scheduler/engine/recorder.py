"""Keeps what a node did over time: a small record for ten seconds, and one for a minute.

Nothing is written where nothing ended, and as much waits as before.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from ..clock import Clock
from ..errors import StoreError
from ..events import Event, EventBus, EventType
from ..forks import free_in_child
from ..models import Record, RecordKind, TaskPriority, TaskStatus
from ..models.series import bucket_of
from ..stores.base import Store
from .views import TaskQueueView

logger = logging.getLogger(__name__)

FINE: Final = 10  # seconds of a record
COARSE: Final = 60
KEPT: Final = {FINE: timedelta(minutes=16), COARSE: timedelta(hours=6, minutes=1)}
SAMPLE: Final = 256
"""Executions of ten seconds whose durations are looked at: the last ones. All are counted."""

_REST: Final = 200
"""How much longer than to count what waits the next count is waited for."""
_SWEPT: Final = 1000

_COMPLETED: Final = TaskStatus.COMPLETED


class Recorder:
    """Hears of every end, at the cost of a count; ``write`` does the rest, and seldom."""

    def __init__(self, store: Store, events: EventBus, clock: Clock, node: str) -> None:
        self._store = store
        self._clock = clock
        self._node = node
        self._lock = free_in_child(threading.Lock())
        self._completed = count()
        self._one_more = self._completed.__next__  # no lock: one step of the interpreter
        self._reads = 0  # of the counter, which each read moves on
        self._others: Counter[str] = Counter()
        self._ended: deque[Event] = deque(maxlen=SAMPLE)
        self._slots = {FINE: self._slot(FINE), COARSE: self._slot(COARSE)}
        self._minute = _nothing()
        self._count_from = 0.0
        self._known: dict[int, dict[str, int]] = {}  # what waited, as was told last
        self.close = events.subscribe(self.hear, [EventType.FINISHED])

    def hear(self, event: Event) -> None:
        """One end."""
        row = event.execution
        if row is not None and row.status is _COMPLETED:
            self._one_more()
        elif row is not None:
            timed_out = row.status is TaskStatus.FAILED and row.metrics.get("timed_out")
            with self._lock:
                self._others["timed_out" if timed_out else row.status.value] += 1
        self._ended.append(event)

    def write(self) -> None:
        """Leave a record of each span that is over, if anything happened; raises nothing."""
        slot = self._slot(FINE)
        if slot == self._slots[FINE]:
            return
        try:
            told = self._taken()
            _add(self._minute, told)
            self._save(FINE, told)
            if self._slot(COARSE) != self._slots[COARSE]:
                minute, self._minute = self._minute, _nothing()
                self._save(COARSE, minute)
        except StoreError as error:
            logger.debug("what happened for %d s is on no record: %s", FINE, error)
            self._slots = {FINE: slot, COARSE: self._slot(COARSE)}

    def _slot(self, seconds: int) -> int:
        return int(self._clock.now().timestamp()) // seconds * seconds

    def _taken(self) -> dict[str, dict[str, int]]:
        completed = next(self._completed)
        finished: Counter[str] = Counter()
        with self._lock:
            self._others, others = Counter(), self._others
        finished.update(others)
        finished["completed"] = completed - self._reads
        self._reads = completed + 1
        runs: Counter[str] = Counter()
        waits: Counter[str] = Counter()
        lanes: Counter[str] = Counter()
        for _ in range(len(self._ended)):
            event = self._ended.popleft()
            row = event.execution
            if (duration := event.data.get("duration")) is not None:
                runs[str(bucket_of(duration))] += 1
            if row is not None and row.started_time is not None and row.started_time >= row.due:
                bucket = bucket_of((row.started_time - row.due).total_seconds())
                waits[str(bucket)] += 1
                lanes[lane_key(row.priority, bucket)] += 1
        return {
            "finished": {name: number for name, number in finished.items() if number},
            "runs": dict(runs),
            "waits": dict(waits),
            "lanes": dict(lanes),
            "waiting": self._waiting(),
        }

    def _waiting(self) -> dict[str, int]:
        """By priority; counted seldom where that takes long."""
        begun = self._clock.monotonic()
        if begun < self._count_from:
            return {}
        waiting = TaskQueueView(self._store).by_priority()
        found = {priority.word: number for priority, number in waiting.items()}
        ended = self._clock.monotonic()
        self._count_from = ended + _REST * (ended - begun)
        return found

    def _save(self, seconds: int, told: dict[str, dict[str, int]]) -> None:
        slot, self._slots[seconds] = self._slots[seconds], self._slot(seconds)
        now = self._clock.now()
        known = self._known.get(seconds)
        if told["finished"] or told["waiting"] not in ({}, known):
            self._known[seconds] = told["waiting"] or known or {}
            record = Record(
                kind=RecordKind.SERIES,
                record_id=f"{series_key(seconds, slot)}:{self._node}",
                written_time=now - (KEPT[COARSE] - KEPT[seconds]),  # what is due to go is older
                data=told,
            )
            self._store.save_record(record)
        if seconds == COARSE:
            self._store.drop_records_before(RecordKind.SERIES, now - KEPT[COARSE], _SWEPT)


def series_key(seconds: int, slot: float) -> str:
    """Sorts the records of one length of span by time."""
    return f"{seconds:03d}:{int(slot):012d}"


def lane_key(priority: TaskPriority, bucket: int) -> str:
    """Names a bucket of the waits at one priority."""
    return f"{priority.word}:{bucket}"


def slot_of(record: Record) -> datetime:
    """When the span of a record began."""
    slot = int(record.record_id.split(":", 2)[1])
    return datetime.fromtimestamp(slot, tz=record.written_time.tzinfo)


def _nothing() -> dict[str, dict[str, int]]:
    return {"finished": {}, "runs": {}, "waits": {}, "lanes": {}, "waiting": {}}


def _add(total: dict[str, dict[str, int]], told: dict[str, Any]) -> None:
    """Counts add up; of what waits the latest is told."""
    for name in ("finished", "runs", "waits", "lanes"):
        for key, number in told[name].items():
            total[name][key] = total[name].get(key, 0) + number
    total["waiting"] = told["waiting"] or total["waiting"]
