"""The tasks of an audit, and how one leads to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypedDict

from ..context import current_execution
from ..lifecycle import OPEN
from ..models import (
    ExecutionFilter,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    TaskDefinition,
    TaskExecution,
    TaskPriority,
    TaskStatus,
)
from ..scheduler import AdvancedTaskScheduler
from .checks import Verification, find_unrecorded, verify_files
from .environment import Installed, installed
from .report import Report, build, write

NIGHTLY: Final = "30 2 * * *"
_ALL: Final = 100_000
_LARGE, _SMALL = 2_000_000, 100_000  # bytes
_RETRY: Final = RetryConfig(
    RetryStrategy.FIXED, max_attempts=3, initial_delay=0.2, retry_on=(OSError,)
)


class Inventory(TypedDict):
    """What ``collect`` found, and the execution that will report on it."""

    folders: list[str]
    distributions: int
    files: int
    bytes: int
    without_record: list[str]
    report: str


class Audit:
    """An integrity audit of some folders: collect, then verify in parallel, then report.

    It is reported into ``output``. Every step is an execution in the scheduler's store, so that an
    audit whose process was killed goes on in the next one. The workflow id of all but the first
    step is the id of the first, which is the id of the audit.
    """

    def __init__(self, scheduler: AdvancedTaskScheduler, output: Path) -> None:
        self._scheduler = scheduler
        self._output = output
        self._tasks = (
            TaskDefinition("collect", "Collect", self.collect, priority=TaskPriority.HIGH),
            TaskDefinition("verify", "Verify", self.verify, retry_config=_RETRY),
            TaskDefinition(
                "unrecorded", "Find unrecorded files", find_unrecorded, priority=TaskPriority.LOW
            ),
            TaskDefinition(
                "report",
                "Report",
                self.report,
                priority=TaskPriority.CRITICAL,
                require_lock=True,
                lock_timeout=10,
            ),
            TaskDefinition(
                "nightly-audit", "Nightly audit", self.collect, priority=TaskPriority.BACKGROUND
            ),
        )
        for task in self._tasks:
            scheduler.register_task(task)

    def begin(self, folders: list[str]) -> str:
        """Schedule an audit; answers its id, which is the id of its first execution."""
        return self._scheduler.schedule_task("collect", folders)

    def every_night(self, folders: list[str]) -> str:
        """Make sure that there is a nightly schedule, in UTC; answers its id."""
        return self._scheduler.schedule_cron_task("nightly-audit", NIGHTLY, args=(folders,))

    def wait(self, audit: str) -> Report:
        """The report, once it is written; raises ``TaskFailed`` if there will be none."""
        inventory: Inventory = self._scheduler.result(audit)
        report: Report = self._scheduler.result(inventory["report"])
        return report

    def unfinished(self) -> list[str]:
        """The executions, of this audit and others, that have not ended."""
        return [
            row.execution_id
            for task in self._tasks
            for row in self._find(task_id=task.task_id, statuses=OPEN)
        ]

    def finish(self) -> None:
        """Wait until nothing is unfinished."""
        while waiting := self.unfinished():
            for execution_id in waiting:
                self._scheduler.wait_for_task(execution_id)

    def reports(self, folders: list[str]) -> list[Report]:
        """The reports on the folders that the store still has, the newest first."""
        rows = self._find(task_id="report", statuses=frozenset({TaskStatus.COMPLETED}))
        found = (row.result for row in rows)
        return [one for one in found if one and one.get("folders") == folders]

    def collect(self, folders: list[str]) -> Inventory:
        """Take stock, and schedule all that follows from it.

        Safe to repeat after a crash: what is scheduled already is not scheduled again. Raises
        ``LookupError`` if nothing is installed.
        """
        found = [one for folder in folders for one in installed(folder)]
        if not found:
            raise LookupError(f"nothing is installed in {', '.join(folders)} any more")
        recorded = [one for one in found if one.recorded]
        return Inventory(
            folders=folders,
            distributions=len(recorded),
            files=sum(one.files for one in recorded),
            bytes=sum(one.size for one in recorded),
            without_record=[f"{one.name} {one.version}" for one in found if not one.recorded],
            report=self._follow_up(current_execution().execution_id, folders, recorded),
        )

    def verify(self, folder: str, name: str, version: str) -> Verification:
        """Check one distribution; raises ``OSError``, to be retried, while files are unreadable."""
        context = current_execution()
        verdict = verify_files(folder, name, version, context.cancelled.is_set)
        unreadable = verdict["unreadable"]
        if unreadable and context.retry_count < _RETRY.max_attempts:
            raise OSError(f"{len(unreadable)} files of {name}: {unreadable[0].get('why')}")
        return verdict

    def report(self) -> Report:
        """Gather the results of the audit from the store, and write them down."""
        audit = current_execution().workflow_id
        assert audit is not None
        (collected,) = self._scheduler.store.get([audit])
        rows = [row for row in self._find(workflow_id=audit) if row.task_id != "report"]
        previous = next(iter(self.reports(collected.result["folders"])), None)
        report = build(collected, rows, previous, self._scheduler.clock.now())
        write(report, self._output)
        return report

    def _follow_up(self, audit: str, folders: list[str], found: list[Installed]) -> str:
        there = self._find(workflow_id=audit)
        begun = {tuple(row.args) for row in there if row.task_id == "verify"}
        by_priority: dict[TaskPriority, list[tuple[str, str, str]]] = {}
        for one in sorted(found, key=lambda one: -one.size):
            if one.key not in begun:
                by_priority.setdefault(_priority(one), []).append(one.key)
        before = [audit, *(row.execution_id for row in there if row.task_id != "report")]
        for priority, calls in by_priority.items():
            options = ScheduleOptions(priority=priority, workflow_id=audit)
            before += self._scheduler.schedule_task_many("verify", calls, options=options)
        if not any(row.task_id == "unrecorded" for row in there):
            options = ScheduleOptions(workflow_id=audit)
            before.append(self._scheduler.schedule_task("unrecorded", folders, options=options))
        for row in there:
            if row.task_id == "report":
                return row.execution_id
        options = ScheduleOptions(after=before, workflow_id=audit)
        return self._scheduler.schedule_task("report", options=options)

    def _find(self, **query: Any) -> list[TaskExecution]:
        return self._scheduler.store.find(ExecutionFilter(limit=_ALL, **query))


def _priority(one: Installed) -> TaskPriority:
    """The large ones first: nobody wants to wait for one of them at the end."""
    if one.size >= _LARGE:
        return TaskPriority.HIGH
    return TaskPriority.LOW if one.size < _SMALL else TaskPriority.NORMAL
