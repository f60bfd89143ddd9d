"""Owns asking a trigger for what comes."""

from __future__ import annotations

from datetime import UTC, datetime

from advanced_scheduler.triggers import Trigger


def utc(text: str) -> datetime:
    """The instant of an ISO text without offset, which means UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def upcoming(trigger: Trigger, since: datetime | str, count: int) -> list[datetime]:
    """The first ``count`` instants from ``since`` on, or fewer if they end; in the zone."""
    now = utc(since) if isinstance(since, str) else since
    found: list[datetime] = []
    while len(found) < count:
        following = trigger.get_next_fire_time(found[-1] if found else None, now)
        if following is None:
            break
        found.append(following)
    return found


def upcoming_utc(trigger: Trigger, since: datetime | str, count: int) -> list[str]:
    """The same as ISO texts in UTC, to the minute unless a run has seconds."""
    instants = [instant.astimezone(UTC) for instant in upcoming(trigger, since, count)]
    return [instant.isoformat().replace("+00:00", "").removesuffix(":00") for instant in instants]
