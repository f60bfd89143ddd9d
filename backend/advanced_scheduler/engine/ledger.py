"""Answers from the ledger what became of each instant of a schedule, and looks for gaps in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ..errors import InvalidArguments, InvalidTrigger, ScheduleNotFound
from ..faults import is_storable
from ..models import (
    Audit,
    Explanation,
    Schedule,
    ScheduleFilter,
    TaskExecution,
    Tick,
    TickOutcome,
)
from ..triggers import Trigger, trigger_from_json
from .backfills import Backfills
from .ground import Ground
from .parked import why_parked
from .plan import instants_between, next_instant

logger = logging.getLogger(__name__)

MOST: Final = 10_000  # instants in one audit
SLICE: Final = 100  # schedules in one step of the check
STRETCH: Final = 1000  # instants of one schedule in one step of the check
REMEMBERED: Final = 100_000  # schedules, twice: some 50 MB, however many there are
LATELY: Final = timedelta(hours=1)  # what is looked at of a schedule that is not remembered
_INSTANT: Final = timedelta(microseconds=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Ledger:
    """Reads the ledger, and what it should hold: every instant of every schedule, once.

    ``check`` is for the housekeeper: it looks at a page of schedules at a time, and at each
    stretch of their ledgers once.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        kept: timedelta,
        unfired: Callable[[], Mapping[str, str]] = dict,
        fired: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.gaps = 0  # instants that were found to be missing, by this process
        self._store = ground.store
        self._registry = ground.registry
        self._backfills = Backfills(ground)
        self._clock = ground.clock
        self._kept = kept
        self._unfired = unfired  # schedule id -> why this node cannot fire it, though it is due
        self._fired = fired  # the schedule that this node fired last
        self._cursor: str | None = None  # the id after which the next page begins
        self._moved = False
        self._checked: dict[str, datetime] = {}  # schedule id -> up to where its ledger is right
        self._before: dict[str, datetime] = {}  # the same, of the round before

    def explain(self, schedule_id: str, instant: datetime) -> Explanation:
        """What became of this instant; raises ``ScheduleNotFound``."""
        if not is_storable(schedule_id):
            raise _unknown(schedule_id)
        instant = in_utc("instant", instant, before=_INSTANT)
        found = self._store.ticks(schedule_id, instant, instant + _INSTANT, 1)
        schedule = next(iter(self._find(schedule_id)), None)
        if schedule is None and not found:
            raise _unknown(schedule_id)
        if schedule is None:
            return self._told(found)[0]
        told = self._told(found)[0] if found else self._untold(schedule, instant)
        for row in self._store.get(self._backfills.known(schedule, [instant]).values()):
            told = _backfilled(told, row)
        return told

    def audit(self, schedule_id: str, start: datetime, end: datetime) -> Audit:
        """Every instant from ``start`` up to, without, ``end``.

        Raises ``ScheduleNotFound`` where there is neither a schedule nor a row of its ledger,
        and ``InvalidArguments`` for more than 10,000 instants or an end before the start.
        """
        if not is_storable(schedule_id):
            raise _unknown(schedule_id)
        start, end = in_utc("start", start), in_utc("end", end)
        if end < start:
            raise InvalidArguments(f"end={end} must not be before start={start}; swap them")
        ticks = self._store.ticks(schedule_id, start, end, MOST + 1)
        schedule = next(iter(self._find(schedule_id)), None)
        if schedule is None and not ticks:
            raise _unknown(schedule_id)
        due: Sequence[datetime] = []
        if schedule is not None:
            first = max(start, self._kept_from(schedule_id))
            due = self._passed(schedule, first, end, MOST + 1)
        if max(len(ticks), len(due)) > MOST:
            raise InvalidArguments(
                f"start={start}, end={end} span more than {MOST:,} instants of schedule "
                f"{schedule_id!r}; ask for a shorter stretch"
            )
        return Audit(
            schedule_id=schedule_id,
            start=start,
            end=end,
            ticks=self._told(ticks),
            missing=_missing(due, ticks),
        )

    def check(self) -> None:
        """Look for gaps in the ledgers of the next page; a gap is counted and logged once."""
        page = self._store.find_schedules(ScheduleFilter(cursor=self._cursor, limit=SLICE))
        for schedule in page:
            self._check(schedule)
        ended = len(page) < SLICE
        self._cursor = None if ended else self._elsewhere() or page[-1].schedule_id
        if ended or len(self._checked) >= REMEMBERED:
            self._before, self._checked = self._checked, {}

    def _elsewhere(self) -> str | None:
        """Where to go on after the first page, once: else all nodes would check the same pages.

        What a node has fired is another place on each of them, whatever the ids look like.
        """
        if self._moved:
            return None
        place = self._fired()
        self._moved = place is not None
        return place

    def _check(self, schedule: Schedule) -> None:
        one, now = schedule.schedule_id, self._clock.now()
        known = self._checked.get(one) or self._before.get(one, now - LATELY)
        start = max(known, now - self._kept / 2)  # what is older may have been trimmed meanwhile
        due = self._passed(schedule, start, now, STRETCH)
        if not due:
            self._checked[one] = start
            return
        ticks = self._store.ticks(one, due[0], due[-1] + _INSTANT, STRETCH)
        missing = _missing(due, ticks)
        if missing and self._find(one) == [schedule]:  # not removed or edited meanwhile
            self.gaps += len(missing)
            logger.error("schedule %s: no record of %d instants: %s", one, len(missing), missing)
        self._checked[one] = due[-1] + _INSTANT

    def _passed(
        self, schedule: Schedule, start: datetime, end: datetime, limit: int
    ) -> Sequence[datetime]:
        """The first instants of this version that must be in the ledger."""
        if schedule.ledger_from is None:  # stored by a release that did not note it
            return []
        first = max(start, schedule.ledger_from)
        last = min(end, _recorded_up_to(schedule), self._clock.now())
        try:
            return instants_between(trigger_from_json(schedule.trigger), first, last, limit)
        except InvalidTrigger:
            return []

    def _kept_from(self, schedule_id: str) -> datetime:
        """What is older may have been trimmed."""
        now = self._clock.now()
        oldest = self._store.ticks(schedule_id, now - 2 * self._kept, now, 1)
        return max([now - self._kept, *(tick.instant for tick in oldest)])

    def _untold(self, schedule: Schedule, instant: datetime) -> Explanation:
        return Explanation(
            schedule_id=schedule.schedule_id,
            instant=instant,
            outcome=None,
            reason=self._why_none(schedule, instant),
        )

    def _why_none(self, schedule: Schedule, instant: datetime) -> str:
        now = self._clock.now()
        try:
            trigger = trigger_from_json(schedule.trigger)
            if instants_between(trigger, instant, instant + _INSTANT, 1) != [instant]:
                return f"not an instant of this schedule{_the_next(trigger, instant)}"
        except InvalidTrigger as error:  # of an object of the application, when it is asked
            return f"parked: {error}"
        if schedule.ledger_from is None or instant < schedule.ledger_from:
            began = schedule.ledger_from and schedule.ledger_from.isoformat()
            return f"version {schedule.version} of this schedule began later, at {began}"
        upcoming = schedule.next_fire_time
        if upcoming is None and instant >= _recorded_up_to(schedule):
            return "the schedule had ended by then"
        if upcoming is None or instant < upcoming:
            if instant < self._kept_from(schedule.schedule_id):
                return f"its record has been trimmed, or was older than {self._kept.days} days"
            return "missing: it was passed over without a record, which must never happen"
        if instant > now:
            return "still to come; the schedule is paused" if schedule.paused else "still to come"
        if schedule.paused:
            return "the schedule is paused; what becomes of it is decided when it is resumed"
        if why := why_parked(schedule, self._registry, self._unfired()):
            return f"parked: {why}"
        return "due, and not fired yet: no running node has looked, or none knows the task"

    def _told(self, ticks: Sequence[Tick]) -> list[Explanation]:
        ids = [tick.execution_id for tick in ticks if tick.execution_id is not None]
        rows = {row.execution_id: row for row in self._store.get(ids)}
        return [_told(tick, rows.get(tick.execution_id or "")) for tick in ticks]

    def _find(self, schedule_id: str) -> list[Schedule]:
        return self._store.schedules([schedule_id]) if is_storable(schedule_id) else []


