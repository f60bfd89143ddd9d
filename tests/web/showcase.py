"""Owns a scheduler as it may look after an afternoon at work: what screenshots show."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from advanced_scheduler import AdvancedTaskScheduler, RetryConfig, ScheduleOptions
from advanced_scheduler.api import create_app
from advanced_scheduler.api.svg import DependencyType
from advanced_scheduler.engine.ids import ExecutionIds
from advanced_scheduler.engine.recorder import COARSE, FINE, lane_key, series_key
from advanced_scheduler.models import (
    OverlapPolicy,
    Record,
    RecordKind,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.models.series import bucket_of
from advanced_scheduler.triggers import CronTrigger, DailyTrigger, IntervalTrigger, WeeklyTrigger
from tests.web.sites import Site, served

WORKFLOW: Final[Mapping[str, tuple[str, ...]]] = {
    "extract_orders": (),
    "extract_customers": (),
    "extract_prices": (),
    "clean_orders": ("extract_orders",),
    "join_sales": ("clean_orders", "extract_customers"),
    "convert_currency": ("extract_prices",),
    "train_forecast": ("join_sales", "convert_currency"),
    "build_report": ("join_sales",),
    "check_quality": ("join_sales",),
    "alert_on_call": ("!check_quality",),
    "publish_dashboard": ("build_report", "train_forecast"),
    "archive_run": ("?publish_dashboard",),
}
"""Tasks by what they wait for: ``!`` for its failure, ``?`` for any end."""

SECONDS: Final[Mapping[str, float]] = {
    "extract_orders": 8.0,
    "extract_customers": 5.0,
    "extract_prices": 3.0,
    "clean_orders": 6.5,
    "join_sales": 14.0,
    "convert_currency": 2.2,
    "train_forecast": 41.0,
    "build_report": 11.0,
    "check_quality": 4.0,
    "alert_on_call": 0.8,
    "publish_dashboard": 3.5,
    "archive_run": 2.0,
}
"""How long they take."""

SINGLE: Final[Mapping[str, TaskPriority]] = {
    "charge_cards": TaskPriority.CRITICAL,
    "send_invoices": TaskPriority.HIGH,
    "sync_inventory": TaskPriority.NORMAL,
    "resize_images": TaskPriority.LOW,
    "expire_sessions": TaskPriority.BACKGROUND,
    "backup_database": TaskPriority.HIGH,
}
"""Tasks that wait for nothing."""

ERRORS: Final = (
    "ConnectionError: mail.example refused the connection",
    "TimeoutError: no answer from payments.example within 30 s",
    "KeyError: 'currency'",
)


@contextmanager
def showcase(folder: Path) -> Iterator[Site]:
    """Its dashboard, with runs of the past, work under way, and schedules."""
    scheduler = AdvancedTaskScheduler(
        store=f"sqlite:///{folder / 'show.db'}", name="worker-1", max_concurrent_tasks=16
    )
    site = Site(scheduler, "")
    _register(scheduler, site)
    _schedules(scheduler)
    _Past(scheduler.clock.now()).write(scheduler)
    try:
        with served(create_app(scheduler)) as origin:
            site.url = f"{origin}/scheduler/"
            try:
                _present(site)
                yield site
            finally:
                site.gate.set()
    finally:
        scheduler.close()


def _register(scheduler: AdvancedTaskScheduler, site: Site) -> None:
    for name, needs in WORKFLOW.items():
        after = [_dependency(one) for one in needs]
        scheduler.task(task_id=name, name=name, after=after)(_body(name, site))
    retry = RetryConfig(max_attempts=3, initial_delay=20)
    for name, priority in SINGLE.items():
        scheduler.task(
            task_id=name,
            name=name,
            priority=priority,
            retry=retry,
            lock=name == "backup_database",
        )(_body(name, site))


def _dependency(text: str) -> TaskDependency:
    kinds: dict[str, DependencyType] = {"!": "failure", "?": "completion"}
    kind = kinds.get(text[0], "success")
    return TaskDependency(task_id=text.lstrip("!?"), dependency_type=kind)


def _body(name: str, site: Site) -> Callable[..., str]:
    def run(region: str = "eu") -> str:
        if name in ("train_forecast", "build_report", "backup_database", "resize_images"):
            site.gate.wait()
        if name == "check_quality":
            raise ValueError("412 rows have no price")
        return f"{name} of {region}"

    return run


def _schedules(scheduler: AdvancedTaskScheduler) -> None:
    berlin = "Europe/Berlin"
    make = scheduler.create_schedule
    make("backup_database", DailyTrigger("02:30", timezone=berlin), name="Nightly backup")
    make(
        "sync_inventory",
        CronTrigger("*/15 9-17 * * 1-5", timezone="America/New_York"),
        name="Inventory",
        overlap=OverlapPolicy.SKIP,
    )
    invoices = WeeklyTrigger(["monday", "thursday"], "10:00", timezone=berlin)
    make("send_invoices", invoices, name="Invoices", tags=("billing",))
    make("expire_sessions", IntervalTrigger(300), name="Sessions")
    charges = make("charge_cards", CronTrigger("0 6 1,15 * *", timezone=berlin), name="Charges")
    make("extract_orders", CronTrigger("0 * * * *"), name="Hourly sales", max_runs=5000)
    scheduler.pause_schedule(charges, changelog="the bank is being moved")


def _present(site: Site) -> None:
    """What waits, what runs, and a workflow half done."""
    scheduler = site.scheduler
    for name, count in (("send_invoices", 3), ("sync_inventory", 6), ("expire_sessions", 4)):
        for number in range(count):
            wait = ScheduleOptions(delay=90 + 240 * number)
            scheduler.schedule_task(name, options=wait)
    for name in ("backup_database", "resize_images", "resize_images"):
        site.until(scheduler.schedule_task(name), TaskStatus.RUNNING)
    run = scheduler.schedule_workflow([*WORKFLOW])
    site.until(run["train_forecast"], TaskStatus.RUNNING)
    site.until(run["alert_on_call"], TaskStatus.COMPLETED)


class _Past:
    """The last three hours, each hour a run of the workflow, and single tasks between them."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ids = ExecutionIds()
        self._dice = random.Random(11)

    def write(self, scheduler: AdvancedTaskScheduler) -> None:
        """Put it into the history, the oldest first."""
        rows = [row for hour in range(14, 0, -1) for row in self._run(hour)]
        rows += [row for minute in range(180, 0, -1) for row in self._minute(minute)]
        scheduler.store.add(sorted(rows, key=lambda row: row.scheduled_time))
        for seconds in (FINE, COARSE):
            for record in self._series(rows, seconds):
                scheduler.store.save_record(record)

    def _series(self, rows: Sequence[TaskExecution], seconds: int) -> Iterator[Record]:
        """What a node would have told of these ends, a record for so many seconds."""
        spans: defaultdict[int, list[TaskExecution]] = defaultdict(list)
        for row in rows:
            if row.completed_time is not None and row.completed_time < self._now:
                spans[int(row.completed_time.timestamp()) // seconds * seconds].append(row)
        for slot, ended in spans.items():
            ran = [row.metrics for row in ended if row.metrics]
            data = {
                "finished": Counter(row.status.value for row in ended),
                "runs": Counter(str(bucket_of(one["execution_time"])) for one in ran),
                "waits": Counter(str(bucket_of(one["queue_wait"])) for one in ran),
                "lanes": Counter(
                    lane_key(row.priority, bucket_of(row.metrics["queue_wait"]))
                    for row in ended
                    if row.metrics
                ),
                "waiting": {one.word: self._dice.randint(0, 6) for one in TaskPriority},
            }
            yield Record(
                kind=RecordKind.SERIES,
                record_id=f"{series_key(seconds, slot)}:worker-1",
                written_time=self._now,
                data=data,
            )

    def _run(self, hour: int) -> list[TaskExecution]:
        begin = self._now - timedelta(minutes=13 * hour)
        workflow, rows = self._ids.make(begin), []
        ends: dict[str, datetime] = {}
        bad = hour in (4, 9)
        for name, needs in WORKFLOW.items():
            plain = [one.lstrip("!?") for one in needs]
            start = max((ends[one] for one in plain), default=begin)
            status = TaskStatus.COMPLETED
            if name == "alert_on_call" or (bad and name == "publish_dashboard"):
                status = TaskStatus.SKIPPED
            if bad and name == "train_forecast":
                status = TaskStatus.FAILED
            took = SECONDS[name] * self._dice.uniform(0.7, 1.4)
            ends[name] = start + timedelta(seconds=0 if status is TaskStatus.SKIPPED else took)
            needed = tuple(_dependency(one) for one in needs)
            rows.append(
                self._row(name, start, took, status, workflow_id=workflow, dependencies=needed)
            )
        return rows

    def _minute(self, minute: int) -> list[TaskExecution]:
        names: Sequence[str] = self._dice.choices(
            [*SINGLE], k=self._dice.randint(6, 18) if minute < 16 else 3
        )
        rows = []
        for name in names:
            start = self._now - timedelta(minutes=minute, seconds=self._dice.uniform(-60, 0))
            bad = self._dice.random() < 0.03
            status = TaskStatus.FAILED if bad else TaskStatus.COMPLETED
            took = self._dice.lognormvariate(0.2, 0.9)
            rows.append(self._row(name, start, took, status, priority=SINGLE[name]))
        return rows

    def _row(
        self, name: str, start: datetime, took: float, status: TaskStatus, **more: Any
    ) -> TaskExecution:
        ran = status is not TaskStatus.SKIPPED
        wait = self._dice.expovariate(4)
        metrics = {"execution_time": took, "queue_wait": wait, "node": "worker-1"}
        return TaskExecution(
            execution_id=self._ids.make(start),
            task_id=name,
            task_name=name,
            status=status,
            scheduled_time=start - timedelta(seconds=wait),
            created_time=start - timedelta(seconds=wait),
            started_time=start if ran else None,
            completed_time=start + timedelta(seconds=took if ran else 0),
            error=self._dice.choice(ERRORS) if status is TaskStatus.FAILED else None,
            attempt=1,
            fence=1,
            metrics=metrics if ran else {},
            **more,
        )
