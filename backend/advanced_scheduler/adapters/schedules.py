"""Document 002 over the facade: a scheduler whose every word is about schedules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, Self, Unpack

from ..aio import AsyncCalls
from ..clock import Clock
from ..config import Settings
from ..engine.schedule_fields import Policies
from ..errors import (
    ConfigurationError,
    InvalidArguments,
    SchedulerStateError,
    VersionConflict,
)
from ..models import Schedule
from ..scheduler import AdvancedTaskScheduler
from ..stores.base import Store
from ..triggers import EventTrigger, trigger_from_json
from ..triggers.zones import zone_of
from .schedule_errors import H, ScheduleErrors
from .schedule_options import (
    WINDOW,
    defaults_of,
    policies_of,
    settings_of,
    task_named,
    trigger_of,
    without_none,
)
from .schedule_types import (
    CronSchedule,
    DailySchedule,
    IntervalSchedule,
    MonthlySchedule,
    OneTimeSchedule,
    Options,
    ScheduleId,
    ScheduleTemplate,
    WeeklySchedule,
    checked,
)
from .schedule_verbs import ScheduleVerbs

__all__ = [
    "CronSchedule",
    "DailySchedule",
    "EventTrigger",
    "IntervalSchedule",
    "MonthlySchedule",
    "OneTimeSchedule",
    "RedisStorage",
    "ScheduleTemplate",
    "Scheduler",
    "WeeklySchedule",
]

if TYPE_CHECKING:
    from ..stores.redis import RedisStorage
else:

    def __getattr__(name: str) -> Any:
        """``RedisStorage``, at its first use: the client of Redis is an extra."""
        if name == "RedisStorage":
            return import_module("advanced_scheduler.stores.redis").RedisStorage
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Scheduler(ScheduleVerbs):
    """Document 002's scheduler; all it does is done by ``scheduler``, its own unless given.

    ``queue_name`` and ``timezone`` are those of schedules that name none. ``check_interval``
    (seconds, 60 at most) is how often the store is asked for what no signal told of; what is due
    is on time all the same. ``missed_schedule_handling`` is what becomes of instants that passed
    while no scheduler ran: ``trigger`` runs the latest ``max_missed_schedules`` (10); ``latest``,
    the default, the last one; ``skip`` none, unless the last one is no more than
    ``missed_threshold`` seconds ago (None: half the time to the next). For ``lock_timeout``
    seconds a node that died keeps its work; ``instance_id`` names this one. ``storage`` is a URL
    or a store. Metrics are collected from ``serve_metrics`` on, which ``metrics_enabled=False``
    forbids. Raises ``ValueError`` for what cannot work.
    """

    def __init__(
        self,
        *,
        queue_name: str | None = None,
        timezone: str | tzinfo = "UTC",
        check_interval: float | None = None,
        missed_threshold: float | None = None,
        lock_timeout: float | None = None,
        metrics_enabled: bool = True,
        storage: str | Store | None = None,
        instance_id: str | None = None,
        missed_schedule_handling: Literal["trigger", "latest", "skip"] | None = None,
        max_missed_schedules: int | None = None,
        scheduler: AdvancedTaskScheduler | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._zone = zone_of(timezone)
        self._metrics_enabled = metrics_enabled
        self._defaults = defaults_of(
            queue_name, missed_schedule_handling, missed_threshold, max_missed_schedules
        )
        own = (check_interval, lock_timeout, storage, instance_id, settings, clock)
        if scheduler is not None and any(one is not None for one in own):
            raise ConfigurationError(
                "a scheduler that is given has its own check_interval, lock_timeout, storage, "
                "instance_id, settings and clock; leave them out"
            )
        self._owned = scheduler is None
        self.scheduler: Final = scheduler or AdvancedTaskScheduler(
            store=storage,
            settings=settings_of(settings, check_interval, lock_timeout),
            clock=clock,
            name=instance_id,
        )
        self._calls = AsyncCalls(self.scheduler)
        self._errors = ScheduleErrors(self.scheduler.events)

    def schedule(
        self,
        task: str | Callable[..., Any],
        schedule: object = None,
        *,
        template: ScheduleTemplate | None = None,
        replace: bool = False,
        **options: Unpack[Options],
    ) -> ScheduleId:
        """Run ``task`` (registered: its id, function or dotted path) whenever ``schedule`` says.

        ``schedule`` is one of this module, of ``advanced_scheduler.triggers`` or of APScheduler.
        For the rest see ``Options`` and ``create_schedule``; what is not given is the template's.
        It is stored when this returns, awaited or not.
        """
        if template is not None:
            if not isinstance(template, ScheduleTemplate):
                raise InvalidArguments(f"template={template!r} must be a ScheduleTemplate")
            schedule = template.schedule if schedule is None else schedule
            options = {**template.options, **options}
        if schedule is None:
            raise InvalidArguments("schedule=None: give a schedule, or a template that has one")
        given = without_none(checked(options))
        policies: Policies = {**self._defaults, **policies_of(given)}
        made = ScheduleId(
            self.scheduler.create_schedule(
                task_named(task, self.scheduler.task_definitions),
                trigger_of(schedule, given, zone=self._zone),
                args=given.get("args") or (),
                kwargs=given.get("kwargs"),
                name=given.get("name"),
                replace=replace,
                **policies,
            )
        )
        made.lint = self.scheduler.lint_schedule(made)
        return made

    async def update_schedule(
        self,
        schedule_id: str,
        schedule: object = None,
        *,
        version: int | None = None,
        changelog: str | None = None,
        **options: Unpack[Options],
    ) -> Schedule:
        """Change what is named, and nothing else; answers the schedule with its new version.

        Raises ``VersionConflict`` unless ``version``, if it is given, is the present one.
        """
        named = checked(options)
        while True:
            seen, trigger = await self.get_schedule(schedule_id), None
            if schedule is not None or WINDOW.keys() & named.keys():
                old = trigger_from_json(seen.trigger)
                wanted = old if schedule is None else schedule
                trigger = trigger_of(wanted, named, zone=self._zone, old=old)
            try:
                return await self._calls.update_schedule(
                    schedule_id,
                    trigger=trigger,
                    args=named.get("args"),
                    kwargs=named.get("kwargs"),
                    name=named.get("name"),
                    version=seen.version if version is None else version,
                    changelog=changelog,
                    **policies_of(named, seen.retry),
                )
            except VersionConflict:
                if version is not None:
                    raise

    async def start(self) -> None:
        """Run on the caller's event loop."""
        self._errors.run_here()
        await self.scheduler.start()

    async def shutdown(self, wait: bool = True) -> None:
        """Let running work end, or give it back at once; for good if the scheduler is its own."""
        await self.scheduler.stop(wait)
        if self._owned:
            await self._calls.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shutdown()

    def serve_metrics(self, port: int = 9464, host: str = "127.0.0.1") -> Any:
        """See ``AdvancedTaskScheduler``; raises ``SchedulerStateError`` if metrics are off."""
        if not self._metrics_enabled:
            raise SchedulerStateError("metrics_enabled=False: this scheduler collects no metrics")
        return self.scheduler.serve_metrics(port, host)

    def on_schedule_error(self, handler: H) -> H:
        """Call ``handler(schedule_id, exception)`` when an execution has failed for good.

        It is told by the node on which that came to pass: a plain function in a thread of its
        own, a coroutine on the loop of ``start``. One that raises is logged.
        """
        self._errors.add(handler)
        return handler
