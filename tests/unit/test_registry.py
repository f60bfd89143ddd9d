"""Definitions are checked when they are registered, and found by their ids."""

from __future__ import annotations

import functools
import gc
import math
import sys
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from advanced_scheduler.definitions import definition_for
from advanced_scheduler.errors import (
    InvalidTask,
    TaskAlreadyRegistered,
    TaskNotRegistered,
)
from advanced_scheduler.models import (
    RetryConfig,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)
from advanced_scheduler.registry import RegisteredTask, TaskRegistry
from tests.support.definitions import add, define, nothing, register


class Callables:
    """What has no name of its own."""

    def method(self) -> None: ...

    def __call__(self) -> None: ...


def test_what_was_registered_is_found_by_its_id() -> None:
    registry = TaskRegistry()
    task = registry.register(define(add, task_id="sum"))
    assert registry.get("sum") is task
    assert task.function is add
    assert "sum" in registry
    assert list(registry) == ["sum"]
    assert len(registry) == 1


def test_definitions_are_a_live_view_that_nobody_can_write() -> None:
    registry = TaskRegistry()
    view = registry.definitions
    task = registry.register(define())
    assert view["job"] is task.definition
    registry.unregister("job")
    assert dict(view) == {}
    with pytest.raises(TypeError):
        view["job"] = task.definition  # type: ignore[index]


def test_a_second_task_under_the_same_id_is_refused_and_the_first_stays() -> None:
    registry = TaskRegistry()
    first = registry.register(define(nothing))
    with pytest.raises(TaskAlreadyRegistered, match=r"'job' is already registered"):
        registry.register(define(add))
    assert registry.get("job") is first


def test_a_duplicate_is_refused_before_its_module_is_imported(
    module: Callable[[str], str],
) -> None:
    registry, name = TaskRegistry(), module("def f(): ...")
    registry.register(define())
    with pytest.raises(TaskAlreadyRegistered):
        registry.register(define(f"{name}:f"))
    assert name not in sys.modules


def test_an_unknown_id_is_named_together_with_similar_ones() -> None:
    registry = TaskRegistry()
    registry.register(define(task_id="send_mail"))
    with pytest.raises(TaskNotRegistered) as caught:
        registry.get("send_mial")
    text = str(caught.value)
    assert "task 'send_mial' is not registered" in text
    assert "register_task()" in text
    assert "did you mean 'send_mail'?" in text
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, KeyError)


def test_what_is_no_id_at_all_is_not_registered_either() -> None:
    with pytest.raises(TaskNotRegistered, match="not registered"):
        TaskRegistry().get(["job"])  # type: ignore[arg-type]


def test_unregistering_answers_the_definition_and_frees_the_id() -> None:
    registry = TaskRegistry()
    task = registry.register(define())
    assert registry.unregister("job") is task.definition
    assert "job" not in registry
    assert registry.register(define(add)).function is add


def test_unregistering_an_unknown_id_is_an_error() -> None:
    with pytest.raises(TaskNotRegistered):
        TaskRegistry().unregister("job")


def test_of_many_threads_that_register_one_id_exactly_one_succeeds() -> None:
    registry, start = TaskRegistry(), threading.Barrier(8)
    won: list[RegisteredTask] = []
    refused: list[Exception] = []

    def race() -> None:
        start.wait()
        try:
            won.append(registry.register(define()))
        except TaskAlreadyRegistered as error:
            refused.append(error)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [registry.get("job")] == won
    assert len(refused) == 7


def test_a_slow_import_holds_up_nobody_else(module: Callable[[str], str]) -> None:
    gate = threading.Event()
    sys.modules["gate_of_slow_import"] = gate  # type: ignore[assignment]
    name = module("import gate_of_slow_import as gate\ngate.wait()\ndef f(): ...")
    registry = TaskRegistry()
    slow = threading.Thread(target=registry.register, args=[define(f"{name}.f", task_id="slow")])
    slow.start()
    try:
        registry.register(define(task_id="quick"))
        assert list(registry) == ["quick"]
    finally:
        gate.set()
        slow.join()
        del sys.modules["gate_of_slow_import"]
    assert list(registry) == ["quick", "slow"]


# --- the definition --------------------------------------------------------------------------


def test_the_kept_definition_is_normalised() -> None:
    kwargs = {"b": 3}
    definition = register(
        add,
        priority="high",
        args=[1],
        kwargs=kwargs,
        dependencies=["a", TaskDependency("b", "success")],
        tags=["x"],
    ).definition
    kwargs["b"] = 4
    assert definition.priority is TaskPriority.HIGH
    assert definition.args == (1,)
    assert definition.kwargs == {"b": 3}
    assert definition.dependencies == (TaskDependency("a"), TaskDependency("b", "success"))
    assert definition.tags == ("x",)
    with pytest.raises(TypeError):
        definition.kwargs["b"] = 5  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (0, TaskPriority.CRITICAL),
        (TaskPriority.LOW, TaskPriority.LOW),
        ("BACKGROUND", TaskPriority.BACKGROUND),
        (" normal ", TaskPriority.NORMAL),
    ],
)
def test_a_priority_may_be_a_member_its_number_or_its_name(
    given: object, meant: TaskPriority
) -> None:
    assert register(priority=given).definition.priority is meant


