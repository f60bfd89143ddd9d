"""Document 001: what is refused, with a code and the fields, before anything is stored or run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import ConfigurationError, ManualClock
from advanced_scheduler.adapters.service import SchedulerService
from advanced_scheduler.models import TaskStatus
from tests.requirements.document_001 import Framework

EVERY = {"recurring": True, "interval_type": "days", "interval_value": 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ...}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"module_id": ...}, "module_id"),
        ({"module_id": "../etc"}, "module_id"),
        ({"function_name": ...}, "function_name"),
        ({"function_name": "os.system"}, "function_name"),
        ({"function_name": "__import__"}, "function_name"),
        ({"parameters": ["csv"]}, "parameters"),
        ({"parameters": {"ratio": float("nan")}}, "parameters"),
        ({"parameters": {"text": "a\0b"}}, "parameters"),
        ({"parameters": {"texts": [{"half": "a\ud800"}]}}, "parameters"),
        ({"parameters": {7: "seven"}}, "parameters"),
        ({"parameters": {"handle": object()}}, "parameters"),
        ({"description": 7}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"schedule_time": ...}, "schedule_time"),
        ({"schedule_time": "soon"}, "schedule_time"),
        ({"schedule_time": 1e9}, "schedule_time"),
        ({"schedule_time": "9999-12-31T23:59:59"}, "schedule_time"),
        ({"recurring": "yes"}, "recurring"),
        ({"recurring": True}, "recurring"),
        ({"interval_type": "days", "interval_value": 1}, "recurring"),
        (EVERY | {"cron": "@daily"}, "recurring"),
        (EVERY | {"interval_type": "fortnights"}, "interval_type"),
        (EVERY | {"interval_type": []}, "interval_type"),
        (EVERY | {"interval_value": 0}, "interval_value"),
        (EVERY | {"interval_value": True}, "interval_value"),
        (EVERY | {"interval_value": 1.5}, "interval_value"),
        (EVERY | {"interval_value": ...}, "interval_value"),
        (EVERY | {"interval_value": 40_000}, "interval_type"),
        ({"recurring": True, "cron": "61 * * * *"}, "cron"),
        ({"max_executions": 0}, "max_executions"),
        ({"max_executions": "3"}, "max_executions"),
        ({"trace_session_id": 7}, "trace_session_id"),
        ({"intervall": "days"}, "intervall"),
    ],
)
async def test_a_configuration_that_is_wrong_is_refused_by_its_field(
    framework: Framework, changes: dict[str, Any], field: str
) -> None:
    config = framework.one_time(**{str(key): value for key, value in changes.items()})
    result = await framework.service.schedule_task(config)
    assert (result.success, result.code) == (False, "TASK_SCHEDULING_FAILED")
    assert field in result.details["errors"]
    assert result.details["config"] is config
    assert framework.scheduler.get_schedules() == []


async def test_parameters_may_have_texts_that_look_like_escapes(framework: Framework) -> None:
    parameters = {"path": r"C:\u0000x", "deep": [{"half": r"\ud800"}]}
    result = await framework.service.schedule_task(framework.one_time(parameters=parameters))
    assert result.success, result.message


async def test_all_fields_that_are_wrong_are_told_at_once(framework: Framework) -> None:
    result = await framework.service.schedule_task({"name": 7, "recurring": 1})
    wanted = {"name", "recurring", "module_id", "function_name", "schedule_time"}
    assert set(result.details["errors"]) == wanted
    assert all(field in (result.message or "") for field in wanted)


@pytest.mark.parametrize("config", [None, [], "task", 7])
async def test_what_is_no_dict_is_refused(framework: Framework, config: Any) -> None:
    assert (await framework.service.schedule_task(config)).code == "TASK_SCHEDULING_FAILED"


@pytest.mark.parametrize(
    ("function_name", "info"),
    [
        ("export", {}),
        ("m.export", {}),
        (7, {"schedule_time": "2030-01-01"}),
        ("m.export", None),
        ("m.export", 7),
    ],
)
async def test_a_job_that_is_wrong_is_refused(
    framework: Framework, function_name: Any, info: Any
) -> None:
    result = await framework.service.job_manager.create_job("job", function_name, {}, info)
    assert result.code == "TASK_SCHEDULING_FAILED"
    assert isinstance(info, dict) or "schedule_info" in result.details["errors"]
    assert framework.scheduler.get_schedules() == []


@pytest.mark.parametrize("wait", ["long", True, float("nan")])
async def test_a_wait_that_cannot_be_is_refused_before_anything_runs(
    framework: Framework, wait: Any
) -> None:
    task_id = await framework.scheduled(framework.one_time())
    refused = await framework.service.execute_task(task_id, wait=wait)
    assert "wait=" in (refused.message or "")
    assert await framework.ended(task_id) == []


async def test_a_function_that_takes_no_dict_is_refused(framework: Framework) -> None:
    framework.register("m.none", lambda: None)
    config = framework.one_time(module_id="m", function_name="none")
    assert (await framework.service.schedule_task(config)).code == "TASK_SCHEDULING_FAILED"


@pytest.mark.parametrize("status", ["completed", "soon", [], None, 7])
async def test_a_status_that_nobody_can_give_is_refused(framework: Framework, status: Any) -> None:
    result = await framework.service.job_manager.update_job_status("x", status)
    assert result.code == "STATUS_NOT_ALLOWED"
    assert repr(status) in (result.message or "")


@pytest.mark.parametrize(
    ("interval_type", "interval_value"),
    [("fortnights", 1), ([], 1), (None, 1), ("days", []), ("days", 0)],
)
def test_an_interval_that_cannot_be_is_refused(
    framework: Framework, interval_type: Any, interval_value: Any
) -> None:
    triggers = framework.service.trigger_manager
    with pytest.raises(ValueError, match="must be one of minutes, hours"):
        triggers.calculate_next_execution(interval_type, interval_value)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package that nobody has imported: ``guests_001.jobs``, with ``guests_001_other`` beside."""
    for name in ("guests_001", "guests_001_other"):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "jobs.py").write_text(
            "from os import system\n"
            "from functools import partial\n"
            "def export(parameters):\n    return {**parameters, 'plain': True}\n"
            "async def later(parameters):\n    return {**parameters, 'plain': False}\n"
            "def bare():\n    return {}\n"
            "number = 7\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "guests_001.jobs"
    for name in [one for one in sys.modules if one.startswith("guests_001")]:
        del sys.modules[name]


async def test_a_function_that_nobody_registered_is_not_even_imported(
    framework: Framework, module: str
) -> None:
    config = framework.one_time(module_id=module, function_name="export")
    result = await framework.service.schedule_task(config)
    assert result.code == "TASK_NOT_ALLOWED"
    assert "'guests_001.jobs.export' is not registered" in (result.message or "")
    assert module not in sys.modules
    assert framework.scheduler.get_schedules() == []


@pytest.fixture
def open_minded(clock: ManualClock, store_url: str, module: str) -> Iterator[Framework]:
    """A framework that lets functions of ``guests_001`` run."""
    made = Framework(clock, store_url, allowed_modules=["guests_001"])
    with closing(made.scheduler):
        yield made


@pytest.mark.parametrize("function", ["export", "later"])
async def test_a_function_of_an_allowed_module_runs(
    open_minded: Framework, module: str, function: str
) -> None:
    config = open_minded.one_time(module_id=module, function_name=function, parameters={"a": 1})
    task_id = await open_minded.scheduled(config)
    await open_minded.passes(hours=1)
    (row,) = await open_minded.ended(task_id)
    assert row.result == {"a": 1, "plain": function == "export"}


@pytest.mark.parametrize(
    ("module_id", "function", "code"),
    [
        ("guests_001_other.jobs", "export", "TASK_NOT_ALLOWED"),
        ("guests_001.jobs", "system", "TASK_NOT_ALLOWED"),
        ("guests_001.jobs", "partial", "TASK_NOT_ALLOWED"),
        ("guests_001.jobs", "number", "TASK_SCHEDULING_FAILED"),
        ("guests_001.jobs", "bare", "TASK_SCHEDULING_FAILED"),
        ("guests_001.jobs", "absent", "TASK_SCHEDULING_FAILED"),
        ("guests_001.absent", "export", "TASK_SCHEDULING_FAILED"),
        ("os", "system", "TASK_NOT_ALLOWED"),
    ],
)
async def test_only_functions_that_are_at_home_in_an_allowed_module_run(
    open_minded: Framework, module_id: str, function: str, code: str
) -> None:
    config = open_minded.one_time(module_id=module_id, function_name=function)
    refused = await open_minded.service.schedule_task(config)
    assert refused.code == code
    assert function != "partial" or "in module 'functools', which is not" in str(refused.message)
    assert "guests_001_other.jobs" not in sys.modules


async def test_a_node_that_allows_less_does_not_run_what_another_one_stored(
    open_minded: Framework, module: str, clock: ManualClock, store_url: str
) -> None:
    config = open_minded.one_time(module_id=module, function_name="export")
    task_id = await open_minded.scheduled(config)
    strict = Framework(clock, store_url)
    with closing(strict.scheduler):
        assert await strict.service.initialize()
        await strict.passes(hours=1)
    (row,) = await open_minded.ended(task_id)
    assert row.status is TaskStatus.FAILED
    assert "TASK_NOT_ALLOWED" in (row.error or "")


@pytest.mark.parametrize("given", ["guests_001", [""], [None], [7], ["..."], None])
def test_a_list_of_modules_that_is_none_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="allowed_modules="):
        SchedulerService(allowed_modules=given)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_concurrent_tasks": 0}, "max_concurrent_tasks=0: it must be greater than or equal"),
        ({"cleanup_interval": "1h"}, "cleanup_interval='1h': it must be a valid integer$"),
        ({"timezone": "Mars"}, "timezone='Mars'"),
        ({"other": 1}, "other: there is no such setting"),
        ({"kind": 1}, "kind: there is no such setting"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SchedulerService(settings=settings)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("CORE_SCHEDULER_CLEANUP_INTERVAL", "CORE_SCHEDULER_CLEANUP_INTERVAL='soon': it must be"),
        ("ADVANCED_SCHEDULER_POLL_SECONDS", "ADVANCED_SCHEDULER_POLL_SECONDS='soon': it must be"),
    ],
)
def test_a_variable_that_cannot_work_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, words: str
) -> None:
    monkeypatch.setenv(variable, "soon")
    with pytest.raises(ConfigurationError, match=words):
        _ = SchedulerService().scheduler


