"""What is told of an event to whoever listens, in this process or in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from ..events import Event, EventType
from ..models import Tick

_UNTOLD: Final = {
    EventType.ATTEMPT_ENDED,
    EventType.STOPPING,
    EventType.STORE_ERROR,
    EventType.STORE_CALL,
    EventType.LIVE,
}
TOLD: Final = tuple(one for one in EventType if one not in _UNTOLD)
"""The events that are told: what happened to executions, schedules and locks."""

_STEPS: Final = {
    EventType.SCHEDULED: 0,
    EventType.UNBLOCKED: 1,
    EventType.STARTED: 2,
    EventType.FINISHED: 4,
    EventType.REVOKED: 5,
}
_BETWEEN: Final = 3


class Told(NamedTuple):
    """``place`` is that among the events of one execution: its claims so far, and the step."""

    type: str
    time: datetime
    data: Mapping[str, Any]
    place: tuple[int, int]

    def to_json(self) -> list[Any]:
        """For a record."""
        return [self.type, self.time.isoformat(), self.data, *self.place]


def told(event: Event) -> Told:
    """The ids and the state; arguments and results are for those who ask."""
    row = event.execution
    if row is None:
        return Told(event.type.value, event.time, _plain(event.data), (0, 0))
    data: dict[str, Any] = {
        "execution_id": row.execution_id,
        "task_id": row.task_id,
        "status": row.status.value,
        "priority": row.priority.word,
        "queue": row.queue,
        "node": row.node,
        "schedule_id": row.schedule_id,
        "workflow_id": row.workflow_id,
    }
    place = row.fence, _STEPS.get(event.type, _BETWEEN)
    return Told(event.type.value, event.time, data, place)


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(tick := data.get("tick"), Tick):
        return {
            "schedule_id": tick.schedule_id,
            "instant": tick.instant.isoformat(),
            "outcome": tick.outcome.value,
            "reason": tick.reason,
            "execution_id": tick.execution_id,
        }
    return {key: str(value) for key, value in data.items()}


def from_json(found: Sequence[Any]) -> Told:
    """What ``to_json`` made; raises ``ValueError`` for what it did not."""
    type_, time, data, claims, step = found
    return Told(str(type_), datetime.fromisoformat(time), dict(data), (int(claims), int(step)))


def in_order(events: Sequence[Told]) -> list[Told]:
    """By time, and those of one execution as they must have happened, whatever clocks say."""
    by_time = sorted(events, key=lambda one: one.time)
    places: dict[str, list[int]] = {}
    for number, one in enumerate(by_time):
        if (execution := one.data.get("execution_id")) is not None:
            places.setdefault(execution, []).append(number)
    ordered = list(by_time)
    for numbers in places.values():
        for number, one in zip(
            numbers, sorted((by_time[n] for n in numbers), key=lambda one: one.place), strict=True
        ):
            ordered[number] = one
    return ordered
