"""Turns the options of document 002 into triggers, policies and settings; pure."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from typing import Any, Final, TypeGuard, cast

from ..config import Settings, read_settings
from ..engine.schedule_fields import MOST_CAUGHT_UP, Policies, checked_policies
from ..errors import ConfigurationError, InvalidArguments, TaskNotRegistered
from ..functions import did_you_mean, path_of
from ..models import LONGEST, MisfirePolicy, RetryConfig, RetryStrategy, TaskDefinition
from ..triggers import OneTimeTrigger, Trigger, as_trigger
from ..triggers.recurring import RecurringTrigger
from ..triggers.trigger import moment
from ..triggers.wall import WallTrigger
from .schedule_types import Options, TimedSchedule

WINDOW: Final = {
    "start_date": "start_time",
    "end_date": "end_time",
    "timezone": "timezone",
    "jitter": "jitter",
    "gap": "gap",
    "fold": "fold",
}
"""The options that are the trigger's, under the names that it has for them."""

_OF_WALLS: Final = frozenset({"gap", "fold"})
_OF_RECURRING: Final = frozenset(WINDOW.values()) - _OF_WALLS | {"jitter_seed"}
_SAME: Final = Policies.__annotations__.keys() & Options.__annotations__.keys()
_UNIQUE: Final = {False: "allow", True: "queue_one", "queued": "skip"}
LONGEST_CHECK: Final = 60.0
_HANDLING: Final = {
    "trigger": MisfirePolicy.RUN_ALL,
    "latest": MisfirePolicy.RUN_LATEST,
    "skip": MisfirePolicy.SKIP,
}


def trigger_of(
    schedule: object, options: Options, *, zone: str | tzinfo, old: Trigger | None = None
) -> Trigger:
    """The trigger for a schedule of this module, of ours or of APScheduler, with its options.

    One of this module runs in ``zone``, or in the zone and window of ``old``, unless the options
    say otherwise; the others have their own. Raises InvalidTrigger, and InvalidArguments for an
    option that means nothing to it.
    """
    given: dict[str, Any] = {WINDOW[key]: value for key, value in options.items() if key in WINDOW}
    if given.get("timezone", zone) is None:
        del given["timezone"]
    for name in ("start_date", "end_date"):  # under the names that the caller knows
        if given.get(WINDOW[name]) is not None:
            moment(name, given[WINDOW[name]], UTC)
    kept: dict[str, Any] = {}
    if isinstance(schedule, TimedSchedule):
        kept = {"timezone": zone} if old is None else {"timezone": zone, **old.to_json()}
        trigger = schedule.trigger(given.get("timezone", kept["timezone"]))
        if isinstance(trigger, OneTimeTrigger):
            given.pop("timezone", None)
    else:
        trigger = as_trigger(schedule)
    fitting = _fitting(trigger)
    for name, key in WINDOW.items():
        if given.get(key) is not None and key not in fitting:
            raise InvalidArguments(f"{name}={given[key]!r} means nothing to what runs {trigger}")
    changes = {key: value for key, value in {**kept, **given}.items() if key in fitting}
    return type(trigger).from_json({**trigger.to_json(), **changes}) if changes else trigger


def _fitting(trigger: Trigger) -> frozenset[str]:
    """What of a window means something to the trigger."""
    if isinstance(trigger, WallTrigger):
        return _OF_RECURRING | _OF_WALLS
    return _OF_RECURRING if isinstance(trigger, RecurringTrigger) else frozenset()


def policies_of(options: Options, old: Mapping[str, Any] | None = None) -> Policies:
    """The policies that the options ask for; ``old`` is how retries are stored so far.

    Raises InvalidArguments.
    """
    policies: dict[str, Any] = {key: value for key, value in options.items() if key in _SAME}
    if (unique := options.get("unique")) is not None:
        if "overlap" in policies:
            raise InvalidArguments(
                f"unique={unique!r} and overlap={policies['overlap']!r} say the same; give one"
            )
        if unique not in (True, False, "queued"):
            raise InvalidArguments(f"unique={unique!r} must be True, False or 'queued'")
        policies["overlap"] = _UNIQUE[unique]
    if "max_retries" in options or "retry_delay" in options:
        policies["retry"] = _retry(options, old or {})
    return cast(Policies, policies)


