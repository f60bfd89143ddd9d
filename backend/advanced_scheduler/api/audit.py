"""Who did what: a line for every call that changes something."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..clock import Clock
from ..engine.ids import ExecutionIds
from ..models import Record, RecordKind
from ..stores.base import Store
from .auth import Principal
from .fields import Answer, Page
from .views import redacted

KEPT: Final = timedelta(days=365)
_LOOKED_AT: Final = 1000  # lines in one search


class AuditLine(Answer):
    """One call; ``outcome`` is the status code that it was answered with."""

    id: str
    time: datetime
    who: str
    action: str
    target: str | None
    outcome: int
    request_id: str | None
    details: dict[str, Any]


class AuditPage(Page):
    """Lines, the latest first."""

    items: list[AuditLine]


class AuditTrail:
    """Lines in the store, by UUIDv7."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ids = ExecutionIds()

    def note(
        self,
        principal: Principal,
        action: str,
        target: str | None,
        outcome: int,
        *,
        request_id: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a line; raises ``StoreError``."""
        now = self._clock.now()
        said = {
            "who": principal.name,
            "action": action,
            "target": target,
            "outcome": outcome,
            "request_id": request_id,
            "details": redacted(details or {}),
        }
        self._store.save_record(
            Record(
                kind=RecordKind.AUDIT, record_id=self._ids.make(now), written_time=now, data=said
            )
        )

    def page(self, limit: int = 100, cursor: str | None = None) -> AuditPage:
        """The latest lines."""
        found = self._store.records(RecordKind.AUDIT, cursor=cursor, limit=limit)
        return AuditPage(
            items=[_line(one) for one in found],
            next_cursor=found[-1].record_id if len(found) == limit else None,
        )

    def about(self, target: str) -> list[AuditLine]:
        """What was done to one thing lately: among the last thousand lines."""
        found = self._store.records(RecordKind.AUDIT, limit=_LOOKED_AT)
        return [_line(one) for one in found if one.data.get("target") == target]


def _line(record: Record) -> AuditLine:
    said = record.data
    return AuditLine(
        id=record.record_id,
        time=record.written_time,
        who=str(said.get("who", "")),
        action=str(said.get("action", "")),
        target=said.get("target"),
        outcome=int(said.get("outcome", 0)),
        request_id=said.get("request_id"),
        details=dict(said.get("details") or {}),
    )