def _told(tick: Tick, row: TaskExecution | None) -> Explanation:
    words = tick.reason or tick.outcome.value
    if tick.outcome is TickOutcome.FIRED:
        words = f"execution {tick.execution_id}, which the history has no more"
        if row is not None:
            words = _became(row)
        words = f"{tick.reason}; {words}" if tick.reason else words
    return Explanation(
        schedule_id=tick.schedule_id,
        instant=tick.instant,
        outcome=tick.outcome,
        reason=words,
        execution_id=tick.execution_id,
        status=None if row is None else row.status,
    )


def _became(row: TaskExecution) -> str:
    why = row.error or row.reason
    return f"execution {row.execution_id} {row.status}{f': {why}' if why else ''}"


def _backfilled(told: Explanation, row: TaskExecution) -> Explanation:
    """The same where the instant was backfilled; what it had fired itself stays the execution."""
    words = f"{told.reason}; backfilled: {_became(row)}"
    if told.execution_id is not None:
        return replace(told, reason=words)
    return replace(told, reason=words, execution_id=row.execution_id, status=row.status)


def _recorded_up_to(schedule: Schedule) -> datetime:
    """From here on nothing has been fired; of a schedule that has ended nothing will be."""
    if schedule.next_fire_time is not None:
        return schedule.next_fire_time
    last = schedule.last_fire_time
    return _NEVER if last is None else last + _INSTANT


def _missing(due: Iterable[datetime], ticks: Iterable[Tick]) -> list[datetime]:
    recorded = {tick.instant for tick in ticks}
    return [instant for instant in due if instant not in recorded]


def _the_next(trigger: Trigger, instant: datetime) -> str:
    following = next_instant(trigger, None, instant)
    return "" if following is None else f"; the next one after it is {following.isoformat()}"


def in_utc(name: str, instant: object, *, before: timedelta = timedelta()) -> datetime:
    """In UTC, if there are instants up to ``before`` later."""
    if not isinstance(instant, datetime) or instant.tzinfo is None:
        raise InvalidArguments(f"{name}={instant!r} must be an aware datetime")
    try:
        return instant.astimezone(UTC) + before - before
    except OverflowError:
        raise InvalidArguments(
            f"{name}={instant!r} must be within the years 1 to 9999 in UTC"
        ) from None


def _unknown(schedule_id: str) -> ScheduleNotFound:
    return ScheduleNotFound(f"no schedule {schedule_id!r}: it never existed, or it was removed")
