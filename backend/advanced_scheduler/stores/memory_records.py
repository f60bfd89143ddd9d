"""The records of the memory store."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from heapq import nlargest, nsmallest

from ..forks import free_in_child
from ..models import OF_EXECUTION, Record, RecordKind


class MemoryRecords:
    """``RecordStore`` in this process, under a lock of its own."""

    def __init__(self) -> None:
        self._records_lock = free_in_child(threading.Lock())
        self._records: defaultdict[RecordKind, dict[str, Record]] = defaultdict(dict)

    def save_record(
        self, record: Record, *, new: bool = False, expected: datetime | None = None
    ) -> bool:
        """Insert or replace; False if it must be new or as ``expected``, and is not."""
        with self._records_lock:
            held = self._records[record.kind]
            found = held.get(record.record_id)
            if (new and found) or (expected and not _written(found, expected)):
                return False
            held[record.record_id] = record
            return True

    def records(
        self,
        kind: RecordKind,
        *,
        ids: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> list[Record]:
        """Records of a kind, by id downwards."""
        with self._records_lock:
            found = (
                (one_id, one)
                for one_id, one in self._records[kind].items()
                if (ids is None or one_id in ids) and (cursor is None or one_id < cursor)
            )
            return [one for _, one in nlargest(limit, found, key=lambda pair: pair[0])]

    def drop_records(
        self, kind: RecordKind, ids: Collection[str], *, expected: datetime | None = None
    ) -> int:
        """Delete them."""
        with self._records_lock:
            held = self._records[kind]
            found = [held[one] for one in set(ids) if one in held]
            gone = [one for one in found if expected is None or _written(one, expected)]
            for one in gone:
                del held[one.record_id]
            return len(gone)

    def drop_records_of(self, execution_id: str) -> None:
        """Delete what belongs to an execution."""
        with self._records_lock:
            for kind in OF_EXECUTION:
                if held := self._records.get(kind):
                    held.pop(execution_id, None)

    def drop_records_before(self, kind: RecordKind, before: datetime, limit: int) -> int:
        """Delete what is older, the oldest first."""
        with self._records_lock:
            held = self._records[kind]
            old = (
                (one.written_time, one_id)
                for one_id, one in held.items()
                if one.written_time < before
            )
            gone = [held.pop(one_id) for _, one_id in nsmallest(limit, old)]
            return len(gone)


def _written(record: Record | None, at: datetime) -> bool:
    return record is not None and record.written_time == at
