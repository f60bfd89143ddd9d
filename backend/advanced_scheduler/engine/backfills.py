"""Which execution runs a schedule for an instant of the past: the same one for all who ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from ..models import Record, RecordKind, Schedule
from .ground import Ground

_KEPT: Final = timedelta(days=90)
_SWEPT: Final = 1000
_TICK: Final = timedelta(microseconds=1)


class Backfills:
    """A record for each month of a schedule, from instants to ids; forgotten after 90 days.

    Ids are given before executions are stored: who goes on after a crash makes what is missing
    under the id that was given.
    """

    def __init__(self, ground: Ground) -> None:
        self._store = ground.store
        self._clock = ground.clock

    def known(self, schedule: Schedule, instants: Iterable[datetime]) -> dict[datetime, str]:
        """The ids that were given to these instants, whether or not the executions are there."""
        months = {_month(schedule, one): None for one in instants}
        given: dict[str, str] = {}
        for record in self._store.records(RecordKind.BACKFILL, ids=months, limit=len(months) or 1):
            given |= record.data
        return {one: given[_text(one)] for one in instants if _text(one) in given}

    def given(
        self, schedule: Schedule, instants: Iterable[datetime], new_id: Callable[[datetime], str]
    ) -> dict[datetime, str]:
        """The id of each of these instants (in order), a new one where there was none."""
        ids: dict[datetime, str] = {}
        for month, some in groupby(instants, key=partial(_month, schedule)):
            told = self._told(month, wanted := list(some), new_id)
            ids |= {one: told[_text(one)] for one in wanted}
        forgotten = self._clock.now() - _KEPT
        self._store.drop_records_before(RecordKind.BACKFILL, forgotten, _SWEPT)
        return ids

    def _told(
        self, month: str, wanted: Sequence[datetime], new_id: Callable[[datetime], str]
    ) -> Mapping[str, str]:
        """What the record says once it has all that is wanted, whoever else writes into it."""
        while True:
            now = self._clock.now()
            found = next(iter(self._store.records(RecordKind.BACKFILL, ids=[month])), None)
            before = {} if found is None else found.data
            new = {_text(one): new_id(now) for one in wanted if _text(one) not in before}
            if not new:
                return before
            seen = None if found is None else found.written_time
            record = Record(
                kind=RecordKind.BACKFILL,
                record_id=month,
                written_time=now if seen is None else max(now, seen + _TICK),
                data={**before, **new},
            )
            if self._store.save_record(record, new=seen is None, expected=seen):
                return record.data


def _month(schedule: Schedule, instant: datetime) -> str:
    """The id of a record; a schedule that was removed and made again has others."""
    made = "" if schedule.created_time is None else schedule.created_time.isoformat()
    return f"{schedule.schedule_id} {made} {instant.astimezone(UTC):%Y-%m}"


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
