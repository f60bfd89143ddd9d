"""What callers of the service ask for: reads their configurations, and says what is wrong."""

from __future__ import annotations

import inspect
import json
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ..errors import InvalidTask, InvalidTrigger
from ..faults import has_storable_texts, is_storable
from ..functions import binds, import_function, is_below, signature_of
from ..models import LONGEST
from ..triggers import (
    CronTrigger,
    EventTrigger,
    ForeignCalendarTrigger,
    IntervalTrigger,
    OneTimeTrigger,
    Trigger,
)
from ..triggers.trigger import moment
from ..triggers.zones import zone_of
from .service_results import Refused

_UNITS: Final = {"minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800, "months": 2678400}
INTERVAL_TYPES: Final = tuple(_UNITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A configuration that was found to be right."""

    module_id: str
    function_name: str
    parameters: Mapping[str, Any]
    trigger: Trigger
    max_executions: int | None
    metadata: Mapping[str, Any]


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable():
        return False
    return 0 < len(value) <= 200 and value == value.strip()


def _is_module(value: object) -> bool:
    return isinstance(value, str) and all(part.isidentifier() for part in value.split("."))


def _is_object(value: object) -> bool:
    """A dict as every database reads it: Python's ``json`` alone knows NaN, and some no NUL."""
    try:
        json.dumps(value, allow_nan=False)
        return isinstance(value, dict) and has_storable_texts(value)
    except (TypeError, ValueError, RecursionError):
        return False


def _is_function(value: object) -> bool:
    return isinstance(value, str) and value.isidentifier() and not value.startswith("_")


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


Check = tuple[Callable[[Any], bool], str]
"""Whether a value is right, and what it must be."""

TEXT: Final[Check] = (_is_text, "a text of 1 to 200 printable characters, no blanks at its ends")
MODULE: Final[Check] = (_is_module, "the name of a module, such as 'standard.data_export'")
FUNCTION: Final[Check] = (_is_function, "the name of a function that is not private")
PARAMETERS: Final[Check] = (_is_object, "a dict of JSON without NaN and NUL, keys are texts")
_COUNT: Final[Check] = (_is_count, "a whole number from 1 on")
_REQUIRED: Final[Mapping[str, Check]] = {
    "name": TEXT,
    "module_id": MODULE,
    "function_name": FUNCTION,
}
_OPTIONAL: Final[Mapping[str, Check]] = {
    "description": (is_storable, "a text that every store takes"),
    "parameters": PARAMETERS,
    "schedule_time": (lambda value: isinstance(value, datetime | str), "a datetime, or its text"),
    "recurring": (lambda value: isinstance(value, bool), "True or False"),
    "interval_type": (INTERVAL_TYPES.__contains__, f"one of {', '.join(INTERVAL_TYPES)}"),
    "interval_value": _COUNT,
    "cron": (_is_text, "a cron text"),
    "event": (_is_text, "the name of an event"),
    "max_executions": _COUNT,
    "trace_session_id": TEXT,
}
_KEPT: Final = ("description", "interval_type", "interval_value", "trace_session_id")
_WAYS: Final = ("interval_type", "cron", "event")
_CODE: Final = "TASK_SCHEDULING_FAILED"


def read_task(config: object, *, now: datetime, timezone: str) -> TaskRequest:
    """The configuration of a task, checked.

    Raises ``Refused`` with an entry for each wrong field in ``details["errors"]``.
    """
    if not isinstance(config, Mapping):
        raise wrong(_CODE, config, {"config": f"{reprlib.repr(config)} must be a dict"})
    given = {key: value for key, value in config.items() if value is not None}
    if errors := _errors(given):
        raise wrong(_CODE, config, errors)
    field = "schedule_time"
    try:
        start = given.get(field)
        at = None if start is None else moment(field, start, zone_of(timezone))
        field = next((way for way in _WAYS if way in given), field)
        trigger = _trigger(given, at, now, timezone)
    except InvalidTrigger as error:
        raise wrong(_CODE, config, {field: str(error)}) from error
    said = {key: given[key] for key in (*_REQUIRED, *_KEPT) if key in given}
    said |= {"parameters": given.get("parameters", {})}
    return TaskRequest(
        module_id=said["module_id"],
        function_name=said["function_name"],
        parameters=said["parameters"],
        trigger=trigger,
        max_executions=given.get("max_executions"),
        metadata={**said, "recurring": not isinstance(trigger, OneTimeTrigger)},
    )


def interval_trigger(
    interval_type: str, interval_value: int, start: datetime, timezone: str
) -> Trigger:
    """Runs at ``start`` (aware) and every so many minutes, hours, days, weeks or months after.

    Minutes and hours are real time. Days, weeks and months are those of the calendar in
    ``timezone``, at the same time of the day; where a month lacks the day, its last day runs.
    Raises ``InvalidTrigger``.
    """
    if interval_type not in INTERVAL_TYPES or not _is_count(interval_value):
        raise InvalidTrigger(
            f"interval_type={interval_type!r}, interval_value={interval_value!r} must be one of "
            f"{', '.join(INTERVAL_TYPES)}, and a whole number from 1 on"
        )
    seconds = _UNITS[interval_type] * interval_value
    if seconds > LONGEST:
        raise InvalidTrigger(f"{interval_value} {interval_type} must be at most 100 years")
    if interval_type in ("minutes", "hours"):
        return IntervalTrigger(timedelta(seconds=seconds), start_time=start)
    wall = start.astimezone(zone_of(timezone))
    steps = {name: interval_value if name == interval_type else 0 for name in INTERVAL_TYPES}
    return ForeignCalendarTrigger(
        [0, steps["months"], steps["weeks"], steps["days"]],
        [wall.hour, wall.minute, wall.second],
        wall.date().isoformat(),
        timezone=timezone,
        gap="run_after",
        short="last",
    )


def allowed_function(
    module_id: str, function_name: str, allowed_modules: Sequence[str]
) -> Callable[..., Any]:
    """The function, imported; ``allowed_modules`` are the modules that it may be in or below.

    Raises ``Refused``: TASK_NOT_ALLOWED before anything is imported, and for a function that
    the module has from elsewhere; TASK_SCHEDULING_FAILED if there is no such function.
    """
    task = f"{module_id}.{function_name}"
    if not is_below(module_id, allowed_modules) or not _is_function(function_name):
        raise Refused(
            "TASK_NOT_ALLOWED",
            f"task {task!r} is not registered, and its module is not allowed; register it, or "
            "name the module in allowed_modules",
            {"module_id": module_id, "allowed_modules": list(allowed_modules)},
        )
    try:
        function, _ = import_function(f"{module_id}:{function_name}")
    except InvalidTask as error:
        raise wrong(_CODE, task, {"function_name": str(error)}) from error
    home = getattr(function, "__module__", None)
    if not inspect.isroutine(function) or not is_below(str(home), allowed_modules):
        raise Refused(
            "TASK_NOT_ALLOWED",
            f"task {task!r} is not defined there but in module {home!r}, which is not allowed, or "
            "is no plain function; register it, or name that module in allowed_modules",
            {"module_id": module_id, "allowed_modules": list(allowed_modules)},
        )
    if not binds(signature_of(function), [{}], {}):
        why = f"{task} must take one argument, the dict of parameters"
        raise wrong(_CODE, task, {"function_name": why})
    return function


def faults_of(
    given: Mapping[Any, Any], required: Mapping[str, Check], optional: Mapping[str, Check]
) -> dict[str, str]:
    """What is wrong, by field: missing, unknown, or not what it must be."""
    fields = {**required, **optional}
    errors = {key: f"is missing; give {required[key][1]}" for key in required if key not in given}
    for key, value in given.items():
        if key not in fields:
            errors[str(key)] = f"is unknown; use {', '.join(fields)}"
        elif not fields[key][0](value):
            errors[key] = f"{reprlib.repr(value)} must be {fields[key][1]}"
    return errors


def wrong(code: str, config: object, errors: Mapping[str, str]) -> Refused:
    """The refusal of a configuration, with the reason by each field that is wrong."""
    text = "; ".join(f"{field}: {why}" for field, why in errors.items())
    return Refused(code, text, {"config": config, "errors": dict(errors)})


def _errors(given: Mapping[Any, Any]) -> dict[str, str]:
    errors = faults_of(given, _REQUIRED, _OPTIONAL)
    ways = [way for way in _WAYS if way in given]
    if given.get("recurring", bool(ways)) is not bool(ways) or len(ways) > 1:
        errors["recurring"] = (
            f"goes with just one of {', '.join(_WAYS)} if it is True, else with none"
        )
    if ("interval_type" in given) != ("interval_value" in given):
        errors["interval_value"] = "goes with interval_type"
    if not ways and "schedule_time" not in given:
        errors["schedule_time"] = "is missing; say when to run a task that is not recurring"
    return errors


def _trigger(
    given: Mapping[str, Any], at: datetime | None, now: datetime, timezone: str
) -> Trigger:
    if "cron" in given:
        return CronTrigger(given["cron"], timezone=timezone, start_time=at)
    if "event" in given:
        return EventTrigger(given["event"])
    if "interval_type" not in given:
        return OneTimeTrigger(at or now, timezone=timezone)
    every = (given["interval_type"], given["interval_value"])
    if at is not None and at.microsecond:  # not before it, as a calendar has whole seconds
        at += timedelta(microseconds=1_000_000 - at.microsecond)
    if at is None:  # the first run is one interval from now
        at = interval_trigger(*every, now, timezone).get_next_fire_time(now, now) or now
    return interval_trigger(*every, at, timezone)
