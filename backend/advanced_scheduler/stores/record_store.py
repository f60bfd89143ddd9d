"""What a store must do for the operation of a cluster."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from ..models import Record, RecordKind


class RecordStore(Protocol):
    """Small records by kind and id: nodes, pauses, keys, audit lines."""

    def save_record(
        self, record: Record, *, new: bool = False, expected: datetime | None = None
    ) -> bool:
        """Insert or replace; with ``new`` insert, or answer False where the kind has this id.

        With ``expected`` replace what was written at this time, or answer False.
        """
        ...

    def records(
        self,
        kind: RecordKind,
        *,
        ids: Collection[str] | None = None,
        cursor: str | None = None,
        limit: int = 1000,
    ) -> list[Record]:
        """Records of a kind (with these ids) whose id comes before ``cursor``, by id downwards.

        What cannot be read is left out, and stays.
        """
        ...

    def drop_records(
        self, kind: RecordKind, ids: Collection[str], *, expected: datetime | None = None
    ) -> int:
        """Delete them (if written at the ``expected`` time); answers how many went."""
        ...

    def drop_records_before(self, kind: RecordKind, before: datetime, limit: int) -> int:
        """Delete records written before this time, the oldest first, at most ``limit``."""
        ...
