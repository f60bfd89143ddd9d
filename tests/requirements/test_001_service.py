"""Document 001: every block of it as a test, and what races and bad input come to."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from advanced_scheduler import ManualClock
from advanced_scheduler.adapters.service import Result, TriggerManager
from advanced_scheduler.models import TaskDefinition, TaskStatus
from tests.requirements.document_001 import EXPORT, START, Framework
from tests.support.waiting import eventually_async


async def test_a_one_time_task_runs_once_at_its_time(framework: Framework) -> None:
    scheduler = framework.context.get_service("core.scheduler.service")
    result = await scheduler.schedule_task(
        {
            "name": "Export User Data",
            "description": "Export all user data to CSV",
            "module_id": "standard.data_export",
            "function_name": "export_users_to_csv",
            "parameters": {"format": "csv", "include_deleted": False},
            "schedule_time": framework.now() + timedelta(hours=1),
            "recurring": False,
        }
    )
    assert result.success
    task_id = result.data["task_id"]

    await framework.passes(minutes=59)
    assert framework.calls == []
    await framework.passes(minutes=1)
    await framework.passes(days=20)
    assert framework.calls == [{"format": "csv", "include_deleted": False}]
    (row,) = await framework.ended(task_id)
    assert row.scheduled_time == START + timedelta(hours=1)
    assert row.result == {"record_count": 3, "calls": 1}


async def test_a_recurring_task_runs_every_day_at_two(framework: Framework) -> None:
    result = await framework.service.schedule_task(
        {
            "name": "Daily Log Cleanup",
            "description": "Clean up old log files",
            "module_id": "core.scheduler",
            "function_name": "cleanup_old_logs",
            "parameters": {"days_to_keep": 30, "log_types": ["error", "debug", "info"]},
            "recurring": True,
            "interval_type": "days",
            "interval_value": 1,
            "schedule_time": framework.now().replace(hour=2, minute=0, second=0),
        }
    )
    assert result.success
    for _ in range(3):
        await framework.passes(days=1)
    at = [row.scheduled_time for row in await framework.ended(result.data["task_id"])]
    assert at == [datetime(2025, 7, day, 2, tzinfo=UTC) for day in (17, 18, 19)]


async def test_a_task_function_reports_by_a_result(framework: Framework) -> None:
    async def export_users_to_csv(parameters: dict[str, Any]) -> Result:
        try:
            if parameters.get("include_deleted", False):
                raise LookupError("no such table")
            return Result.success(data={"record_count": 2})
        except Exception as e:
            return Result.error(
                code="EXPORT_FAILED",
                message=f"Failed to export users: {e!s}",
                details={"error": str(e)},
            )

    framework.scheduler.unregister_task(EXPORT)
    framework.register(EXPORT, export_users_to_csv)
    good = await framework.scheduled(framework.one_time())
    bad = await framework.scheduled(framework.one_time(parameters={"include_deleted": True}))
    await framework.passes(hours=1)

    (row,) = await framework.ended(good)
    assert (row.status, row.result) == (TaskStatus.COMPLETED, {"record_count": 2})
    (row,) = await framework.ended(bad)
    assert row.status is TaskStatus.FAILED
    assert "EXPORT_FAILED: Failed to export users: no such table" in (row.error or "")


@pytest.mark.parametrize("executor", ["auto", "thread", "process"])
async def test_a_plain_function_may_answer_a_result_wherever_it_runs(
    framework: Framework, executor: Any
) -> None:
    framework.scheduler.register_task(
        TaskDefinition("module.refuse", "refuse", refuse, executor=executor)
    )
    task_id = await framework.scheduled(
        framework.one_time(module_id="module", function_name="refuse")
    )
    await framework.passes(hours=1)
    (row,) = await framework.ended(task_id)
    assert row.status is TaskStatus.FAILED
    assert "NO: not today" in (row.error or "")


def refuse(parameters: dict[str, Any]) -> Result:
    """A task that fails without raising."""
    assert parameters["format"] == "csv"
    return Result.error("NO", "not today")


async def test_a_function_that_raises_or_answers_a_plain_value_is_understood_too(
    framework: Framework,
) -> None:
    def cleanup(parameters: dict[str, Any]) -> int:
        return 30 // int(parameters["days"])

    framework.register("m.cleanup", cleanup)
    tasks = [
        await framework.scheduled(
            framework.one_time(module_id="m", function_name="cleanup", parameters={"days": days})
        )
        for days in (10, 0)
    ]
    await framework.passes(hours=1)
    ((good,), (bad,)) = [await framework.ended(one) for one in tasks]
    assert (good.status, good.result) == (TaskStatus.COMPLETED, 3)
    assert (bad.status, "ZeroDivisionError" in (bad.error or "")) == (TaskStatus.FAILED, True)


@pytest.mark.parametrize("path", ["/tmp/data.csv", None])
async def test_a_long_task_closes_its_resources_however_it_ends(
    framework: Framework, path: str | None
) -> None:
    closed: list[str] = []

    async def long_running_task(parameters: dict[str, Any]) -> Result:
        resources: list[str] = []
        try:
            resources.append("connection")
            resources.append("file at " + parameters["file_path"])
            return Result.success(data={"used": len(resources)})
        except Exception as e:
            return Result.error(code="PROCESSING_FAILED", message=str(e))
        finally:
            closed.extend(resources)

    framework.register("m.long", long_running_task)
    config = framework.one_time(module_id="m", function_name="long", parameters={"file_path": path})
    task_id = await framework.scheduled(config)
    await framework.passes(hours=1)
    (row,) = await framework.ended(task_id)
    if path is None:
        assert (row.status, closed) == (TaskStatus.FAILED, ["connection"])
        assert "PROCESSING_FAILED" in (row.error or "")
    else:
        assert (row.result, closed) == ({"used": 2}, ["connection", "file at /tmp/data.csv"])


def test_a_result_is_made_and_asked_by_the_same_words() -> None:
    good, bad = Result.success(data=[1]), Result.error("CODE", "what went wrong", {"field": "x"})
    assert (good.success, good.data, good.error, good.code, bool(good)) == (
        True,
        [1],
        None,
        None,
        True,
    )
    assert (bad.success, bad.data, bad.code, bool(bad)) == (False, None, "CODE", False)
    assert (bad.message, bad.details) == ("what went wrong", {"field": "x"})
    assert bad.error == "CODE: what went wrong"
    assert Result.success() == Result.success(data=None) != Result.error(code="CODE", message="")


async def test_tasks_are_paused_resumed_executed_and_cancelled(framework: Framework) -> None:
    service = framework.service
    task_id = await framework.scheduled(framework.recurring("hours", 1))
    await framework.passes(minutes=1)
    assert (await service.pause_task(task_id)).data == {"task_id": task_id, "status": "paused"}
    await framework.passes(hours=3)
    assert len(framework.calls) == 1
    ran = await service.execute_task(task_id)
    assert (ran.success, ran.data["status"]) == (True, "pending")
    await framework.passes()
    assert len(framework.calls) == 2
    assert (await service.resume_task(task_id)).data["status"] == "resumed"
    await framework.passes(hours=1)
    assert len(framework.calls) == 3
    assert (await service.cancel_task(task_id)).data["status"] == "cancelled"
    await framework.passes(hours=3)
    assert len(framework.calls) == 3


@pytest.mark.parametrize("verb", ["cancel_task", "pause_task", "resume_task", "execute_task"])
@pytest.mark.parametrize("task_id", ["task-123", "", "a\0b", None, 7])
async def test_a_task_that_there_is_not_is_not_found(
    framework: Framework, verb: str, task_id: Any
) -> None:
    result = await getattr(framework.service, verb)(task_id)
    assert (result.success, result.code) == (False, "TASK_NOT_FOUND")
    assert repr(task_id) in result.message


async def test_to_cancel_a_task_cancels_what_it_has_waiting(framework: Framework) -> None:
    task_id = await framework.scheduled(framework.one_time())
    ran = await framework.service.execute_task(task_id)
    assert await framework.service.cancel_task(task_id)
    await framework.passes(hours=2)
    assert framework.calls == []
    row = framework.scheduler.get_execution(ran.data["execution_id"])
    assert row is not None
    assert row.status is TaskStatus.CANCELLED
    assert (await framework.service.cancel_task(task_id)).code == "TASK_NOT_FOUND"


async def test_the_job_manager_has_the_whole_life_of_a_job(framework: Framework) -> None:
    jobs = framework.service.job_manager
    info = {"schedule_time": framework.now() + timedelta(hours=1)}
    made = await jobs.create_job("Export", EXPORT, {"format": "csv"}, info)
    job_id = made.data["task_id"]
    assert (await jobs.update_job_status(job_id, "paused")).success
    assert (await jobs.update_job_status(job_id, "pending")).success
    assert (await jobs.execute_job(job_id)).data["task_id"] == job_id
    await framework.passes()
    assert framework.calls == [{"format": "csv"}]

    refused = await jobs.update_job_status(job_id, "completed", result={"rows": 3})
    assert refused.code == "STATUS_NOT_ALLOWED"
    await framework.passes(hours=1)
    framework.clock.advance(days=28)
    assert (await jobs.cleanup_completed_jobs()).data == {"jobs": 0, "executions": 0}
    framework.clock.advance(days=3)  # the engine itself has not trimmed the history yet
    assert (await jobs.cleanup_completed_jobs()).data == {"jobs": 1, "executions": 2}
    assert framework.scheduler.get_schedules() == []


@pytest.mark.parametrize(
    ("interval", "last", "following"),
    [
        (("minutes", 5), "2025-07-16T10:00", "2025-07-16T10:05"),
        (("hours", 36), "2025-07-16T10:00", "2025-07-17T22:00"),
        (("days", 1), "2025-02-28T10:00", "2025-03-01T10:00"),
        (("weeks", 2), "2025-12-24T10:00", "2026-01-07T10:00"),
        (("months", 1), "2025-01-31T10:00", "2025-02-28T10:00"),
        (("months", 1), "2024-01-31T10:00", "2024-02-29T10:00"),
        (("months", 5), "2025-10-31T10:00", "2026-03-31T10:00"),
    ],
)
async def test_the_next_execution_is_one_interval_later(
    framework: Framework, interval: tuple[str, int], last: str, following: str
) -> None:
    triggers = framework.service.trigger_manager
    found = triggers.calculate_next_execution(*interval, datetime.fromisoformat(last))
    assert found == datetime.fromisoformat(f"{following}+00:00")
    assert not triggers.is_execution_due(START + timedelta(seconds=1))
    assert triggers.is_execution_due(START)
    assert triggers.is_execution_due(framework.now())
    assert not triggers.is_execution_due(None)


async def test_a_recurring_schedule_is_a_part_of_a_task(framework: Framework) -> None:
    every = framework.service.trigger_manager.create_recurring_schedule("weeks", 1)
    await framework.scheduled(framework.one_time(**every))
    for _ in range(15):
        await framework.passes(days=1)
    assert len(framework.calls) == 2


async def test_a_recurring_task_runs_at_no_time_before_its_first(framework: Framework) -> None:
    first = framework.now() + timedelta(hours=1, microseconds=1)
    task_id = await framework.scheduled(framework.recurring("days", 1, schedule_time=first))
    (run,) = framework.scheduler.next_runs(task_id, 1)
    assert run.instant == (first + timedelta(microseconds=999_999)).replace(tzinfo=UTC)


def test_a_trigger_manager_works_without_a_service() -> None:
    triggers = TriggerManager()
    before, after = (datetime(2025, 7, day, tzinfo=UTC) for day in (16, 17))
    assert triggers.calculate_next_execution("days", 1, before) == after
    assert triggers.is_execution_due(before)


async def test_a_month_that_is_too_short_runs_on_its_last_day(framework: Framework) -> None:
    framework.clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    config = framework.recurring("months", 1, schedule_time="2026-01-31T02:00:00Z")
    task_id = await framework.scheduled(config)
    runs = framework.scheduler.next_runs(task_id, 4)
    assert [(run.instant.month, run.instant.day) for run in runs] == [
        (1, 31),
        (2, 28),
        (3, 31),
        (4, 30),
    ]


async def test_days_are_those_of_the_zone_that_the_settings_name(
    clock: ManualClock, store_url: str
) -> None:
    clock.set(datetime(2025, 3, 28, tzinfo=UTC))
    framework = Framework(clock, store_url, settings={"timezone": "Europe/Berlin"})
    with closing(framework.scheduler):
        config = framework.recurring("days", 1, schedule_time="2025-03-29T09:00:00")
        task_id = await framework.scheduled(config)
        runs = framework.scheduler.next_runs(task_id, 2)
    assert [run.instant.astimezone(UTC).hour for run in runs] == [8, 7]  # summer time began


async def test_a_task_may_follow_a_cron_text_or_an_event(framework: Framework) -> None:
    daily = framework.one_time(recurring=True, cron="0 2 * * *", schedule_time=...)
    told = framework.one_time(recurring=True, event="users_changed", schedule_time=...)
    await framework.scheduled(daily)
    await framework.scheduled(told | {"parameters": {"format": "xml"}})
    await framework.passes(hours=16)
    assert framework.calls == [{"format": "csv", "include_deleted": False}]
    framework.scheduler.trigger_event("users_changed")
    await framework.passes()
    assert framework.calls[1:] == [{"format": "xml"}]


async def test_max_executions_ends_a_task(framework: Framework) -> None:
    await framework.scheduled(framework.recurring("minutes", 1, max_executions=3))
    for _ in range(6):
        await framework.passes(minutes=1)
    assert len(framework.calls) == 3


async def test_a_failed_call_may_be_made_again(framework: Framework) -> None:
    async def schedule_with_retry(task_config: dict[str, Any], max_retries: int = 3) -> Result:
        for attempt in range(max_retries):
            result = await framework.service.schedule_task(task_config)
            if result.success:
                return result
            if attempt < max_retries - 1:
                await asyncio.sleep(0)
        return result

    assert (await schedule_with_retry(framework.one_time())).success
    failed = await schedule_with_retry(framework.one_time(name=""))
    assert failed.code == "TASK_SCHEDULING_FAILED"


async def test_the_background_runs_on_this_loop_until_it_is_stopped(framework: Framework) -> None:
    service = framework.service
    await framework.scheduled(framework.one_time(schedule_time=framework.now()))
    assert (await service.start_background_processing()).success
    assert (await service.start_background_processing()).success
    try:
        await eventually_async(lambda: framework.calls)
        task_id = await framework.scheduled(framework.one_time())
        ran = await service.execute_task(task_id, wait=30)
        assert ran.data["status"] == "completed"
        assert ran.data["result"] == {"record_count": 3, "calls": 2}
    finally:
        assert (await service.stop_background_processing()).success


async def test_a_task_that_is_executed_and_fails_is_an_error(framework: Framework) -> None:
    framework.register("m.refuse", refuse)
    task_id = await framework.scheduled(framework.one_time(module_id="m", function_name="refuse"))
    await framework.service.start_background_processing()
    try:
        ran = await framework.service.execute_task(task_id, wait=30)
    finally:
        await framework.service.stop_background_processing()
    assert (ran.code, ran.details["status"]) == ("TASK_EXECUTION_FAILED", "failed")
    assert "NO: not today" in (ran.message or "")
