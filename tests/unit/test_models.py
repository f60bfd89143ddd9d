"""The nouns: what they refuse, and that copies change what they are told to and no more."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, asdict, fields, replace
from datetime import timedelta
from typing import Any, cast

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.models import (
    EXECUTION_FIELDS,
    NOTHING,
    RetryConfig,
    RetryStrategy,
    TaskDefinition,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    blank_of,
    task_key,
)
from tests.contract.rows import NOW, execution


def test_critical_comes_first() -> None:
    words = ["critical", "high", "normal", "low", "background"]
    assert [priority.word for priority in sorted(TaskPriority)] == words


def test_a_dependency_waits_for_completion_without_a_limit() -> None:
    dependency = TaskDependency("a")
    assert (dependency.dependency_type, dependency.timeout) == ("completion", None)


def test_the_key_of_a_dependency_is_the_run_or_else_the_next_one_of_the_task() -> None:
    assert TaskDependency("a", execution_id="e").key == "e"
    assert TaskDependency("a").key == task_key("a") == "task:a"


@pytest.mark.parametrize("kind", ["Success", "sucess", "", None])
def test_an_unknown_type_of_dependency_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="of the dependency on 'a' is unknown; use one of"):
        TaskDependency("a", kind)


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf])
def test_a_dependency_cannot_wait_for_no_time_or_for_ever(timeout: float) -> None:
    with pytest.raises(ValueError, match="must be more than 0 seconds, or None"):
        TaskDependency("a", timeout=timeout)


@pytest.mark.parametrize("timeout", ["5", True, [1], timedelta(1)])
def test_the_time_that_a_dependency_waits_is_a_number(timeout: Any) -> None:
    with pytest.raises(ValueError, match=r"timeout=.* of the dependency on 'a'"):
        TaskDependency("a", timeout=timeout)


def test_the_run_that_a_dependency_waits_for_is_named_by_its_id() -> None:
    with pytest.raises(ValueError, match=r"execution_id=7 of the dependency on 'a' is no id"):
        TaskDependency("a", execution_id=7)  # type: ignore[arg-type]


def test_the_defaults_of_a_retry_are_those_of_the_document() -> None:
    config = RetryConfig()
    assert (config.strategy, config.max_attempts) == (RetryStrategy.EXPONENTIAL, 3)
    assert (config.initial_delay, config.max_delay, config.backoff_multiplier) == (60, 3600, 2.0)
    assert config.jitter


def test_a_strategy_may_be_given_by_its_name() -> None:
    assert RetryConfig(strategy="linear").strategy is RetryStrategy.LINEAR  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'quadratic' is not a valid RetryStrategy"):
        RetryConfig(strategy="quadratic")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["initial_delay", "max_delay", "backoff_multiplier"])
@pytest.mark.parametrize("value", [-1, math.nan, "3", None, True, [3]])
def test_a_retry_takes_no_number_below_0_and_nothing_else_for_one(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}=.* of a RetryConfig must be a number"):
        RetryConfig(**{name: value})


@pytest.mark.parametrize("value", [-1, 1.5, 3.0, math.inf, math.nan, "3", None, True, [3]])
def test_a_retry_takes_whole_attempts(value: Any) -> None:
    with pytest.raises(ValueError, match=r"max_attempts=.* must be a whole number"):
        RetryConfig(max_attempts=value)


@pytest.mark.parametrize("name", ["retry_on", "give_up_on"])
@pytest.mark.parametrize("given", [OSError, [OSError], (OSError,), {OSError}])
def test_the_errors_of_a_retry_become_what_isinstance_takes(name: str, given: Any) -> None:
    assert getattr(RetryConfig(**{name: given}), name) == (OSError,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retry_on", "OSError"),
        ("retry_on", (OSError(),)),
        ("retry_on", None),
        ("give_up_on", [int]),
        ("jitter", 0.5),
        ("wait", 5),
        ("stop", tenacity.stop_after_attempt),
        ("retry", "always"),
    ],
)
def test_what_a_retry_could_not_use_later_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}=.* of a RetryConfig must be"):
        RetryConfig(**{name: value})


def test_a_definition_takes_the_defaults_of_the_document() -> None:
    task = TaskDefinition("t", "T", "pkg.mod.func")
    assert (task.priority, task.args, task.kwargs) == (TaskPriority.NORMAL, (), {})
    assert (task.retry_config, task.dependencies, task.tags) == (None, (), ())
    assert (task.require_lock, task.lock_timeout, task.timeout) == (False, 300, None)


def test_two_definitions_share_no_arguments() -> None:
    assert TaskDefinition("t", "T", "m.f").kwargs is not TaskDefinition("t", "T", "m.f").kwargs


def test_an_execution_is_due_when_it_was_scheduled_unless_it_was_put_off() -> None:
    row = execution("e")
    assert row.due == row.scheduled_time == NOW
    later = NOW + timedelta(hours=1)
    assert execution("e", due_time=later).due == later


def test_nothing_of_an_execution_can_be_assigned() -> None:
    row = execution("e")
    with pytest.raises(FrozenInstanceError):
        row.status = TaskStatus.RUNNING  # type: ignore[misc]
    assert not hasattr(row, "__dict__")


CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(TaskStatus),
    "priority": st.sampled_from(TaskPriority),
    "due_time": st.none() | st.just(NOW),
    "result": st.none() | st.integers() | st.lists(st.integers()),
    "attempt": st.integers(),
    "blocked_by": st.frozensets(st.text(max_size=3)),
    "reason": st.none() | st.text(),
}


@given(st.fixed_dictionaries({}, optional=CHANGES))
def test_a_copy_with_changes_is_what_dataclasses_would_make(changes: dict[str, Any]) -> None:
    row = execution("e", args=(1, [2]), kwargs={"k": 3}, error="x", workflow_id="w")
    before = replace(row)
    copy = row.with_changes(changes)
    assert type(copy) is TaskExecution
    assert copy is not row
    assert copy == replace(row, **changes)
    assert row == before


def test_a_change_of_a_field_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(AttributeError):
        execution("e").with_changes({"sttaus": TaskStatus.RUNNING})


def test_what_executions_share_cannot_be_changed() -> None:
    row = blank_of(TaskDefinition("t", "T", print)).with_changes({"execution_id": "e"})
    for shared in (row.kwargs, row.metrics, row.extras):
        assert shared == {}
        assert asdict(row)["metrics"] == {}
        with pytest.raises(TypeError, match="read-only"):
            cast(dict[str, int], shared)["a"] = 1
        with pytest.raises(TypeError, match="read-only"):
            cast(dict[str, int], shared).update(a=1)
    assert NOTHING == {}


def test_the_list_of_fields_is_complete() -> None:
    assert [item.name for item in fields(TaskExecution)] == list(EXECUTION_FIELDS)
