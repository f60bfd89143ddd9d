"""What a caller gets wrong is said by name, with what to do, before anything is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.triggers import IntervalTrigger
from tests.support.definitions import define


def test_the_first_argument_may_be_named_as_in_the_document() -> None:
    scheduler = AdvancedTaskScheduler()

    def note(task_id: str = "none", x: int = 0) -> str:
        return f"{task_id} {x}"

    scheduler.register_task(TaskDefinition("note", "Note", note))
    by_name = scheduler.schedule_task(task_id="note", x=1)
    by_position = scheduler.schedule_task("note", task_id="mine", x=2)
    with scheduler.running():
        assert scheduler.result(by_name, timeout=10) == "none 1"
        assert scheduler.result(by_position, timeout=10) == "mine 2"
    with pytest.raises(ValueError, match="neither the id of a task nor a callable"):
        scheduler.schedule_task()
    scheduler.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"store": Path("x.db")}, "neither a URL"),
        ({"store": 5}, "neither a URL"),
        ({"settings": {"poll_seconds": 1}}, "must be a Settings"),
        ({"max_concurrent_tasks": 0}, "from 1 to 10,000"),
        ({"max_concurrent_tasks": True}, "from 1 to 10,000"),
        ({"max_concurrent_tasks": 10**30}, "from 1 to 10,000"),
        ({"max_concurrent_tasks": "10"}, "whole number"),
    ],
)
def test_a_scheduler_that_cannot_work_is_not_made(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        AdvancedTaskScheduler(**wrong)


def test_a_function_that_no_other_process_could_find_cannot_run_in_one() -> None:
    scheduler = AdvancedTaskScheduler()
    with pytest.raises(ValueError, match="no name in its module"):
        scheduler.register_task(TaskDefinition("x", "X", lambda: None, executor="process"))
    assert "x" not in scheduler.task_definitions
    scheduler.close()


def test_a_scheduler_that_was_not_started_says_so() -> None:
    scheduler = AdvancedTaskScheduler()
    assert scheduler.get_health_status()["started"] is False
    with scheduler.running():
        assert scheduler.get_health_status()["started"] is True
    scheduler.close()


def test_a_failure_leaves_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = AdvancedTaskScheduler()

    @scheduler.task(task_id="broken")
    def broken() -> None:
        raise OSError("the disk is full")

    execution_id = broken.schedule()
    with scheduler.running():
        scheduler.wait_for_task(execution_id, timeout=10)
    (line,) = [one.getMessage() for one in caplog.records if "failed" in one.getMessage()]
    assert line == f"execution {execution_id} of task broken failed: OSError: the disk is full"
    scheduler.close()


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "", 10**30, None, ["x"], 1.5])
def test_what_is_no_id_is_an_unknown_id(odd: Any, url: str) -> None:
    scheduler = AdvancedTaskScheduler(store=url)
    assert scheduler.get_task_status(odd) is None
    assert scheduler.cancel_task(odd) is False
    assert scheduler.remove_schedule(odd) is False
    with pytest.raises((KeyError, ValueError)):
        scheduler.wait_for_task(odd, timeout=0)
    scheduler.close()


@pytest.mark.parametrize("dots", [".", ".."])
def test_what_no_address_can_name_is_refused_as_an_id(dots: str) -> None:
    """Browsers and other clients take such a step out of a path, also if it is quoted."""
    scheduler = AdvancedTaskScheduler()
    with pytest.raises(ValueError, match=r"task_id=.* has no address"):
        scheduler.register_task(define(task_id=dots))
    scheduler.register_task(define(task_id=f"{dots}task"))
    with pytest.raises(ValueError, match=r"schedule_id=.* not '\.' or '\.\.'"):
        scheduler.create_schedule(f"{dots}task", IntervalTrigger(60), schedule_id=dots)
    with pytest.raises(ValueError, match=r"workflow_id=.* a text other than"):
        scheduler.schedule_workflow([f"{dots}task"], workflow_id=dots)
    assert not scheduler.get_schedules()
    assert not scheduler.executions()
    scheduler.close()
