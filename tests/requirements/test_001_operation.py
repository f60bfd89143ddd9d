"""Document 001 in operation: starting, settings, views, clean-ups, two nodes, and races."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from advanced_scheduler import ManualClock
from advanced_scheduler.adapters.service import SCHEDULER_SETTINGS, Result, SchedulerService
from advanced_scheduler.models import TaskDefinition, TaskStatus
from tests.requirements.document_001 import AppContext, Framework, rows


async def test_to_make_a_service_opens_nothing_and_initialize_does(
    monkeypatch: pytest.MonkeyPatch, store_url: str
) -> None:
    path = Path(store_url.removeprefix("sqlite:///"))
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", store_url)
    context = AppContext()
    service = SchedulerService(context)
    assert not path.exists()  # noqa: ASYNC240 - it takes no time
    assert context.get_service("core.scheduler.service") is service
    assert (await service.initialize()).success
    assert (await service.initialize()).success
    assert path.exists()  # noqa: ASYNC240
    assert (await service.shutdown()).success


async def test_a_store_that_cannot_be_opened_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", "sqlite:////nowhere/at/all.db")
    service = SchedulerService()
    assert (await service.start_background_processing()).code == "INITIALIZATION_FAILED"
    assert (await service.schedule_task({})).code == "TASK_SCHEDULING_FAILED"
    assert (await service.shutdown()).success


def test_the_settings_are_those_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {name: tuple(about.values()) for name, about in SCHEDULER_SETTINGS.items()}
    assert told.pop("timezone")[:2] == ("str", "UTC")
    assert told == {
        "max_concurrent_tasks": ("int", 10, "Maximum number of concurrent tasks"),
        "cleanup_interval": ("int", 3600, "Cleanup interval in seconds"),
        "execution_timeout": ("int", 300, "Task execution timeout in seconds"),
        "keep_execution_history": ("int", 30, "Days to keep execution history"),
    }
    for name, text in {
        "MAX_CONCURRENT_TASKS": "20",
        "CLEANUP_INTERVAL": "1800",
        "EXECUTION_TIMEOUT": "600",
        "KEEP_EXECUTION_HISTORY": "60",
    }.items():
        monkeypatch.setenv(f"CORE_SCHEDULER_{name}", text)
    settings = SchedulerService().settings
    assert (settings.max_concurrent_tasks, settings.cleanup_interval) == (20, 1800)
    assert (settings.execution_timeout, settings.keep_execution_history) == (600, 60)
    assert SchedulerService(settings={"cleanup_interval": 7}).settings.cleanup_interval == 7


async def test_a_task_may_run_as_long_as_the_settings_say_unless_it_says_so_itself(
    framework: Framework,
) -> None:
    framework.scheduler.register_task(TaskDefinition("m.long", "long", dict, timeout=4000))
    own = await framework.scheduled(framework.one_time(module_id="m", function_name="long"))
    other = await framework.scheduled(framework.one_time())
    await framework.service.execute_task(own)
    await framework.service.execute_task(other)
    assert [row.timeout for row in await framework.ended(own)] == [4000]
    assert [row.timeout for row in await framework.ended(other)] == [300]


async def test_plain_sql_finds_tasks_and_executions_under_the_names_of_the_document(
    framework: Framework, store_url: str
) -> None:
    for n in (1, 2):  # names need not be unique
        config = framework.recurring("hours", n, max_executions=5, trace_session_id="session-456")
        await framework.scheduled(config)
    await framework.passes(minutes=1)
    events = rows(store_url, "scheduler_events")
    assert {row["name"] for row in events} == {"Export User Data"}
    assert {row["module_id"] for row in events} == {"standard.data_export"}
    assert {row["function_name"] for row in events} == {"export_users_to_csv"}
    assert {row["status"] for row in events} == {"pending"}
    assert {(row["interval_type"], row["interval_value"]) for row in events} == {
        ("hours", 1),
        ("hours", 2),
    }
    assert {row["max_executions"] for row in events} == {5}
    assert {row["execution_count"] for row in events} == {1}
    assert all(len(row["id"]) == 36 for row in events)

    executions = rows(store_url, "scheduler_executions")
    assert {row["event_id"] for row in executions} == {row["id"] for row in events}
    assert {row["trace_session_id"] for row in executions} == {"session-456"}
    assert [bool(row["success"]) for row in executions] == [True, True]


async def test_plain_sql_finds_what_is_due_and_what_failed(
    framework: Framework, store_url: str
) -> None:
    framework.register("m.broken", lambda parameters: Result.error("BROKEN", "no data"))
    broken = framework.recurring("hours", 1, module_id="m", function_name="broken")
    task_id = await framework.scheduled(broken)
    await framework.scheduled(framework.one_time())
    await framework.passes(minutes=1)
    framework.clock.advance(minutes=58)

    query = """
        SELECT * FROM scheduler_events
        WHERE status = 'pending'
        AND next_execution <= ?
        ORDER BY next_execution ASC
        LIMIT 100
    """
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as db:
        assert db.execute(query, [framework.now().isoformat(" ", "microseconds")]).fetchall() == []
        framework.clock.advance(minutes=1)
        due = db.execute(query, [framework.now().isoformat(" ", "microseconds")]).fetchall()
        assert len(due) == 2
        last = "SELECT last_error, last_execution FROM scheduler_events WHERE id = ?"
        ((error, at),) = db.execute(last, [task_id]).fetchall()
        runs = "SELECT success, error, end_time >= start_time FROM scheduler_executions"
        ((success, told, in_order),) = db.execute(runs).fetchall()
    assert "BROKEN: no data" in error
    assert at.startswith("2025-07-16 10:00:00")
    assert (success, told, in_order) == (0, error, 1)


async def test_no_more_tasks_run_at_once_than_the_settings_say() -> None:
    service = SchedulerService(settings={"max_concurrent_tasks": 2, "keep_execution_history": 7})
    await service.initialize()
    assert service.scheduler.max_concurrent_tasks == 2
    assert service.scheduler.settings.history_days == 7
    await service.shutdown()


def fill_sessions(store_url: str, times: Sequence[datetime]) -> None:
    """A table of the application, in the database of the store."""
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as db, db:
        db.execute("CREATE TABLE user_sessions (id INTEGER PRIMARY KEY, expires_at DATETIME)")
        rows = [[str(time)] for time in times]
        db.executemany("INSERT INTO user_sessions (expires_at) VALUES (?)", rows)


def fill_uploads(folder: Path, now: datetime, ages: Mapping[str, int]) -> None:
    """Files of these ages, in hours."""
    folder.mkdir()
    for name, hours in ages.items():
        (folder / name).write_text("five!")
        then = now.timestamp() - hours * 3600
        os.utime(folder / name, (then, then))


async def test_a_module_registers_its_clean_ups_and_what_they_removed_is_recorded(
    framework: Framework, store_url: str, tmp_path: Path
) -> None:
    fill_sessions(store_url, [framework.now() + timedelta(minutes=n) for n in (-1, 5, 65)])
    uploads = tmp_path / "uploads"
    fill_uploads(uploads, framework.clock.now(), {"old": 25, "new": 1})
    scheduler = framework.context.get_service("core.scheduler.service")
    sessions = await scheduler.register_cleanup_task(
        module_id="standard.user_auth",
        cleanup_type="expired_sessions",
        config={
            "table_name": "user_sessions",
            "date_column": "expires_at",
            "cleanup_interval": "1 hour",
            "batch_size": 100,
        },
    )
    files = await scheduler.register_cleanup_task(
        module_id="standard.file_upload",
        cleanup_type="temp_files",
        config={
            "directory": str(uploads),
            "max_age_hours": 24,
            "cleanup_interval": "6 hours",
        },
    )
    assert sessions.success, sessions.error
    assert files.success, files.error
    await framework.passes(hours=1)
    (row,) = await framework.ended(sessions.data["task_id"])
    assert row.result == {"rows": 2}
    await framework.passes(hours=1)
    (row,) = await framework.ended(files.data["task_id"])  # at noon
    assert (row.result["files"], row.result["bytes"], row.result["errors"]) == (1, 5, 0)
    assert [path.name for path in uploads.iterdir()] == ["new"]

    (config,) = [
        row
        for row in rows(store_url, "scheduler_cleanup_config")
        if row["cleanup_type"] == "expired_sessions"
    ]
    assert config["module_id"] == "standard.user_auth"
    assert '"batch_size":100' in config["config"].replace(" ", "")
    assert config["enabled"] == 1
    assert config["last_run"].startswith("2025-07-16 12:00:00")
    assert config["next_run"].startswith("2025-07-16 13:00:00")
    assert rows(store_url, "scheduler_events") == []


async def test_a_clean_up_of_files_takes_as_long_as_it_takes(framework: Framework) -> None:
    config = {"directory": "/tmp/uploads", "max_age_hours": 24}
    assert await framework.service.register_cleanup_task("m", "files", config)
    (schedule,) = framework.scheduler.get_schedules()
    assert schedule.timeout is None  # nobody could stop the thread


async def test_to_register_a_clean_up_again_changes_it_and_makes_no_second_one(
    framework: Framework,
) -> None:
    await framework.passes(minutes=1)  # from the full hour, at which a new one would be due
    answers = [
        await framework.service.register_cleanup_task(
            "core.scheduler", "logs", {"function_name": "cleanup_old_logs", **changes}
        )
        for changes in ({}, {}, {"parameters": {"days": 7}, "cleanup_interval": "1 day"})
    ]
    assert len({answer.data["task_id"] for answer in answers}) == 1
    (schedule,) = framework.scheduler.get_schedules()
    assert (schedule.version, schedule.timeout) == (2, 300)
    await framework.passes(days=1)
    assert framework.calls == [{"days": 7}]


async def test_clean_ups_run_when_they_are_told_to_all_or_those_of_a_type(
    framework: Framework,
) -> None:
    await framework.passes(minutes=1)
    register = framework.service.housekeeper.register_cleanup_task
    config = {"function_name": "cleanup_old_logs", "parameters": {"days": 7}}
    await register("core.scheduler", "logs", config)
    await register("core.scheduler", "traces", {**config, "parameters": {"days": 8}})
    assert (await framework.service.housekeeper.run_cleanup("nothing")).code == "CLEANUP_NOT_FOUND"
    ran = await framework.service.housekeeper.run_cleanup("traces")
    assert [one["cleanup_type"] for one in ran.data["cleanups"]] == ["traces"]
    await framework.passes()
    assert framework.calls == [{"days": 8}]
    framework.clock.advance(seconds=1)
    ran = await framework.service.housekeeper.run_cleanup()
    assert len(ran.data["cleanups"]) == 2
    await framework.passes()
    assert len(framework.calls) == 3


async def test_a_clean_up_that_fails_is_told_beside_those_that_did_not(
    framework: Framework, tmp_path: Path
) -> None:
    await framework.passes(minutes=1)
    register = framework.service.register_cleanup_task
    await register("a", "gone", {"directory": str(tmp_path / "gone"), "max_age_hours": 1})
    await register("b", "table", {"table_name": "absent", "date_column": "at"})
    await register("c", "fine", {"directory": str(tmp_path), "max_age_hours": 1e5})
    await framework.service.start_background_processing()
    try:
        ran = await framework.service.housekeeper.run_cleanup(wait=30)
    finally:
        await framework.service.stop_background_processing()
    found = {one["cleanup_type"]: one for one in ran.data["cleanups"]}
    assert "No such file or directory" in found["gone"]["error"]
    assert "'absent' is no table of this database" in found["table"]["error"]
    assert found["fine"]["result"]["files"] == 0


async def test_maintenance_removes_history_and_tasks_that_are_over(framework: Framework) -> None:
    done = await framework.scheduled(framework.one_time(schedule_time=framework.now()))
    kept = await framework.scheduled(framework.recurring("weeks", 1))
    await framework.passes(minutes=1)
    assert (await framework.service.housekeeper.schedule_maintenance()).success
    framework.clock.advance(days=31)
    ran = await framework.service.housekeeper.run_cleanup("execution_history")
    await framework.passes()
    row = framework.scheduler.get_execution(ran.data["cleanups"][0]["execution_id"])
    assert row is not None
    assert row.result["jobs"] == 1
    left = [one.schedule_id for one in framework.scheduler.get_schedules()]
    assert kept in left
    assert done not in left


async def test_two_services_on_one_file_run_each_instant_once(
    framework: Framework, clock: ManualClock, store_url: str
) -> None:
    other = Framework(clock, store_url)
    with closing(other.scheduler):
        task_id = await framework.scheduled(framework.recurring("minutes", 1))
        for _ in range(10):
            clock.advance(minutes=1)
            await asyncio.gather(framework.scheduler.run_due(), other.scheduler.run_due())
            await asyncio.gather(framework.passes(), other.passes())
        assert len(framework.calls) + len(other.calls) == 10
        assert (await other.service.pause_task(task_id)).success
        await asyncio.gather(framework.passes(minutes=5), other.passes())
        assert (await framework.service.cancel_task(task_id)).success
        assert (await other.service.resume_task(task_id)).code == "TASK_NOT_FOUND"
        assert len(framework.calls) + len(other.calls) == 10


async def test_cancel_pause_and_execute_at_once_leave_nothing_behind(
    framework: Framework, clock: ManualClock, store_url: str
) -> None:
    other = Framework(clock, store_url)
    with closing(other.scheduler):
        for _ in range(10):
            task_id = await framework.scheduled(framework.recurring("minutes", 1))
            clock.advance(minutes=1)
            answers = await asyncio.gather(
                framework.service.execute_task(task_id),
                other.service.pause_task(task_id),
                framework.service.cancel_task(task_id),
                other.service.cancel_task(task_id),
                other.service.execute_task(task_id),
                framework.scheduler.run_due(),
            )
            cancels = [answers[2].code, answers[3].code]
            assert sorted(cancels, key=str) == [None, "TASK_NOT_FOUND"]
            told = [one.error for one in answers[:-1] if one.code not in (None, "TASK_NOT_FOUND")]
            assert told == []
            left = await framework.ended(task_id)
            assert {row.status for row in left} <= {TaskStatus.COMPLETED, TaskStatus.CANCELLED}
    assert framework.scheduler.get_schedules() == []


async def test_it_is_the_same_on_postgresql(clock: ManualClock, postgres_schema: str) -> None:
    server, _, schema = postgres_schema.partition("?schema=")
    framework = Framework(clock, postgres_schema, settings={"cleanup_interval": 60})
    with closing(framework.scheduler), psycopg.connect(server, autocommit=True) as db:
        db.execute(f"SET search_path = {schema}".encode())
        db.execute("CREATE TABLE user_sessions (expires_at timestamptz)")
        db.execute("INSERT INTO user_sessions VALUES (%s)", [clock.now() - timedelta(days=1)])
        task_id = await framework.scheduled(framework.recurring("days", 1, trace_session_id="s-1"))
        cleaned = await framework.service.register_cleanup_task(
            "m", "sessions", {"table_name": "user_sessions", "date_column": "expires_at"}
        )
        await framework.passes(minutes=1)
        (row,) = await framework.ended(cleaned.data["task_id"])
        assert row.result == {"rows": 1}
        event = "SELECT name, module_id, status, execution_count FROM scheduler_events"
        found = db.execute(event).fetchall()
        assert found == [("Export User Data", "standard.data_export", "pending", 1)]
        run = "SELECT success, result, trace_session_id FROM scheduler_executions"
        ran = db.execute(f"{run} WHERE event_id = %s".encode(), [task_id]).fetchall()
        assert ran == [(True, {"record_count": 3, "calls": 1}, "s-1")]
        config = "SELECT cleanup_type, enabled FROM scheduler_cleanup_config"
        assert db.execute(config).fetchall() == [("sessions", True)]
