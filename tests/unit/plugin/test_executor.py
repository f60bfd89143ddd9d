"""The executor in APScheduler's hands: events, options, limits, and what cannot be run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
)
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler import (
    AdvancedTaskScheduler,
    TaskDefinition,
    TaskExecution,
    TaskFailed,
    TaskPriority,
    current_execution,
)
from advanced_scheduler.plugin import AdvancedExecutor
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.testing import FaultyStore
from tests.support.waiting import eventually

HOWEVER_LATE = {"misfire_grace_time": None}  # on a busy machine
ENDS = EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED


class Bench:
    """An APScheduler whose default executor is ours, and what its listeners have heard."""

    def __init__(self, executor: AdvancedExecutor) -> None:
        self.executor = executor
        self.advanced = executor.advanced
        self.apscheduler = BackgroundScheduler(timezone="UTC", job_defaults=HOWEVER_LATE)
        self.apscheduler.add_executor(executor)
        self.heard: list[JobExecutionEvent] = []
        self.apscheduler.add_listener(self.heard.append, ENDS)

    def add(self, function: Any, *trigger: Any, **options: Any) -> str:
        """The id of a new job; it is due now unless there is a trigger."""
        job_id: str = self.apscheduler.add_job(function, *trigger, **options).id
        return job_id

    def hear(self, count: int = 1) -> list[JobExecutionEvent]:
        """So many ends."""
        eventually(lambda: len(self.heard) >= count, what=f"{count} ends are heard of")
        return self.heard

    def until_submitted(self) -> None:
        """APScheduler has done with its jobs: it cannot be shut down in the midst of one."""
        eventually(lambda: not self.apscheduler.get_jobs(), what="no job is left")
        eventually(lambda: self.advanced.running_tasks, what="a job runs")

    def rows(self) -> list[TaskExecution]:
        """All executions, the first one first."""
        return self.advanced.executions()[::-1]


@contextmanager
def running(executor: AdvancedExecutor | None = None, **options: Any) -> Iterator[Bench]:
    bench = Bench(executor or AdvancedExecutor(**options))
    bench.apscheduler.start()
    try:
        yield bench
    finally:
        with suppress(SchedulerNotRunningError):
            bench.apscheduler.shutdown()


def late(**amount: float) -> datetime:
    return datetime.now(UTC) - timedelta(**amount)  # noqa: TID251  # APScheduler's clock is real


def say(word: str = "hello") -> str:
    return word


def fail() -> None:
    raise ZeroDivisionError("of a job")


def test_a_listener_gets_the_value_that_the_job_returned(tmp_path: Path) -> None:
    class Plain:
        """Something that no store keeps."""

    value = Plain()
    with running(store=f"sqlite:///{tmp_path}/jobs.db") as bench:
        job_id = bench.add(lambda: value)
        (event,) = bench.hear()
        assert (event.code, event.job_id, event.jobstore) == (EVENT_JOB_EXECUTED, job_id, "default")
        assert event.retval is value
        (row,) = bench.rows()
        assert event.scheduled_run_time == row.scheduled_time
        assert row.extras["metadata"]["job_id"] == job_id


def test_a_listener_gets_the_exception_that_the_job_raised() -> None:
    with running() as bench:
        bench.add(fail)
        (event,) = bench.hear()
        assert event.code == EVENT_JOB_ERROR
        assert isinstance(event.exception, ZeroDivisionError)
        assert "in fail" in event.traceback


def test_a_job_is_tried_again_and_its_listeners_hear_of_the_end_alone() -> None:
    def third_time_lucky() -> int:
        attempt = current_execution().attempt
        if attempt < 3:
            raise ConnectionError(attempt)
        return attempt

    retry = {"strategy": "fixed", "initial_delay": 0, "jitter": False}
    with running(retry=retry) as bench:
        bench.add(third_time_lucky)
        (event,) = bench.hear()
        assert (event.code, event.retval) == (EVENT_JOB_EXECUTED, 3)
        (row,) = bench.rows()
        assert row.retry_count == 2


def test_what_a_configuration_says_as_text_holds_for_all_jobs() -> None:
    apscheduler = BackgroundScheduler(
        {
            "apscheduler.timezone": "UTC",
            "apscheduler.executors.default": {
                "type": "advanced",
                "store": "memory://",
                "max_workers": "2",
                "priority": "high",
                "timeout": "0.05",
                "queue": "reports",
                "lock": "true",
            },
        }
    )
    heard: list[JobExecutionEvent] = []
    apscheduler.add_listener(heard.append, ENDS)
    released = threading.Event()
    apscheduler.add_job(released.wait)
    apscheduler.start()
    try:
        eventually(lambda: heard, what="the job has timed out")
        assert isinstance(heard[0].exception, TimeoutError)
        advanced = apscheduler._lookup_executor("default").advanced
        (row,) = advanced.executions()
        assert (row.priority, row.queue, row.timeout) == (TaskPriority.HIGH, "reports", 0.05)
        assert row.lock_id is not None
        assert advanced.max_concurrent_tasks == 2
    finally:
        released.set()
        apscheduler.shutdown()


def test_a_function_that_is_registered_keeps_its_definition() -> None:
    advanced = AdvancedTaskScheduler()
    definition = TaskDefinition("greet", "Greet", say, priority=TaskPriority.CRITICAL)
    advanced.register_task(definition)

    @advanced.task(task_id="decorated", tags=["ours"])
    def decorated() -> None: ...

    with running(AdvancedExecutor(advanced)) as bench:
        bench.add(say)
        bench.add(decorated)
        bench.hear(2)
        rows = {row.task_id: row for row in bench.rows()}
        assert rows["greet"].priority is TaskPriority.CRITICAL
        assert rows["decorated"].tags == ("ours",)
    advanced.close()


def test_no_more_instances_run_than_the_job_allows() -> None:
    released = threading.Event()
    with running() as bench:
        skipped: list[Any] = []
        bench.apscheduler.add_listener(skipped.append, EVENT_JOB_MAX_INSTANCES)
        bench.add(released.wait, "interval", seconds=0.05, max_instances=2)
        eventually(lambda: skipped, what="APScheduler skips a run")
        assert len(bench.rows()) == 2
        released.set()
        bench.hear(3)


def test_a_run_that_is_too_late_is_missed_and_one_that_may_be_late_is_not() -> None:
    with running() as bench:
        missed = bench.add(say, id="missed", next_run_time=late(seconds=30), misfire_grace_time=2)
        bench.add(say, id="late", next_run_time=late(seconds=30), misfire_grace_time=None)
        codes = {event.job_id: event.code for event in bench.hear(2)}
        assert codes == {missed: EVENT_JOB_MISSED, "late": EVENT_JOB_EXECUTED}
        assert [row.extras["metadata"]["job_id"] for row in bench.rows()] == ["late"]


@pytest.mark.parametrize(("coalesce", "runs"), [(True, 1), (False, 3)])
def test_missed_runs_are_one_or_come_one_after_the_other(coalesce: bool, runs: int) -> None:
    at_work: list[int] = []

    def alone() -> None:
        at_work.append(1)
        assert len(at_work) == 1
        at_work.clear()

    with running() as bench:
        options = {"coalesce": coalesce, "misfire_grace_time": None}
        bench.add(alone, "interval", hours=1, next_run_time=late(hours=2, minutes=1), **options)
        heard = bench.hear(runs)
        assert [event.code for event in heard] == [EVENT_JOB_EXECUTED] * runs
        instants = [event.scheduled_run_time for event in heard]
        assert instants == sorted(instants)
        assert [row.scheduled_time for row in bench.rows()] == instants


def test_arguments_that_the_store_cannot_keep_are_an_error_of_the_job(tmp_path: Path) -> None:
    with running(store=f"sqlite:///{tmp_path}/jobs.db") as bench:
        bench.add(say, args=[object()])
        (event,) = bench.hear()
        assert event.code == EVENT_JOB_ERROR
        assert "argument 'word'" in str(event.exception)
        assert bench.rows() == []


def test_a_function_without_a_name_is_a_task_as_long_as_its_job_is_there() -> None:
    with running() as bench:
        bench.add(lambda: "once")
        bench.add(lambda: "again", "interval", hours=1, id="stays", next_run_time=late())
        assert {event.retval for event in bench.hear(2)} == {"once", "again"}
        eventually(lambda: len(bench.advanced.task_definitions) == 1, what="one task has gone")
        assert next(iter(bench.advanced.task_definitions)).endswith("<lambda>:stays")
        bench.apscheduler.modify_job("stays", func=lambda: "new", next_run_time=late())
        assert bench.hear(3)[-1].retval == "new"
        bench.apscheduler.remove_job("stays")
        assert not bench.advanced.task_definitions


def test_a_cancelled_run_is_an_error_and_says_so() -> None:
    released = threading.Event()
    with running() as bench:
        bench.add(released.wait)
        (row,) = eventually(bench.rows, what="the run is stored")
        eventually(lambda: bench.advanced.running_tasks == 1, what="it runs")
        bench.advanced.cancel_task(row.execution_id)
        (event,) = bench.hear()
        assert isinstance(event.exception, TaskFailed)
        assert "cancelled" in str(event.exception)
        released.set()


def test_jobs_wait_for_a_store_that_is_away() -> None:
    store = FaultyStore(MemoryStore())
    with running(AdvancedExecutor(AdvancedTaskScheduler(store=store.face))) as bench:
        store.break_down()
        bench.add(say, misfire_grace_time=None)
        eventually(lambda: not bench.apscheduler.get_jobs(), what="APScheduler has done with it")
        store.come_back()
        (event,) = bench.hear()
        assert event.code == EVENT_JOB_EXECUTED


def test_what_an_earlier_process_left_runs_as_soon_as_the_job_is_known(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    earlier = AdvancedTaskScheduler(store=url)
    left = earlier.schedule_task(say, "left")
    earlier.close()
    with running(store=url) as bench:
        bench.add(say, "interval", hours=1)
        assert bench.advanced.result(left, timeout=10) == "left"


def test_a_shutdown_waits_for_what_runs_and_tells_of_it() -> None:
    released = threading.Event()

    def work() -> str:
        released.wait(10)
        return "done"

    with running() as bench:
        bench.add(work)
        bench.until_submitted()
        threading.Timer(0.05, released.set).start()
        bench.apscheduler.shutdown()
        assert [event.retval for event in bench.heard] == ["done"]


def test_a_job_may_shut_its_scheduler_down() -> None:
    asked = threading.Event()
    with running() as bench:

        def end() -> str:
            asked.wait(10)
            bench.apscheduler.shutdown()
            return "ended"

        bench.add(end)
        bench.until_submitted()
        asked.set()
        assert bench.hear()[0].retval == "ended"
        eventually(lambda: not bench.advanced.started, what="the engine has stopped")


def test_a_scheduler_that_was_shut_down_may_start_again(tmp_path: Path) -> None:
    with running(store=f"sqlite:///{tmp_path}/jobs.db") as bench:
        bench.apscheduler.shutdown()
        bench.apscheduler.start()
        bench.add(say)
        assert bench.hear()[0].retval == "hello"


def test_an_engine_that_the_application_started_is_left_to_it() -> None:
    advanced = AdvancedTaskScheduler()
    with advanced.running():
        with running(AdvancedExecutor(advanced)) as bench:
            bench.add(say)
            bench.hear()
        assert advanced.started
    advanced.close()


def test_the_timer_of_the_engine_may_be_the_same_apscheduler_if_the_engine_starts_it() -> None:
    apscheduler = BackgroundScheduler(timezone="UTC", job_defaults=HOWEVER_LATE)
    advanced = AdvancedTaskScheduler(apscheduler=apscheduler)
    apscheduler.add_executor(AdvancedExecutor(advanced))
    with pytest.raises(RuntimeError, match="start that one"):
        apscheduler.start()
    with advanced.running():
        heard: list[JobExecutionEvent] = []
        apscheduler.add_listener(heard.append, ENDS)
        apscheduler.add_job(say)
        eventually(lambda: heard, what="the job has run")
    advanced.close()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"priority": "soon"}, "priority='soon'"),
        ({"timeout": "-1"}, "timeout=-1.0"),
        ({"retry": {"strategy": "never"}}, "never"),
        ({"scheduler": AdvancedTaskScheduler(), "store": "memory://"}, "store="),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        AdvancedExecutor(**options)
