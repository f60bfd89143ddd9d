"""Document 001's housekeeper: clean-ups are schedules, and what they removed is their result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from ..cleanup import MOST_ROWS, checked_directory, delete_files, delete_rows, parse_interval
from ..errors import ConfigurationError, InvalidArguments, ScheduleNotFound
from ..lifecycle import OPEN
from ..models import LONGEST
from ..triggers import IntervalTrigger
from .service_calls import Calls
from .service_requests import FUNCTION, MODULE, PARAMETERS, TEXT, Check, faults_of, wrong
from .service_results import Refused, Result

CLEAN_TASK: Final = "core.scheduler.clean"
OWN_MODULE: Final = "core.scheduler"

_CODE: Final = "CLEANUP_REGISTRATION_FAILED"


def _whole(most: int) -> Check:
    return lambda value: type(value) is int and 1 <= value <= most, f"a whole number, 1 to {most:,}"


def _is_age(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= LONGEST / 3600  # type: ignore[operator]  # it is a number


_ANY: Final[Check] = (lambda _: True, "")  # whoever reads it says what is wrong
_AGE: Final[Check] = (_is_age, "a number of hours, 0 or more")
_INTERVAL: Final[Mapping[str, Check]] = {"cleanup_interval": _ANY}
_KINDS: Final[Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]]] = {
    "table_name": (
        {"table_name": TEXT, "date_column": TEXT},
        {"batch_size": _whole(MOST_ROWS), "max_age_hours": _AGE},
    ),
    "directory": ({"directory": _ANY, "max_age_hours": _AGE}, {}),
    "function_name": ({"function_name": FUNCTION}, {"parameters": PARAMETERS}),
    "keep_days": ({"keep_days": _whole(36500)}, {}),
}
"""By the key that tells them apart, what a configuration must and may have."""


class Housekeeper:
    """Clean-ups of four kinds, told apart by a key of their configuration.

    - ``table_name`` with ``date_column`` (and ``batch_size``, ``max_age_hours``): rows of
      ``database`` whose date is past, or past for so long; see ``cleanup.delete_rows``.
    - ``directory`` with ``max_age_hours``: files below it; see ``cleanup.delete_files``.
    - ``function_name`` (and ``parameters``): the module's own function, as for a task.
    - ``keep_days``: executions, and tasks without any left, that ended so many days ago.

    All may have a ``cleanup_interval``, such as "6 hours".
    """

    def __init__(self, app_context: Any, calls: Calls, database: Any = None) -> None:
        self.app_context = app_context
        self._calls = calls
        self._database = database
        calls.own_tasks[CLEAN_TASK] = self._clean

    async def register_cleanup_task(
        self, module_id: str, cleanup_type: str, config: Mapping[str, Any]
    ) -> Result:
        """Run a clean-up at every interval from now on, instead of one of this module and type.

        The data is {"task_id": ...}; the task can be paused and cancelled as others can. Codes:
        CLEANUP_REGISTRATION_FAILED, with ``details["errors"]`` by field, TASK_NOT_ALLOWED.
        """
        return await self._calls.answer(self._register, module_id, cleanup_type, config, code=_CODE)

    async def run_cleanup(
        self, cleanup_type: str | None = None, *, wait: float | None = None
    ) -> Result:
        """Run all clean-ups now, or those of one type, beside their intervals.

        The data is {"cleanups": [...]}, each with ``module_id``, ``cleanup_type``, ``task_id``,
        ``execution_id``, ``status``, ``result`` (what was removed) or ``error``. The engine runs
        them; ``wait`` is for how many seconds to wait for the end of each. CLEANUP_NOT_FOUND if
        there is none of this type.
        """
        return await self._calls.answer(self._run, cleanup_type, wait, code="CLEANUP_FAILED")

    async def schedule_maintenance(self) -> Result:
        """Remove old history at every ``cleanup_interval`` of the settings, in batches.

        What ended more than ``keep_execution_history`` days ago goes.
        """
        settings = self._calls.settings
        config = {
            "keep_days": settings.keep_execution_history,
            "cleanup_interval": f"{settings.cleanup_interval} seconds",
        }
        return await self.register_cleanup_task(OWN_MODULE, "execution_history", config)

    def _register(self, module_id: object, cleanup_type: object, config: object) -> Any:
        if not isinstance(config, Mapping):
            raise wrong(_CODE, config, {"config": "must be a dict"})
        named = {"module_id": module_id, "cleanup_type": cleanup_type}
        errors = faults_of(named, {"module_id": MODULE, "cleanup_type": TEXT}, {})
        if errors := errors | self._errors(config):
            raise wrong(_CODE, config, errors)
        every = self._interval(config)
        target: tuple[str, list[Any]] = (CLEAN_TASK, [dict(config)])
        limit: dict[str, Any] = {"timeout": None}  # nobody could stop the thread
        if function := config.get("function_name"):
            target = self._calls.target(str(module_id), function, config.get("parameters", {}))
            limit = {}
        name = f"{module_id}: {cleanup_type}"
        task_id = self._calls.create(
            target,
            IntervalTrigger(every),
            {"name": name, **named, "config": dict(config), "recurring": True},
            schedule_id=str(uuid5(NAMESPACE_URL, name)),
            replace=True,
            overlap="skip",
            **limit,
        )
        return {"task_id": task_id}

    def _errors(self, config: Mapping[str, Any]) -> dict[str, str]:
        kinds = [kind for kind in _KINDS if kind in config]
        if len(kinds) != 1:
            return {"config": f"must have just one of {', '.join(_KINDS)}"}
        required, optional = _KINDS[kinds[0]]
        errors = faults_of(config, required, {**optional, **_INTERVAL})
        try:
            field = "cleanup_interval"
            self._interval(config)
            if kinds[0] == "directory":
                field = "directory"
                checked_directory(config["directory"])
            if kinds[0] == "table_name":
                field = "table_name"
                self._url()
        except (InvalidArguments, ConfigurationError) as error:
            errors[field] = str(error)
        return errors

    def _interval(self, config: Mapping[str, Any]) -> timedelta:
        text = config.get("cleanup_interval", f"{self._calls.settings.cleanup_interval} seconds")
        return parse_interval(text)

    def _run(self, cleanup_type: str | None, wait: float | None) -> Any:
        found = [
            one
            for one in self._calls.scheduler().get_schedules()
            if (known := one.metadata.get("cleanup_type")) and cleanup_type in (None, known)
        ]
        if not found and cleanup_type is not None:
            raise Refused("CLEANUP_NOT_FOUND", f"no clean-up of the type {cleanup_type!r}")
        return {"cleanups": [self._run_one(one.schedule_id, one.metadata, wait) for one in found]}

    def _run_one(
        self, task_id: str, metadata: Mapping[str, Any], wait: float | None
    ) -> dict[str, Any]:
        said = {name: metadata[name] for name in ("module_id", "cleanup_type")}
        try:
            return {**said, **self._calls.run(task_id, wait)}
        except Refused as refused:  # one that failed must not keep the others from running
            return {**said, **refused.result.details, "error": refused.result.message}
        except ScheduleNotFound as error:  # cancelled a moment ago
            return {**said, "task_id": task_id, "error": str(error)}

    def _url(self) -> Any:
        """The database that was given, or that of the store."""
        store = self._calls.scheduler().asked_store
        if self._database is not None:
            return self._database
        if isinstance(store, str) and store.startswith(("sqlite", "postgresql")):
            return store
        raise ConfigurationError("there is no database to clean; give SchedulerService a database=")

    def _clean(self, config: dict[str, Any]) -> dict[str, Any]:
        """What a clean-up removed; runs as a task."""
        before = self._calls.clock.now() - timedelta(hours=config.get("max_age_hours", 0))
        if "table_name" in config:
            asked = {
                key: config[key]
                for key in ("table_name", "date_column", "batch_size")
                if key in config
            }
            return {"rows": delete_rows(self._url(), before=before, **asked)}
        if "directory" in config:
            age = timedelta(hours=config["max_age_hours"])
            directory = config["directory"]
            return asdict(delete_files(directory, max_age=age, clock=self._calls.clock))
        return clear_ended(self._calls, config["keep_days"])


def clear_ended(calls: Calls, days: int) -> dict[str, int]:
    """Delete what ended more than ``days`` ago: tasks that will not run again, and executions."""
    scheduler, before = calls.scheduler(), calls.clock.now() - timedelta(days=days)
    jobs = 0
    for one in scheduler.find_schedules(status="ended"):
        ended = one.last_fire_time or one.changed_time or one.created_time
        if "module_id" not in one.metadata or ended is None or ended >= before:
            continue
        if not scheduler.executions(schedule_id=one.schedule_id, statuses=OPEN, limit=1):
            jobs += scheduler.remove_schedule(one.schedule_id)
    return {"jobs": jobs, "executions": scheduler.clear_history(before)}
