"""What document 002 does to a schedule and asks of it: a call of the facade each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final, Literal

from ..aio import AsyncCalls
from ..errors import InvalidArguments, ScheduleNotFound
from ..faults import is_storable
from ..models import DEFINITION, Schedule

PAUSED_WITH_ALL: Final = "paused with all schedules"
_STATES: Final = ("active", "paused", "ended")


@dataclass(frozen=True, slots=True)
class ScheduleVersion:
    """What a schedule was from ``changed_time`` on, and what for."""

    version: int
    changed_time: datetime | None
    changelog: str | None
    definition: Schedule

    def changed_since(self, other: ScheduleVersion) -> dict[str, tuple[Any, Any]]:
        """What differs from ``other``: {field: (there, here)}."""
        return {
            name: (before, after)
            for name in ("trigger", "paused", *DEFINITION)
            if (before := getattr(other.definition, name))
            != (after := getattr(self.definition, name))
        }


class ScheduleVerbs:
    """Questions and orders; they raise ``ScheduleNotFound``."""

    _calls: AsyncCalls

    async def get_schedule(self, schedule_id: str) -> Schedule:
        """The schedule of this id."""
        return await self._calls.get_schedule(schedule_id)

    async def get_schedule_by_name(self, name: str) -> Schedule:
        """The schedule of this name."""
        known = await self._calls.find_schedules(name=name) if is_storable(name) else []
        for found in known:
            return found
        raise ScheduleNotFound(f"no schedule has the name {name!r}; see list_schedules()")

    async def list_schedules(
        self,
        status: Literal["active", "paused", "ended"] | None = None,
        tags: Collection[str] | None = None,
    ) -> list[Schedule]:
        """The schedules in this state that have all of these tags, by id; None: any."""
        if status not in (None, *_STATES):
            raise InvalidArguments(f"status={status!r} must be one of {', '.join(_STATES)}")
        wanted = () if tags is None else tags
        if isinstance(wanted, str) or not isinstance(wanted, Collection):
            raise InvalidArguments(f"tags={tags!r} must be a list of texts, or None")
        if not all(map(is_storable, wanted)):
            raise InvalidArguments(f"tags={tags!r} must all be texts that every store takes")
        return await self._calls.find_schedules(status=status, tags=wanted)

    async def get_schedule_history(self, schedule_id: str) -> list[ScheduleVersion]:
        """Its versions, oldest first, the latest 100."""
        return [
            ScheduleVersion(one.version, one.changed_time, one.changelog, one)
            for one in await self._calls.schedule_versions(schedule_id)
        ]

    async def rollback_schedule(
        self, schedule_id: str, version: int, changelog: str | None = None
    ) -> Schedule:
        """Make an earlier version the next one; whether it is paused stays."""
        return await self._calls.rollback_schedule(schedule_id, version, changelog=changelog)

    async def pause_schedule(self, schedule_id: str) -> None:
        """Fire no more once this has returned."""
        await self._calls.pause_schedule(schedule_id)

    async def resume_schedule(self, schedule_id: str, catch_up: bool = False) -> None:
        """Go on; ``catch_up`` treats what fell into the pause as missed."""
        await self._calls.resume_schedule(schedule_id, catch_up=catch_up)

    async def pause(self) -> None:
        """Pause every schedule that there is now, on all nodes."""
        for one in await self.list_schedules("active"):
            with suppress(ScheduleNotFound):  # removed meanwhile
                await self._calls.pause_schedule(one.schedule_id, changelog=PAUSED_WITH_ALL)

    async def resume(self) -> None:
        """Resume what ``pause`` paused, here or elsewhere, and nothing that was paused singly."""
        for one in await self.list_schedules("paused"):
            with suppress(ScheduleNotFound):
                versions = await self._calls.schedule_versions(one.schedule_id)
                pause = list(takewhile(attrgetter("paused"), reversed(versions)))
                if pause and pause[-1].changelog == PAUSED_WITH_ALL:
                    await self._calls.resume_schedule(one.schedule_id)

    async def delete_schedule(self, schedule_id: str) -> bool:
        """Remove it; False if it is not there."""
        return await self._calls.remove_schedule(schedule_id)

    async def trigger_now(
        self,
        schedule_id: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """See ``run_schedule_now``; answers the execution id."""
        return await self._calls.run_schedule_now(schedule_id, args=args, kwargs=kwargs)

    async def trigger_event(self, name: str, payload: Mapping[str, Any] | None = None) -> list[str]:
        """See ``AdvancedTaskScheduler``; answers the execution ids."""
        return await self._calls.trigger_event(name, payload)

    async def get_next_run_times(self, schedule_id: str, count: int = 5) -> list[str]:
        """The next instants, in UTC and ISO 8601, as if it were not paused."""
        return [_text(one.instant) for one in await self._calls.next_runs(schedule_id, count)]

    async def get_schedule_status(self, schedule_id: str) -> dict[str, Any]:
        """Document 002's keys, as in ``ScheduleStatus``; instants are texts."""
        status = asdict(await self._calls.schedule_status(schedule_id))
        del status["schedule_id"]
        return {k: _text(v) if isinstance(v, datetime) else v for k, v in status.items()}

    async def get_statistics(self) -> dict[str, Any]:
        """Document 002's keys, as in ``ScheduleStatistics``; the uptime is in seconds."""
        total = await self._calls.schedule_statistics()
        return {
            "schedules_total": total.total,
            "schedules_active": total.active,
            "schedules_paused": total.paused,
            "jobs_triggered_total": total.triggered_total,
            "jobs_triggered_last_24h": total.triggered_last_24h,
            "success_rate": total.success_rate,
            "scheduler_uptime": total.uptime,
            "missed_schedules": total.missed,
        }


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
