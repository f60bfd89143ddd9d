"""Looks for everything stored that this build could not run: a check before a deploy."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from sys import maxsize
from typing import Final, Literal

from ..clock import Clock
from ..errors import InvalidArguments
from ..functions import name_of
from ..lifecycle import OPEN
from ..models import ExecutionFilter, ResultOf, Schedule, TaskDefinition, TaskExecution
from ..registry import TaskRegistry
from ..stores.abilities import MigratedStore, Revisions
from ..stores.base import Store
from .arguments import Arguments
from .inputs import filled
from .parked import trigger_problem

MOST_SKEW_SECONDS: Final = 5.0
"""How far the clocks of two nodes may be apart."""

_PAGE: Final = 1000
_ZONE: Final = "Europe/Berlin"  # any that is not built in

Kind = Literal["schema", "clock", "time zones", "task", "arguments", "schedule", "execution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that this build lacks or cannot use.

    ``id`` is that of the task for ``task`` and ``arguments``: there ``count`` executions wait,
    of which ``problem`` names one. Else it is that of the row, or empty.
    """

    kind: Kind
    id: str = ""
    problem: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What ``diagnose`` found, and what it looked at.

    ``executions`` are those that have not ended. ``skew_seconds`` is how far this machine's
    clock is ahead of the server's, None where the store has no clock. ``tasks`` is how many
    are registered, None if nobody said which.
    """

    findings: tuple[Finding, ...]
    executions: int
    schedules: int
    tasks: int | None
    revisions: Revisions | None
    skew_seconds: float | None
    time_zones: str


def diagnose(
    store: Store, definitions: Collection[TaskDefinition] | None, *, clock: Clock
) -> Diagnosis:
    """Compare all that waits in ``store`` with the tasks of this build.

    Without ``definitions`` only what is wrong whatever the tasks is found. The store need not
    be open, and tables that are too old are left as they are. Raises ``StoreError``.
    """
    revisions = store.revisions() if isinstance(store, MigratedStore) else None
    search = _Search(store, definitions)
    if revisions is not None and not revisions.at_head:
        found = f"at revision {revisions.current}" if revisions.current else "not there yet"
        search.find("schema", "", f"the tables are {found}; this build needs {revisions.head}")
    else:
        store.open()
        search.look()
    skew, zones = _skew(store, clock), _time_zones()
    if skew is not None and abs(skew) > MOST_SKEW_SECONDS:
        search.find("clock", "", f"this machine's clock is {skew:+.1f} s from the server's")
    if zones is None:
        search.find("time zones", "", "there are no time zone data; install the package tzdata")
    return Diagnosis(
        findings=tuple(search.findings.values()),
        executions=search.executions,
        schedules=search.schedules,
        tasks=None if definitions is None else len(definitions),
        revisions=revisions,
        skew_seconds=skew,
        time_zones=zones or "none",
    )


class _Search:
    """Goes through all that waits in a store."""

    def __init__(self, store: Store, definitions: Collection[TaskDefinition] | None) -> None:
        self.findings: dict[tuple[Kind, str], Finding] = {}
        self.executions = self.schedules = 0
        self._store = store
        self._registry = None if definitions is None else _registry(definitions)
        self._arguments = Arguments(
            as_json=store.durable, check=False, limit_bytes=maxsize, result_limit=maxsize
        )

    def find(self, kind: Kind, id_: str, problem: str) -> None:
        """Keep a finding; the same again counts."""
        known = self.findings.get((kind, id_))
        self.findings[kind, id_] = (
            Finding(kind=kind, id=id_, problem=problem)
            if known is None
            else replace(known, count=known.count + 1)
        )

    def look(self) -> None:
        """At all executions that have not ended, and all schedules that will fire again."""
        for row in self._open_executions():
            self.executions += 1
            self._check_execution(row)
        for schedule in self._store.schedules():
            self.schedules += 1
            if schedule.next_fire_time is not None:
                self._check_schedule(schedule)
        self._note_unreadable()

    def _open_executions(self) -> Iterator[TaskExecution]:
        query = ExecutionFilter(statuses=OPEN, limit=_PAGE)
        while page := self._store.find(query):
            yield from page
            self._note_unreadable()  # the store forgets what it met a minute ago
            query = replace(query, cursor=page[-1].execution_id)

    def _note_unreadable(self) -> None:
        for one in self._store.unreadable():
            if (one.kind, one.id) not in self.findings:
                self.find(one.kind, one.id, f"cannot be read: {one.reason}")

    def _check_execution(self, row: TaskExecution) -> None:
        if (problem := self._task_problem(row.task_id)) is not None:
            self.find("task", row.task_id, f"{problem}; execution {row.execution_id} waits for it")
        elif (problem := self._arguments_problem(row)) is not None:
            self.find("arguments", row.task_id, f"execution {row.execution_id}: {problem}")

    def _check_schedule(self, schedule: Schedule) -> None:
        problem = (
            trigger_problem(schedule)
            or self._task_problem(schedule.task_id)
            or self._arguments_problem(schedule)
        )
        if problem is not None:
            self.find("schedule", schedule.schedule_id, problem)

    def _task_problem(self, task_id: str) -> str | None:
        if self._registry is None or task_id in self._registry:
            return None
        return f"task {task_id!r} is not registered"

    def _arguments_problem(self, row: TaskExecution | Schedule) -> str | None:
        if self._registry is None:
            return None
        task = self._registry.get(row.task_id)
        try:
            if isinstance(row, Schedule):
                task.bind(row.args, row.kwargs)  # as a tick does
            elif task.signature is not None:
                task.signature.bind(*row.args, **row.kwargs)
            inputs = {} if isinstance(row, Schedule) else row.extras.get("inputs", {})
            unknown = {key: ResultOf(one) for key, one in inputs.items()}
            self._arguments.load(task, *filled(row.args, row.kwargs, unknown))
        except InvalidArguments as error:
            return str(error)
        except TypeError as error:
            return f"its function {name_of(task.function)} does not take what is stored: {error}"
        return None


def _registry(definitions: Collection[TaskDefinition]) -> TaskRegistry:
    registry = TaskRegistry()
    for definition in definitions:
        registry.register(definition)
    return registry


def _skew(store: Store, clock: Clock) -> float | None:
    before = clock.now()
    theirs = store.time()
    if theirs is None:
        return None
    return ((before - theirs) + (clock.now() - theirs)).total_seconds() / 2


def _time_zones() -> str | None:
    """Where the time zone data come from; None if there are none."""
    for folder in zoneinfo.TZPATH:  # looked into before the package, as Python does
        if (Path(folder) / _ZONE).is_file():
            return folder
    try:
        return f"tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return None
