"""What operators ask of tasks: those that are registered, and those of document 001's service."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import quantiles
from typing import Any, Final

from ..adapters.service import Result, SchedulerService
from ..errors import InvalidArguments, ScheduleNotFound, StoreError, StoreUnavailable
from ..functions import home_of, name_of
from ..models import (
    RetryConfig,
    Schedule,
    ScheduleOptions,
    TaskDefinition,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    blank_of,
)
from ..registry import RESERVED_PARAMETERS as RESERVED
from ..scheduler import AdvancedTaskScheduler
from .problems import Fault, Problem, not_found
from .schemas import (
    DependencyOut,
    ExecutionOut,
    ExecutionQuery,
    ParameterOut,
    RetryOut,
    RunAsked,
    TaskAsked,
    TaskDetail,
    TaskOut,
    TaskPage,
)
from .views import execution_out, priority_name, priority_of, redacted

RECENT: Final = 20
"""How many of its last executions a task shows."""

_FORESEEN: Final = 10  # retries that are told of before they are there
_JUDGED: Final = 200  # executions that the rates and percentiles of a task are taken from
_SERVICE_STATES: Final = {"active": "pending", "paused": "paused", "ended": "completed"}
_LOST: Final = {one.__name__: one for one in (StoreError, StoreUnavailable)}
_SERVICE_PROBLEMS: Final[dict[str, tuple[int, str]]] = {
    "TASK_NOT_FOUND": (404, "task-not-found"),
    "TASK_NOT_ALLOWED": (403, "task-not-allowed"),
    "TASK_SCHEDULING_FAILED": (422, "invalid-task"),
}


class Tasks:
    """Registered tasks by their ids, and schedules of document 001's service by theirs."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler
        # Without modules that it may import: a request names registered tasks alone.
        self._service = SchedulerService(scheduler=scheduler)

    def page(self, limit: int = 100, cursor: str | None = None) -> TaskPage:
        """Tasks by id."""
        ids = {*self._scheduler.task_definitions}
        schedules = self._scheduler.get_schedules()
        scheduled = {one.schedule_id: one for one in schedules if is_of_service(one)}
        by_task: defaultdict[str, list[Schedule]] = defaultdict(list)
        for one in schedules:
            by_task[one.task_id].append(one)
        known = sorted(ids | scheduled.keys())
        wanted = [task for task in known if cursor is None or task > cursor]
        page = [
            TaskOut(
                **_service_fields(scheduled[task])
                if task in scheduled
                else _known(self._scheduler.task_definitions[task], by_task[task])
            )
            for task in wanted[:limit]
        ]
        more = len(wanted) > limit
        return TaskPage(tasks=page, next_cursor=page[-1].id if more else None)

    def get(self, task_id: str) -> TaskDetail:
        """One task; raises ``Problem``."""
        definition = self._scheduler.task_definitions.get(task_id)
        if definition is not None:
            return self._registered(definition)
        return self._scheduled(self._schedule(task_id))

    def recent(self, task_id: str) -> list[ExecutionOut]:
        """Its last 20 executions, the newest first; raises ``Problem``."""
        return [execution_out(row) for row in self._last(task_id, RECENT)]

    def durations(self, task_id: str) -> list[float]:
        """The seconds that its last 200 executions took; raises ``Problem``."""
        took = (row.metrics.get("execution_time") for row in self._last(task_id, _JUDGED))
        return [one for one in took if one is not None]

    def attempts(self) -> dict[str, int]:
        """How often each registered task is tried at most, the first time included."""
        return {
            one.task_id: 1 + (one.retry_config.max_attempts if one.retry_config else 0)
            for one in self._scheduler.task_definitions.values()
        }

    def retry_delays(self, task_id: str) -> list[float]:
        """The seconds before each retry of a registered task, before they are spread by jitter."""
        definition = self._scheduler.task_definitions.get(task_id)
        if definition is None or (config := definition.retry_config) is None:
            return []
        plain, blank = replace(config, jitter=False), blank_of(definition)
        return [
            self._scheduler.retry_manager.calculate_delay(replace(blank, retry_count=n), plain)
            for n in range(min(config.max_attempts, _FORESEEN))
        ]

    async def schedule(self, asked: TaskAsked, new_id: str | None = None) -> str:
        """Schedule a task as document 001 says; answers its id. Raises ``Problem``."""
        given = asked.model_dump(exclude_unset=True)
        return str(_data(await self._service.job_manager.schedule(given, new_id))["task_id"])

    async def cancel(self, task_id: str) -> None:
        """Remove a task of the service; one that code registers is refused. Raises ``Problem``."""
        if task_id in self._scheduler.task_definitions:
            raise Problem(
                409, "task-is-code", f"task {task_id!r} is registered by the application's code"
            )
        _data(await self._service.cancel_task(task_id))

    def pause(self, task_id: str) -> None:
        """Let none of its schedules fire; raises ``Problem``."""
        for one in self._schedules(task_id):
            self._scheduler.pause_schedule(one.schedule_id)

    def resume(self, task_id: str) -> None:
        """Let its schedules go on; raises ``Problem``."""
        for one in self._schedules(task_id):
            self._scheduler.resume_schedule(one.schedule_id)

    def executions_of(self, task_id: str) -> ExecutionQuery:
        """Which executions are its own; raises ``Problem``."""
        if task_id in self._scheduler.task_definitions:
            return ExecutionQuery(task_id=task_id)
        return ExecutionQuery(schedule_id=self._schedule(task_id).schedule_id)

    def run(self, task_id: str, asked: RunAsked, new_id: str | None = None) -> str:
        """Run it once; answers the execution id. Raises ``Problem``."""
        if task_id not in self._scheduler.task_definitions:
            return self._run_scheduled(self._schedule(task_id), asked, new_id)
        if asked.at is not None and asked.delay is not None:
            raise InvalidArguments("at and delay say the same thing; give one of them")
        options = ScheduleOptions(
            at=asked.at,
            delay=asked.delay,
            priority=None if asked.priority is None else priority_of(asked.priority),
            queue=asked.queue,
            unique=asked.unique,
            tags=asked.tags,
            timeout=asked.timeout,
            execution_id=new_id,
        )
        taken = RESERVED & asked.kwargs.keys()
        if taken:
            name = min(taken)
            raise InvalidArguments(f"kwargs: {name!r} is no parameter of a task", argument=name)
        kwargs: dict[str, Any] = asked.kwargs
        return self._scheduler.schedule_task(task_id, *asked.args, options=options, **kwargs)

    def _last(self, task_id: str, limit: int) -> list[TaskExecution]:
        query = self.executions_of(task_id)
        return self._scheduler.executions(
            task_id=query.task_id, schedule_id=query.schedule_id, limit=limit
        )

    def _run_scheduled(self, schedule: Schedule, asked: RunAsked, new_id: str | None) -> str:
        """What a task of the service is run with, its schedule says."""
        if asked.model_fields_set:
            raise Problem(
                422,
                "invalid-value",
                f"task {schedule.schedule_id!r} has its own arguments and options",
                faults=[Fault(f"/{one}", "not for this task") for one in asked.model_fields_set],
            )
        return self._scheduler.run_schedule_now(schedule.schedule_id, execution_id=new_id)

    def _schedules(self, task_id: str) -> list[Schedule]:
        """Those that run a registered task, or the one that a task of the service is."""
        if task_id in self._scheduler.task_definitions:
            found = self._scheduler.find_schedules(task_id=task_id)
            if not found:
                raise Problem(409, "task-without-schedule", f"no schedule runs task {task_id!r}")
            return found
        return [self._schedule(task_id)]

    def _schedule(self, task_id: str) -> Schedule:
        try:
            found = self._scheduler.get_schedule(task_id)
        except ScheduleNotFound:
            raise not_found("task", task_id) from None
        if not is_of_service(found):
            raise not_found("task", task_id)
        return found

    def _registered(self, definition: TaskDefinition) -> TaskDetail:
        schedules = self._scheduler.find_schedules(task_id=definition.task_id)
        rows = self._scheduler.executions(task_id=definition.task_id, limit=_JUDGED)
        task = self._scheduler.task_registry.get(definition.task_id)
        return TaskDetail(
            **_known(definition, schedules),
            description=inspect.getdoc(task.function),
            module_id=home_of(task.function),
            function_name=task.function.__qualname__
            if hasattr(task.function, "__qualname__")
            else name_of(task.function),
            parameters=redacted({"args": definition.args, "kwargs": definition.kwargs}),
            created_at=None,
            schedules=[one.schedule_id for one in schedules],
            retry=_retry(definition.retry_config),
            timeout=definition.timeout,
            require_lock=definition.require_lock,
            lock_timeout=definition.lock_timeout if definition.require_lock else None,
            executor=definition.executor,
            at_most_once=definition.at_most_once,
            dependencies=[
                DependencyOut(
                    task_id=one.task_id, type=one.dependency_type, execution_id=None, settled=False
                )
                for one in definition.dependencies
            ],
            signature=_parameters(task.signature),
            **_figures(rows),
        )

    def _scheduled(self, schedule: Schedule) -> TaskDetail:
        rows = self._scheduler.executions(schedule_id=schedule.schedule_id, limit=_JUDGED)
        status = self._scheduler.schedule_status(schedule.schedule_id)
        said = schedule.metadata
        figures = {**_figures(rows), "execution_count": status.run_count}
        return TaskDetail(
            **_service_fields(schedule),
            description=said.get("description"),
            module_id=said["module_id"],
            function_name=said["function_name"],
            parameters=redacted(said.get("parameters", {})),
            created_at=schedule.created_time,
            schedules=[schedule.schedule_id],
            retry=None,
            timeout=schedule.timeout,
            require_lock=False,
            lock_timeout=None,
            executor=None,
            at_most_once=False,
            dependencies=[],
            signature=[],
            **figures,
        )