def _retry(options: Options, old: Mapping[str, Any]) -> RetryConfig:
    retries = options.get("max_retries", old.get("max_attempts", 3))
    delay = options.get("retry_delay", old.get("initial_delay", 60))
    if type(retries) is not int or retries < 0:
        raise InvalidArguments(f"max_retries={retries!r} must be a whole number, 0 or more")
    if not is_seconds(delay):
        raise InvalidArguments(f"retry_delay={delay!r} must be a number of seconds, 0 or more")
    return RetryConfig(
        RetryStrategy.FIXED, retries, initial_delay=delay, max_delay=delay, jitter=False
    )


def is_seconds(value: object) -> TypeGuard[float]:
    """Whether it is a number of seconds, 0 or more, that a calendar has."""
    return type(value) in (int, float) and 0 <= cast(float, value) <= LONGEST


def without_none(options: Options) -> Options:
    """The options that say something."""
    said = {name: value for name, value in options.items() if value is not None}
    return cast(Options, said)


def task_named(
    task: str | Callable[..., Any], definitions: Mapping[str, TaskDefinition]
) -> str | Callable[..., Any]:
    """The id of the task whose function has this dotted path; an id or a function as it is.

    Raises ``TaskNotRegistered``.
    """
    if not isinstance(task, str) or task in definitions:
        return task
    for task_id, one in definitions.items():
        path = one.func_path if isinstance(one.func_path, str) else path_of(one.func_path)
        if path is not None and path.replace(":", ".") == task.replace(":", "."):
            return task_id
    raise TaskNotRegistered(
        f"task {reprlib.repr(task)} is not registered; pass the function itself, or call "
        f"scheduler.register_task() of this scheduler first{did_you_mean(task, tuple(definitions))}"
    )


def defaults_of(queue: object, handling: object, threshold: object, most: object) -> Policies:
    """The policies that the scheduler's options ask for; raises ConfigurationError.

    What is None is left to the facade: whoever says a schedule again changes no policy by it.
    """
    if handling is not None and (not isinstance(handling, str) or handling not in _HANDLING):
        raise ConfigurationError(
            f"missed_schedule_handling={handling!r} must be one of {', '.join(_HANDLING)}"
        )
    if threshold is not None and not is_seconds(threshold):
        raise ConfigurationError(
            f"missed_threshold={threshold!r} must be a number of seconds, 0 or more, or None"
        )
    if most is not None and (type(most) is not int or not 1 <= most <= MOST_CAUGHT_UP):
        raise ConfigurationError(
            f"max_missed_schedules={most!r} must be a whole number, 1 to {MOST_CAUGHT_UP}"
        )
    asked = {
        "queue": queue,
        "misfire": None if handling is None else _HANDLING[handling],
        "grace_seconds": threshold,
        "max_catch_up": most,
    }
    told = {name: value for name, value in asked.items() if value is not None}
    return cast(Policies, checked_policies(told))


def settings_of(
    settings: Settings | None, check_interval: object, lock_timeout: object
) -> Settings:
    """The settings with what document 002 says of them; raises ConfigurationError."""
    asked = {"check_interval": check_interval, "lock_timeout": lock_timeout}
    for name, value in asked.items():
        if value is not None and not (is_seconds(value) and value > 0):
            raise ConfigurationError(f"{name}={value!r} must be a number of seconds, more than 0")
    changes: dict[str, Any] = {}
    if is_seconds(check_interval):
        changes["poll_seconds"] = min(check_interval, LONGEST_CHECK)
    if is_seconds(lock_timeout):
        changes["lease_seconds"] = lock_timeout
    return read_settings(Settings, **{**dict(settings or read_settings(Settings)), **changes})
