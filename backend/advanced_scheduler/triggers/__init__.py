"""When tasks run: pure APScheduler triggers that state themselves as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..errors import InvalidTrigger
from .cron import CronTrigger
from .date import OneTimeTrigger
from .interval import IntervalTrigger
from .trigger import Trigger

__all__ = ["CronTrigger", "IntervalTrigger", "OneTimeTrigger", "Trigger", "trigger_from_json"]

_KINDS: Final[dict[str, type[Trigger]]] = {
    kind.kind: kind for kind in (CronTrigger, IntervalTrigger, OneTimeTrigger)
}


def trigger_from_json(state: Mapping[str, Any]) -> Trigger:
    """The trigger whose ``to_json()`` gave ``state``.

    Raises InvalidTrigger for a type that is unknown, a state that a newer release wrote, and
    arguments that make no trigger.
    """
    kind = state.get("type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InvalidTrigger(
            f"type={kind!r} of a trigger is unknown; use one of {', '.join(_KINDS)}"
        )
    return _KINDS[kind].from_json(state)