TABLE = {"table_name": "t", "date_column": "at"}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (None, "config"),
        ({}, "config"),
        ({"cleanup_interval": "1 hour"}, "config"),
        (TABLE | {"directory": "/tmp/uploads"}, "config"),
        ({"table_name": "t"}, "date_column"),
        (TABLE | {"batch_size": 0}, "batch_size"),
        (TABLE | {"batch_size": 10**9}, "batch_size"),
        (TABLE | {"max_age_hours": -1}, "max_age_hours"),
        (TABLE | {"cleanup_interval": "1 month"}, "cleanup_interval"),
        (TABLE | {"cleanup_interval": 3600}, "cleanup_interval"),
        (TABLE | {"where": "1=1"}, "where"),
        ({"directory": "/tmp/uploads"}, "max_age_hours"),
        ({"directory": "/", "max_age_hours": 24}, "directory"),
        ({"directory": str(Path.home()), "max_age_hours": 24}, "directory"),
        ({"directory": "uploads", "max_age_hours": 24}, "directory"),
        ({"directory": None, "max_age_hours": 24}, "directory"),
        ({"directory": __file__, "max_age_hours": 24}, "directory"),
        ({"function_name": "a.b"}, "function_name"),
        ({"function_name": "cleanup_old_logs", "parameters": 7}, "parameters"),
        ({"keep_days": 0}, "keep_days"),
    ],
)
async def test_a_clean_up_that_is_wrong_is_refused_by_its_field(
    framework: Framework, config: Any, field: str
) -> None:
    result = await framework.service.register_cleanup_task("core.scheduler", "logs", config)
    assert result.code == "CLEANUP_REGISTRATION_FAILED"
    assert field in result.details["errors"]
    assert framework.scheduler.get_schedules() == []


async def test_a_clean_up_needs_a_module_a_type_and_a_function_that_may_run(
    framework: Framework,
) -> None:
    register: Any = framework.service.register_cleanup_task
    assert "module_id" in (await register("", "logs", TABLE)).details["errors"]
    assert "cleanup_type" in (await register("m", None, TABLE)).details["errors"]
    assert (await register("os", "logs", {"function_name": "remove"})).code == "TASK_NOT_ALLOWED"


async def test_a_table_without_a_database_is_refused(clock: ManualClock) -> None:
    framework = Framework(clock, "memory://")
    with closing(framework.scheduler):
        result = await framework.service.register_cleanup_task("m", "rows", TABLE)
    assert "database=" in result.details["errors"]["table_name"]
