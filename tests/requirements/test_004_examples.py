"""Document 004, its four examples, its best practices and its troubleshooting."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from queue import Queue
from types import TracebackType

import pytest

from advanced_scheduler import SchedulerStateError, SystemClock
from advanced_scheduler.adapters.jobs import (
    Scheduler,
    frame_number_placeholder,
)
from tests.requirements.document_004 import (
    FRAMES,
    PATIENCE,
    Days,
    is_finished,
    nothing,
    unix_now,
    utc,
)
from tests.support.waiting import eventually

# --- Example 1: data collection pipeline ----------------------------------------------------------


async def test_a_day_of_the_data_collection_pipeline(days: Days) -> None:
    ran: list[str] = []

    def collect_data(source_name: str) -> None:
        ran.append(source_name)

    def process_data() -> None:
        ran.append("process")

    def cleanup_old_data() -> None:
        ran.append("cleanup")

    days.jobs.add_interval_job("collect_api1", 300, collect_data, "api1")
    days.jobs.add_interval_job("collect_api2", 300, collect_data, "api2")
    days.jobs.add_cron_job("process", "0 * * * *", process_data)
    days.jobs.add_cron_job("cleanup", "0 2 * * *", cleanup_old_data)
    await days.go_by(hours=24, step=300)

    counts = {name: ran.count(name) for name in ("api1", "api2", "process", "cleanup")}
    assert counts == {"api1": 288, "api2": 288, "process": 25, "cleanup": 1}  # both midnights
    days.jobs.shutdown()


# --- Example 2: notification system ---------------------------------------------------------------


async def test_the_notification_system(days: Days) -> None:
    sent: list[str] = []

    def send_notification(user_id: int, message: str, notification_type: str = "info") -> None:
        sent.append(f"[{notification_type.upper()}] User {user_id}: {message}")

    days.jobs.add_one_time_job(
        "urgent_notice",
        days.clock.now().timestamp() + 5,
        send_notification,
        123,
        "Your order has been shipped!",
        notification_type="success",
    )
    days.jobs.add_one_time_job(
        "appointment_reminder",
        days.clock.now() + timedelta(hours=1),
        send_notification,
        456,
        "You have an appointment in 30 minutes",
        notification_type="warning",
    )
    days.jobs.add_cron_job(
        "daily_summary",
        "0 18 * * *",
        send_notification,
        789,
        "Here's your daily activity summary",
        notification_type="info",
    )
    await days.go_by(seconds=5, step=1)
    assert sent == ["[SUCCESS] User 123: Your order has been shipped!"]
    await days.go_by(hours=18, step=3600)
    assert sent[1:] == [
        "[WARNING] User 456: You have an appointment in 30 minutes",
        "[INFO] User 789: Here's your daily activity summary",
    ]


# --- Example 3: animation sequence with pause and resume ------------------------------------------


async def test_an_animation_stands_still_while_it_is_paused(days: Days) -> None:
    rendered: list[tuple[int, str, float]] = []

    def animate_frame(frame_number: int, object_id: str) -> None:
        rendered.append((frame_number, object_id, round(days.clock.monotonic(), 3)))

    days.jobs.add_timestamp_job(
        "animation_1", FRAMES, animate_frame, frame_number_placeholder, object_id="ball"
    )
    await days.go_by(seconds=0.5, step=0.001)
    before = len(rendered)
    assert days.jobs.pause_job("animation_1")
    await days.go_by(seconds=2, step=0.1)
    assert len(rendered) == before
    assert days.jobs.resume_job("animation_1")
    await days.go_by(seconds=1.5, step=0.001)

    times = [ms / 1000 if ms <= 500 else ms / 1000 + 2 for ms in FRAMES]
    assert rendered == [(n, "ball", at) for n, at in enumerate(times)]
    assert days.status("animation_1")["elapsed_time_ms"] == FRAMES[-1]


def test_an_animation_in_real_time_drops_no_frame(scheduler: Scheduler) -> None:
    frames: list[int] = []

    def animate_frame(frame_number: int, object_id: str) -> None:
        frames.append(frame_number)

    scheduler.add_timestamp_job(
        "animation_1", FRAMES, animate_frame, frame_number_placeholder, object_id="ball"
    )
    eventually(lambda: len(frames) >= 15)
    for _ in range(5):
        scheduler.pause_job("animation_1")
        scheduler.resume_job("animation_1")
    eventually(lambda: len(frames) == 120, PATIENCE)
    assert frames == list(range(120))


# --- Example 4: business hours operations ---------------------------------------------------------


async def test_business_hours_are_those_of_new_york(days: Days) -> None:
    done: list[tuple[str, str]] = []

    def noting(what: str) -> Callable[[], None]:
        return lambda: done.append((what, f"{days.clock.now():%a %H:%M}"))

    days.jobs.add_cron_job(
        "business_start", "0 9 * * MON-FRI", noting("start"), timezone="America/New_York"
    )
    days.jobs.add_cron_job(
        "business_stop", "0 17 * * MON-FRI", noting("stop"), timezone="America/New_York"
    )
    days.jobs.add_cron_job(
        "order_processing", "*/30 9-16 * * MON-FRI", noting("orders"), timezone="America/New_York"
    )
    await days.go_by(days=7, step=1800)  # from a Tuesday
    opening = [one for one in done if one[0] != "orders"]
    week = ("Tue", "Wed", "Thu", "Fri", "Mon")
    hours = (("start", "14:00"), ("stop", "22:00"))
    assert opening == [(what, f"{day} {at}") for day in week for what, at in hours]
    assert len(done) - len(opening) == 5 * 16


# --- Best practices -------------------------------------------------------------------------------


def test_ids_may_be_made_up(days: Days) -> None:
    job_ids = [f"data_sync_{uuid.uuid4().hex[:8]}" for _ in range(10)]
    assert all(days.jobs.add_interval_job(job_id, 60, nothing) for job_id in job_ids)
    assert days.jobs.list_jobs() == sorted(job_ids)


async def test_a_job_that_handles_its_errors_goes_on(
    days: Days, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger(__name__)

    def safe_job_function() -> None:
        try:
            raise OSError("risky")
        except Exception as error:
            logger.error("Job failed: %s", error)

    days.jobs.add_interval_job("safe", 1, safe_job_function)
    await days.go_by(seconds=3, step=1)
    assert caplog.text.count("Job failed: risky") == 3


async def test_a_job_that_raises_goes_on_and_others_do_not_notice(days: Days) -> None:
    ran: list[int] = []
    days.jobs.add_interval_job("broken", 1, lambda: 1 / 0)
    days.jobs.add_interval_job("sound", 1, ran.append, 1)
    await days.go_by(seconds=3, step=1)
    assert len(ran) == 3
    assert days.status("broken")["execution_count"] == 3
    assert days.status("broken")["status"] == "running"


class SchedulerContext:
    """As the document writes it."""

    def __enter__(self) -> Scheduler:
        self.scheduler = Scheduler()
        return self.scheduler

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.scheduler.shutdown()


@pytest.mark.parametrize("context", [SchedulerContext, Scheduler])
def test_a_context_manager_shuts_the_scheduler_down(
    context: type[SchedulerContext] | type[Scheduler],
) -> None:
    ran: list[int] = []
    with context() as scheduler:
        scheduler.add_interval_job("job1", 0.01, ran.append, 1)
        eventually(lambda: ran)
    with pytest.raises(SchedulerStateError):
        scheduler.add_interval_job("job2", 0.01, ran.append, 1)


def test_the_zone_of_a_cron_job_is_explicit(days: Days) -> None:
    days.jobs.add_cron_job("report", "0 14 * * *", nothing, timezone="UTC")
    days.jobs.add_cron_job("local_task", "0 8 * * *", nothing, timezone="America/Chicago")
    days.jobs.add_cron_job("daily_task", "0 9 * * *", nothing, timezone="Europe/London")
    assert days.status("report")["next_run_time"] == utc(2030, 1, 1, 14)
    assert days.status("local_task")["next_run_time"] == utc(2030, 1, 1, 14)
    assert days.status("daily_task")["next_run_time"] == utc(2030, 1, 1, 9)


def test_the_documents_own_test(scheduler: Scheduler) -> None:
    executions: list[tuple[str, float]] = []

    def test_job(job_id: str) -> None:
        executions.append((job_id, unix_now()))

    scheduler.add_interval_job("test", 0.1, test_job, "test", max_runs=5)
    eventually(lambda: is_finished(scheduler, "test"))
    assert [job_id for job_id, _ in executions] == ["test"] * 5


async def test_five_runs_at_a_tenth_of_a_second_fit_into_six_tenths(days: Days) -> None:
    executions: list[float] = []
    days.jobs.add_interval_job("test", 0.1, lambda: executions.append(1), max_runs=5)
    await days.go_by(seconds=0.6, step=0.1)
    assert len(executions) == 5


# --- Troubleshooting ------------------------------------------------------------------------------


def cleanup_completed_jobs(scheduler: Scheduler) -> None:
    for job_id in scheduler.list_jobs():
        status = scheduler.get_job_status(job_id)
        if status and status["status"] == "completed":
            scheduler.remove_job(job_id)


def test_a_job_removes_the_jobs_that_have_completed(scheduler: Scheduler) -> None:
    scheduler.add_timestamp_job("done", [0], nothing)
    scheduler.add_interval_job("going", 3600, nothing)
    scheduler.add_interval_job("cleanup", 0.02, cleanup_completed_jobs, scheduler)
    eventually(lambda: scheduler.list_jobs() == ["cleanup", "going"])
    assert "done" not in scheduler.scheduler.task_definitions


def test_a_job_may_remove_itself(scheduler: Scheduler) -> None:
    ran: list[bool] = []
    scheduler.add_interval_job("me", 0.01, lambda: ran.append(scheduler.remove_job("me")))
    eventually(lambda: ran)
    assert scheduler.list_jobs() == []
    assert scheduler.add_interval_job("me", 3600, nothing)


def test_runs_share_data_safely(scheduler: Scheduler) -> None:
    shared_data: list[datetime] = []
    data_lock = threading.Lock()
    result_queue: Queue[str] = Queue()

    def thread_safe_job() -> None:
        with data_lock:
            shared_data.append(SystemClock().now())
        result_queue.put("result")

    for number in range(5):
        scheduler.add_timestamp_job(f"job{number}", [0, 1, 2, 3], thread_safe_job)
    eventually(lambda: result_queue.qsize() == 20)
    assert len(shared_data) == 20


def test_the_runs_of_one_job_never_overlap(scheduler: Scheduler) -> None:
    alone = threading.Lock()
    met: list[bool] = []

    def unsafe_job() -> None:
        met.append(alone.acquire(blocking=False))
        threading.Event().wait(0.005)
        if met[-1]:
            alone.release()

    scheduler.add_timestamp_job("job", list(range(20)), unsafe_job)
    eventually(lambda: len(met) == 20)
    assert all(met)


def test_a_job_monitors_the_scheduler(scheduler: Scheduler) -> None:
    seen: list[dict[str, int]] = []

    def monitor_scheduler_performance() -> dict[str, int]:
        reports = [scheduler.get_job_status(job_id) for job_id in scheduler.list_jobs()]
        return {
            "num_threads": threading.active_count(),
            "active_jobs": len([one for one in reports if one and one["status"] == "running"]),
        }

    scheduler.add_interval_job("other", 3600, nothing)
    scheduler.pause_job("other")
    scheduler.add_interval_job("third", 3600, nothing)
    scheduler.add_interval_job(
        "monitor", 0.02, lambda: seen.append(monitor_scheduler_performance())
    )
    eventually(lambda: seen)
    assert seen[0]["active_jobs"] == 2