def _known(definition: TaskDefinition, schedules: Iterable[Schedule]) -> dict[str, Any]:
    live = [one for one in schedules if not one.ended]
    due = [one.next_fire_time for one in live if one.next_fire_time and not one.paused]
    paused = bool(live) and all(one.paused for one in live)
    return {
        "id": definition.task_id,
        "name": definition.task_name,
        "status": "paused" if paused else "active",
        "next_execution": min(due, default=None),
        "recurring": bool(live),
        "kind": "registered",
        "priority": priority_name(definition.priority),
        "tags": list(definition.tags),
    }


def is_of_service(schedule: Schedule) -> bool:
    """Whether document 001's service has made it."""
    return schedule.metadata.keys() >= {"module_id", "function_name", "recurring"}


def _service_fields(schedule: Schedule) -> dict[str, Any]:
    said = schedule.metadata
    return {
        "id": schedule.schedule_id,
        "name": str(said.get("name", schedule.name or schedule.schedule_id)),
        "status": _SERVICE_STATES[schedule.state],
        "next_execution": None if schedule.paused else schedule.next_fire_time,
        "recurring": bool(said.get("recurring")),
        "interval_type": said.get("interval_type"),
        "interval_value": said.get("interval_value"),
        "kind": "scheduled",
        "priority": priority_name(schedule.priority or TaskPriority.NORMAL),
        "tags": list(schedule.tags),
    }


