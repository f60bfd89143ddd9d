"""Document 004, its quick start and its reference: jobs, their states and their status."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, SchedulerStateError
from advanced_scheduler.adapters.jobs import (
    IntervalTrigger,
    JobStatus,
    Scheduler,
    TriggerType,
    frame_number_placeholder,
)
from advanced_scheduler.lifecycle import OPEN
from tests.requirements.document_004 import (
    PATIENCE,
    Days,
    RandomIntervalTrigger,
    is_finished,
    nothing,
    utc,
)
from tests.support.waiting import eventually

# --- Quick start ----------------------------------------------------------------------------------


def test_a_job_runs_without_any_further_call(scheduler: Scheduler) -> None:
    said: list[str] = []

    def print_message(msg: str) -> None:
        said.append(f"Job executed: {msg}")

    assert scheduler.add_interval_job("heartbeat", 0.02, print_message, "Hello World!")
    eventually(lambda: len(said) >= 5)
    assert set(said) == {"Job executed: Hello World!"}


async def test_a_job_of_two_seconds_runs_five_times_in_ten(days: Days) -> None:
    said: list[float] = []
    days.jobs.add_interval_job("heartbeat", 2.0, lambda: said.append(days.clock.monotonic()))
    await days.go_by(seconds=10, step=1)
    assert said == [2, 4, 6, 8, 10]
    days.jobs.shutdown()


# --- API reference --------------------------------------------------------------------------------


async def test_a_job_gets_its_arguments(days: Days) -> None:
    got: list[Any] = []

    def my_function(*args: Any, **kwargs: Any) -> None:
        got.append((args, kwargs))

    assert days.jobs.add_job("my_job", IntervalTrigger(5.0), my_function, 1, "two", key1="value1")
    await days.go_by(seconds=5)
    assert got == [((1, "two"), {"key1": "value1"})]


async def test_the_parameters_have_the_names_of_the_document(days: Days) -> None:
    got: list[str] = []

    def my_function(name: str, **_: Any) -> None:
        got.append(name)

    f, jobs = my_function, days.jobs
    assert jobs.add_job("job", IntervalTrigger(5), func=f, name="job")
    assert jobs.add_job(job_id="by_name", trigger=IntervalTrigger(5), func=f, name="by name")
    assert jobs.add_timestamp_job(
        job_id="timestamp", timestamps=[0], trigger=5, func=f, name="timestamp"
    )
    assert jobs.add_interval_job(
        job_id="interval", interval_seconds=5, trigger=5, func=f, name="interval"
    )
    assert jobs.add_one_time_job(job_id="one", run_at=days.clock.now(), func=f, name="one")
    assert jobs.add_cron_job(job_id="cron", cron_expression="5 * * * * *", func=f, name="cron")
    await days.go_by(seconds=5)
    assert len(got) == 6


async def test_an_argument_with_the_name_of_a_parameter_goes_by_position(days: Days) -> None:
    got: list[tuple[str, int]] = []

    def debug_job(job_id: str, *, self: int) -> None:
        got.append((job_id, self))

    days.jobs.add_interval_job("debug", 5, debug_job, "my_job", self=1)
    with pytest.raises(TypeError, match="multiple values for argument 'job_id'"):
        days.jobs.add_interval_job("debug2", 5, debug_job, job_id="my_job", self=1)  # type: ignore[misc]
    await days.go_by(seconds=5)
    assert got == [("my_job", 1)]


def test_a_job_id_that_is_taken_is_not_taken_again(days: Days) -> None:
    assert days.jobs.add_interval_job("my_job", 5, nothing)
    assert not days.jobs.add_interval_job("my_job", 5, nothing)
    assert not days.jobs.add_cron_job("my_job", "@daily", print)
    assert days.status("my_job")["trigger_type"] == "interval"


async def test_every_timestamp_runs_also_those_that_are_equal_or_unsorted(days: Days) -> None:
    ran: list[int] = []
    days.jobs.add_timestamp_job("animation", [300, 0, 200, 0], ran.append, frame_number_placeholder)
    await days.go_by(seconds=1)
    assert ran == [0, 1, 2, 3]


async def test_a_heartbeat_ends_after_sixty_runs(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_interval_job(
        "heartbeat", 1.0, lambda: ran.append(days.clock.monotonic()), max_runs=60
    )
    await days.go_by(minutes=2, step=1)
    assert ran == list(range(1, 61))
    assert days.status("heartbeat")["is_finished"]


async def test_a_one_time_job_takes_a_datetime(days: Days) -> None:
    reminded: list[str] = []
    run_at = days.clock.now() + timedelta(hours=1)
    days.jobs.add_one_time_job("reminder", run_at, reminded.append, "now")
    await days.go_by(minutes=59)
    assert reminded == []
    await days.go_by(minutes=1)
    assert reminded == ["now"]


async def test_a_one_time_job_whose_time_has_passed_runs_at_once(days: Days) -> None:
    reminded: list[str] = []
    days.jobs.add_one_time_job("reminder", days.clock.now().timestamp() - 60, reminded.append, "!")
    await days.go_by(microseconds=1)
    assert reminded == ["!"]
    assert days.status("reminder")["elapsed_time_ms"] == 0


async def test_a_cron_job_counts_its_runs(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_cron_job(
        "backup", "0 2 * * *", lambda: ran.append(days.clock.monotonic() / 3600), max_runs=3
    )
    await days.go_by(days=7, step=3600)
    assert ran == [2, 26, 50]
    assert days.status("backup")["status"] == "completed"


async def test_pausing_and_resuming_tell_whether_they_did(days: Days) -> None:
    assert not days.jobs.pause_job("my_job")
    assert not days.jobs.resume_job("my_job")
    days.jobs.add_interval_job("my_job", 1, nothing, max_runs=1)
    assert not days.jobs.resume_job("my_job")
    assert days.jobs.pause_job("my_job")
    assert not days.jobs.pause_job("my_job")
    assert days.jobs.resume_job("my_job")
    await days.go_by(seconds=2)
    assert days.status("my_job")["status"] == "completed"
    assert not days.jobs.pause_job("my_job")
    assert not days.jobs.resume_job("my_job")


async def test_a_paused_job_does_not_run(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_interval_job("my_job", 10, lambda: ran.append(days.clock.monotonic()))
    await days.go_by(seconds=20, step=5)
    days.jobs.pause_job("my_job")
    await days.go_by(seconds=25, step=5)
    days.jobs.resume_job("my_job")
    await days.go_by(seconds=20, step=5)
    assert ran == [10, 20, 50, 60]


async def test_a_pause_costs_none_of_the_runs_of_a_job_with_a_limit(days: Days) -> None:
    ran: list[float] = []
    days.jobs.add_interval_job("my_job", 10, lambda: ran.append(1), max_runs=5)
    for _ in range(10):
        days.jobs.pause_job("my_job")
        await days.go_by(seconds=10)
        days.jobs.resume_job("my_job")
        await days.go_by(seconds=10)
    assert len(ran) == 5


def test_a_job_that_is_slower_than_its_interval_leaves_one_run_to_a_pause(
    scheduler: Scheduler,
) -> None:
    begun, gate = threading.Event(), threading.Event()
    ran: list[int] = []

    def slow() -> None:
        begun.set()
        gate.wait()
        ran.append(1)

    def next_run() -> float:
        return scheduler.get_all_statuses()["my_job"]["next_run_time"] or 0.0

    scheduler.add_interval_job("my_job", 0.001, slow)
    assert begun.wait(PATIENCE)
    since = next_run()
    eventually(lambda: next_run() > since + 0.02)
    assert scheduler.pause_job("my_job")
    assert scheduler.get_all_statuses()["my_job"]["execution_count"] == 1  # one more waits
    gate.set()
    eventually(lambda: not scheduler.scheduler.executions(statuses=OPEN))
    assert len(ran) == 2


async def test_a_frame_that_was_due_when_its_job_was_paused_runs_after_the_pause(
    days: Days,
) -> None:
    ran: list[int] = []
    days.jobs.add_timestamp_job("my_job", [0, 1000, 2000], ran.append, frame_number_placeholder)
    days.clock.advance(seconds=1.5)
    days.jobs.pause_job("my_job")
    days.clock.advance(seconds=10)
    days.jobs.resume_job("my_job")
    await days.go_by(seconds=0.25)
    assert ran == [0, 1]
    await days.go_by(seconds=0.25)
    assert ran == [0, 1, 2]


async def test_a_one_time_job_runs_when_it_is_resumed_after_its_time(days: Days) -> None:
    ran: list[float] = []
    run_at = days.clock.now() + timedelta(seconds=10)
    days.jobs.add_one_time_job("once", run_at, lambda: ran.append(days.clock.monotonic()))
    days.jobs.pause_job("once")
    await days.go_by(seconds=60)
    days.jobs.resume_job("once")
    await days.go_by(seconds=1)
    assert ran == [60]


def test_a_removed_job_is_gone_and_its_run_is_cancelled(scheduler: Scheduler) -> None:
    begun, gate = threading.Event(), threading.Event()

    def my_function() -> None:
        begun.set()
        gate.wait()

    scheduler.add_timestamp_job("my_job", [0, 1, 2], my_function)
    assert begun.wait(PATIENCE)
    assert scheduler.remove_job("my_job")
    assert not scheduler.remove_job("my_job")
    assert scheduler.get_job_status("my_job") is None
    assert scheduler.list_jobs() == []
    statuses = {one.status.value for one in scheduler.scheduler.executions()}
    assert statuses == {"cancelled"}
    gate.set()


async def test_an_id_can_be_used_again_after_its_job_was_removed(days: Days) -> None:
    ran: list[str] = []
    days.jobs.add_interval_job("my_job", 10, ran.append, "first")
    await days.go_by(seconds=20, step=10)
    days.jobs.remove_job("my_job")
    await days.go_by(seconds=1)
    assert days.jobs.add_timestamp_job("my_job", [0, 1000], ran.append, "second")
    assert days.status("my_job")["execution_count"] == 0
    await days.go_by(seconds=20, step=10)
    assert ran == ["first", "first", "second", "second"]
    assert days.status("my_job")["execution_count"] == 2


async def test_the_status_has_what_the_document_lists(days: Days) -> None:
    days.jobs.add_interval_job("my_job", 5, nothing)
    await days.go_by(seconds=25, step=5)
    status = days.jobs.get_job_status("my_job")
    assert status == {
        "job_id": "my_job",
        "status": "running",
        "trigger_type": "interval",
        "execution_count": 5,
        "elapsed_time_ms": 25000,
        "next_run_time": utc(2030, 1, 1, 0, 0, 30),
        "is_finished": False,
    }
    kinds = [type(value) for value in status.values()]
    assert kinds == [str, str, str, int, int, float, bool]


async def test_a_paused_job_has_no_next_run_and_its_time_stands_still(days: Days) -> None:
    days.jobs.add_interval_job("my_job", 5, nothing)
    for _ in range(3):
        await days.go_by(seconds=7)
        days.jobs.pause_job("my_job")
        await days.go_by(seconds=60)
        status = days.status("my_job")
        assert (status["status"], status["next_run_time"]) == ("paused", None)
        days.jobs.resume_job("my_job")
    assert days.status("my_job")["elapsed_time_ms"] == 21_000


async def test_a_completed_job_keeps_its_status_until_it_is_removed(days: Days) -> None:
    days.jobs.add_timestamp_job("my_job", [0, 1500], nothing)
    await days.go_by(minutes=1)
    assert days.jobs.get_job_status("my_job") == {
        "job_id": "my_job",
        "status": "completed",
        "trigger_type": "timestamp",
        "execution_count": 2,
        "elapsed_time_ms": 1500,
        "next_run_time": None,
        "is_finished": True,
    }


def test_a_job_is_not_finished_while_its_last_run_goes_on(scheduler: Scheduler) -> None:
    begun, gate = threading.Event(), threading.Event()

    def last_run() -> None:
        begun.set()
        gate.wait()

    scheduler.add_timestamp_job("my_job", [0], last_run)
    assert begun.wait(PATIENCE)
    status = scheduler.get_job_status("my_job")
    assert status is not None
    assert (status["status"], status["execution_count"], status["is_finished"]) == (
        "running",
        1,
        False,
    )
    gate.set()
    eventually(lambda: is_finished(scheduler, "my_job"))


def test_there_is_no_status_of_a_job_that_was_never_added(scheduler: Scheduler) -> None:
    assert scheduler.get_job_status("my_job") is None


def test_all_jobs_are_listed(days: Days) -> None:
    assert (days.jobs.list_jobs(), days.jobs.get_all_statuses()) == ([], {})
    days.jobs.add_interval_job("interval", 1, nothing)
    days.jobs.add_cron_job("cron", "@daily", nothing)
    days.jobs.add_one_time_job("one_time", days.clock.now(), nothing)
    days.jobs.add_timestamp_job("timestamp", [0], nothing)
    days.jobs.add_job("custom", RandomIntervalTrigger(1, 2), nothing)
    all_statuses = days.jobs.get_all_statuses()
    assert sorted(days.jobs.list_jobs()) == sorted(all_statuses)
    assert {one["trigger_type"]: job_id for job_id, one in all_statuses.items()} == {
        kind.value: kind.value for kind in TriggerType
    }
    assert {one["status"] for one in all_statuses.values()} == {"running"}


def test_the_states_of_a_job_are_those_of_the_document() -> None:
    assert [status.name for status in JobStatus] == ["RUNNING", "PAUSED", "COMPLETED", "REMOVED"]
    assert [str(status) for status in JobStatus] == ["running", "paused", "completed", "removed"]


def test_a_scheduler_that_nobody_has_started_runs_within_the_block(tmp_path: Path) -> None:
    with closing(AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")) as engine:
        with Scheduler(engine) as scheduler:
            assert scheduler.add_interval_job("tick", 0.02, nothing, max_runs=1)
            eventually(lambda: is_finished(scheduler, "tick"))
        assert not engine.started


def test_a_scheduler_that_the_application_has_started_goes_on_after_the_block() -> None:
    with closing(AdvancedTaskScheduler()) as engine, engine.running():
        with Scheduler(engine):
            pass
        assert engine.started


def test_nothing_runs_after_shutdown(scheduler: Scheduler) -> None:
    ran: list[int] = []
    scheduler.add_interval_job("my_job", 0.01, ran.append, 1)
    eventually(lambda: ran)
    scheduler.shutdown()
    count = len(ran)
    scheduler.shutdown()
    with pytest.raises(SchedulerStateError, match="'late' comes after shutdown"):
        scheduler.add_interval_job("late", 0.01, ran.append, 1)
    assert not [one for one in threading.enumerate() if "ticker" in one.name]
    assert len(ran) == count
    assert scheduler.list_jobs() == []
    assert scheduler.get_job_status("my_job") is None
