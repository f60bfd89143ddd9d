"""Who did what: a line for every call that changes something."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ..clock import Clock
from ..engine.ids import ExecutionIds
from ..faults import cleaned
from ..models import Record, RecordKind
from ..stores.base import Store
from .auth import Principal
from .fields import Answer, Page
from .views import redacted

KEPT: Final = timedelta(days=365)
_LOOKED_AT: Final = 1000  # lines in one search
_SWEPT: Final = 100  # old lines that go at each new one
_LONG: Final = 200  # characters of a text, items of a list, that are kept
_LARGE: Final = 2**53
_TOLD: Final = frozenset(
    (
        *("action", "catch_up", "cron", "dry_run", "end", "everything", "expires_time"),
        *("function_name", "id", "ids", "module_id", "name", "priority", "query", "queue"),
        *("scopes", "start", "tasks", "task_id", "timezone"),
    )
)
"""Of a body: which things and what to do with them, and never arguments or keys."""


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
        self._store.drop_records_before(RecordKind.AUDIT, now - KEPT, _SWEPT)
        said = {
            "who": cleaned(principal.name)[:_LONG],
            "action": cleaned(action),
            "target": None if target is None else cleaned(target)[:_LONG],
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


def asked_for(body: bytes) -> dict[str, Any]:
    """What of the body of a request, whatever it is, may be read by all who read the audit."""
    try:
        said = json.loads(body)
        known = said.items() if isinstance(said, dict) else ()
        return {key: _short(one) for key, one in known if key in _TOLD and one is not None}
    except (ValueError, RecursionError):
        return {}


def _short(value: Any) -> Any:
    if isinstance(value, list):
        return [_short(one) for one in value[:_LONG]]
    if isinstance(value, bool | int | float) and abs(value) <= _LARGE:  # and is a number at all
        return value
    return cleaned(value if isinstance(value, str) else json.dumps(value))[:_LONG]


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
