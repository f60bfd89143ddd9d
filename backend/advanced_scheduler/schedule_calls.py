"""The part of the face that is about schedules: what is due when, and what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict, Unpack

from .engine.parked import parked
from .engine.parts import Parts
from .engine.schedules import Schedules
from .faults import is_storable
from .models import Audit, Explanation, MisfirePolicy, OverlapPolicy, Parked, Schedule
from .triggers import CronTrigger


class Policies(TypedDict, total=False):
    """What a schedule does about missed and overlapping ticks; see the enums of these names.

    ``max_catch_up`` is how many missed instants ``run_all`` runs (10), ``grace_seconds`` how
    late ``skip`` still runs one (None: half the time to the next).
    """

    misfire: MisfirePolicy | str
    max_catch_up: int
    grace_seconds: float | None
    overlap: OverlapPolicy | str


class ScheduleCalls:
    """Calls on schedules; thread-safe, and the same on any node of a store."""

    _parts: Parts
    _schedules: Schedules

    def schedule_cron_task(
        self,
        task_id: str,
        cron_expression: str,
        *,
        timezone: str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        **policies: Unpack[Policies],
    ) -> str:
        """Run a task by cron text, in UTC unless ``timezone`` says otherwise.

        Answers the id of the schedule. The id follows from the arguments but for the policies:
        an application that says the same again after a restart gets the schedule that it has,
        which also knows the instants that were missed, and which takes the policies that are
        named. Raises ``ValueError``: "Invalid cron expression" with field and token, "not
        registered".
        """
        trigger = CronTrigger(
            cron_expression, timezone=timezone or "UTC", start_time=start_time, end_time=end_time
        )
        return self._schedules.add_cron(task_id, trigger, {**policies})

    def update_schedule(
        self,
        schedule_id: str,
        *,
        cron_expression: str | None = None,
        timezone: str | None = None,
        version: int | None = None,
        **policies: Unpack[Policies],
    ) -> Schedule:
        """Edit a schedule on all nodes at once; answers it with its new version.

        An instant that was due by then is fired as it was, a later one as it is now: never both.
        Raises ``ScheduleNotFound``, ``VersionConflict`` if ``version`` is not the one stored,
        and ``ValueError``, before anything is changed.
        """
        edits = {"expression": cron_expression, "timezone": timezone}
        trigger = {name: value for name, value in edits.items() if value is not None}
        return self._schedules.update(schedule_id, trigger, {**policies}, version)

    def pause_schedule(self, schedule_id: str) -> Schedule:
        """Fire no tick on any node once this has returned; raises ``ScheduleNotFound``."""
        return self._schedules.pause(schedule_id)

    def resume_schedule(self, schedule_id: str, *, catch_up: bool = False) -> Schedule:
        """Go on; raises ``ScheduleNotFound``.

        The instants of the pause are recorded as paused; with ``catch_up`` they are treated as
        missed ones, by the misfire policy.
        """
        return self._schedules.resume(schedule_id, catch_up=catch_up)

    def get_schedules(self) -> list[Schedule]:
        """All schedules of the store, by id."""
        return self._parts.store.schedules()

    def remove_schedule(self, schedule_id: str) -> bool:
        """Delete a schedule; its ledger stays. False if there is no such schedule."""
        return is_storable(schedule_id) and self._parts.store.remove(schedule_id)

    def explain(self, schedule_id: str, instant: datetime) -> Explanation:
        """What became of a schedule at this instant, in words: why it ran late, or not at all.

        Raises ``ScheduleNotFound`` where there is neither a schedule nor a record.
        """
        return self._parts.ledger.explain(schedule_id, instant)

    def audit(self, schedule_id: str, start: datetime, end: datetime) -> Audit:
        """Every instant of a schedule from ``start`` up to, without, ``end``, and what is missing.

        Raises ``ScheduleNotFound``, and ``ValueError`` for more than 10,000 instants.
        """
        return self._parts.ledger.audit(schedule_id, start, end)

    def parked(self) -> list[Parked]:
        """What is stored, and this node cannot use: it is kept for one that can."""
        return parked(self._parts.store, self._parts.registry)