def _retry(config: RetryConfig | None) -> RetryOut | None:
    if config is None:
        return None
    return RetryOut(
        strategy=config.strategy.value,
        max_attempts=config.max_attempts,
        initial_delay=config.initial_delay,
        max_delay=config.max_delay,
        backoff_multiplier=config.backoff_multiplier,
        jitter=config.jitter,
    )


def _parameters(signature: inspect.Signature | None) -> list[ParameterOut]:
    """What a form asks for; ``*args`` and ``**kwargs`` are left out."""
    found: list[ParameterOut] = []
    for one in () if signature is None else signature.parameters.values():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            continue
        required = one.default is one.empty
        plain = isinstance(one.default, str | int | float | bool | None)
        note = None if one.annotation is one.empty else inspect.formatannotation(one.annotation)
        found.append(
            ParameterOut(
                name=one.name,
                kind="keyword" if one.kind is one.KEYWORD_ONLY else "positional",
                required=required,
                type=note,
                default=one.default if plain and not required else None,
            )
        )
    return found


def _figures(rows: Sequence[TaskExecution]) -> dict[str, Any]:
    """How the last executions went, the newest first."""
    ended = [row for row in rows if row.status in (TaskStatus.COMPLETED, TaskStatus.FAILED)]
    good = sum(row.status is TaskStatus.COMPLETED for row in ended)
    p50, p95 = _percentiles(row.metrics.get("execution_time") for row in ended)
    begun = [row.started_time for row in rows if row.started_time is not None]
    return {
        "execution_count": len(ended),
        "last_execution": max(begun, default=None),
        "recent": [row.status.value for row in rows[:RECENT]],
        "success_rate": 100.0 * good / len(ended) if ended else None,
        "p50_seconds": p50,
        "p95_seconds": p95,
    }


def _percentiles(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    known = [one for one in values if one is not None]
    if len(known) < 2:
        return (known[0], known[0]) if known else (None, None)
    cuts = quantiles(known, n=20, method="inclusive")
    return cuts[9], cuts[18]


def _data(result: Result) -> Any:
    """What the service has answered; raises ``Problem`` for an error of it, or ``StoreError``."""
    if result:
        return result.data
    lost = _LOST.get((result.details or {}).get("error", ""))
    if lost is not None:  # maybe after it was done
        raise lost(str(result.message).partition(": ")[2])
    status, code = _SERVICE_PROBLEMS.get(str(result.code), (422, "invalid-task"))
    errors = (result.details or {}).get("errors", {})
    faults = [Fault(f"/{key}", why) for key, why in errors.items()]
    raise Problem(status, code, str(result.message), faults=faults)