def test_one_task_may_be_awaited_in_two_ways() -> None:
    both = (TaskDependency("a", "success"), TaskDependency("a", "failure"))
    assert register(dependencies=both).definition.dependencies == both


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"task_id": ""}, "task_id must be a text"),
        ({"task_id": "  "}, "task_id must be a text"),
        ({"task_id": 7}, "not 7"),
        ({"task_id": "x" * 201}, "201 characters; 200"),
        ({"task_id": "a\nb"}, r"control character.*'a\\nb'"),
        ({"task_id": "a\0b"}, "control character"),
        ({"task_id": "\ud800"}, "surrogate"),
        ({"task_name": None}, "task_name of task 'job' must be a text"),
        ({"priority": 5}, r"priority 5 of task 'job' is unknown; use one of CRITICAL \(0\)"),
        ({"priority": "urgent"}, "priority 'urgent'"),
        ({"priority": True}, "priority True"),
        ({"priority": None}, "priority None"),
        ({"args": "abc"}, "args of task 'job' must be a list or tuple, not 'abc'"),
        ({"args": 1}, "args of task 'job'"),
        ({"kwargs": [1]}, "kwargs of task 'job' must be a dict"),
        ({"kwargs": {1: 2}}, "texts as keys"),
        ({"retry_config": 3}, "retry_config=3 .* must be a RetryConfig"),
        ({"dependencies": "other"}, "dependencies of task 'job' must be a list"),
        ({"dependencies": [1]}, "must be a TaskDependency or a task id, not 1"),
        ({"dependencies": [""]}, "a dependency of task 'job'"),
        ({"dependencies": ["a", TaskDependency("a")]}, "on the completion of 'a' is given twice"),
        ({"require_lock": "yes"}, "require_lock='yes'"),
        ({"at_most_once": 1}, "at_most_once=1"),
        ({"lock_timeout": 0}, "lock_timeout of task 'job' must be more than 0 seconds, not 0"),
        ({"lock_timeout": -1}, "not -1"),
        ({"lock_timeout": math.nan}, "not nan"),
        ({"lock_timeout": math.inf}, "not inf"),
        ({"lock_timeout": True}, "not True"),
        ({"lock_timeout": None}, "not None"),
        ({"lock_timeout": "5"}, "not '5'"),
        ({"timeout": 0}, r"timeout of task 'job' must be .* \(or None for no limit\), not 0"),
        ({"timeout": False}, "not False"),
        ({"tags": "abc"}, "tags of task 'job' must be a list"),
        ({"tags": [1]}, "a tag of task 'job' must be a text"),
        ({"executor": "gpu"}, "executor='gpu' .* use one of auto, thread, process"),
        ({"func_path": None}, "must be a dotted path or a callable"),
        ({"func_path": 12}, "func_path=12"),
    ],
)
def test_a_definition_that_cannot_work_is_refused(fields: dict[str, Any], words: str) -> None:
    registry = TaskRegistry()
    with pytest.raises(InvalidTask, match=words):
        registry.register(define(**fields))
    assert len(registry) == 0


def test_a_definition_with_every_field_set_passes() -> None:
    fields: dict[str, Any] = {
        "retry_config": RetryConfig(),
        "timeout": 0.5,
        "lock_timeout": 1,
        "tags": {"t"},
    }
    assert register(executor="thread", require_lock=True, **fields).definition.timeout == 0.5


def test_what_is_no_definition_is_refused() -> None:
    with pytest.raises(InvalidTask, match="is not a TaskDefinition"):
        TaskRegistry().register({"task_id": "job"})  # type: ignore[arg-type]


# --- definitions of callables ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "task_id", "task_name"),
    [
        (add, f"{add.__module__}.add", "add"),
        (Callables().method, f"{__name__}.Callables.method", "method"),
        (functools.partial(add, 1), f"{add.__module__}.add", "add"),
        (Callables(), f"{__name__}.Callables.__call__", "__call__"),
        (len, "builtins.len", "len"),
    ],
)
def test_a_callable_without_a_definition_is_named_after_itself(
    function: Callable[..., Any], task_id: str, task_name: str
) -> None:
    definition = definition_for(function)
    assert (definition.task_id, definition.task_name) == (task_id, task_name)
    assert TaskRegistry().register(definition).function is function


def test_a_lambda_can_be_registered_too() -> None:
    assert TaskRegistry().register(definition_for(lambda: 7)).function() == 7


def test_what_cannot_be_called_has_no_definition() -> None:
    with pytest.raises(InvalidTask, match="5 is neither a task id nor a callable"):
        definition_for(5)  # type: ignore[arg-type]


def test_an_unregistered_function_is_let_go() -> None:
    registry = TaskRegistry()
    gone = threading.Event()

    class Callback:
        def __call__(self) -> None: ...
        def __del__(self) -> None:
            gone.set()

    registry.register(define(Callback()))
    registry.unregister("job")
    gc.collect()
    assert gone.is_set()


class Name(str, Enum):  # noqa: UP042  # unlike a StrEnum it shows its own name
    UP = "up"
    DOWN = "down"


def test_ids_that_are_members_of_an_enum_are_kept_as_the_texts_that_they_are() -> None:
    kept = TaskRegistry().register(
        TaskDefinition(Name.DOWN, Name.DOWN, print, dependencies=[TaskDependency(Name.UP)])
    )
    definition = kept.definition
    texts = [definition.task_id, definition.task_name, definition.dependencies[0].task_id]
    assert [(type(one), f"{one}") for one in texts] == [(str, "down"), (str, "down"), (str, "up")]
