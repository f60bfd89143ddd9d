"""Document 000, what it leaves to expect: any callable, and bad input."""

from __future__ import annotations

import functools
import gc
import inspect
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from advanced_scheduler import (
    ExecutionNotFound,
    InvalidArguments,
    InvalidTask,
)
from advanced_scheduler.adapters import manager
from advanced_scheduler.adapters.manager import (
    SchedulerManager,
    clear_completed_tasks,
    get_all_tasks,
    get_scheduler_manager,
    schedule_task,
    start_scheduler,
    stop_scheduler,
    wait_for_task,
)
from tests.requirements.document_000 import (
    PATIENCE,
    process_file,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("fresh")


# --- Any callable ---------------------------------------------------------------------------------


class Converter:
    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def convert(self, name: str) -> str:
        return name + self.suffix

    def __call__(self, name: str) -> str:
        return self.convert(name)


async def in_a_coroutine(name: str) -> str:
    return f"{name} in a coroutine"


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (lambda name: f"{name} in a lambda", "x in a lambda"),
        (functools.partial("{} {}".format, "partly"), "partly x"),
        (Converter("-a").convert, "x-a"),
        (Converter("-b").convert, "x-b"),
        (Converter("-c"), "x-c"),
        (in_a_coroutine, "x in a coroutine"),
        (len, 1),
        (str.upper, "X"),
    ],
)
def test_anything_that_can_be_called_is_a_task(function: Callable[[str], Any], result: Any) -> None:
    assert wait_for_task(schedule_task(function, "x"), PATIENCE) == result


def test_functions_of_one_name_are_not_taken_for_each_other() -> None:
    stop_scheduler()
    ids = [schedule_task(lambda n=n: n) for n in range(20)]
    start_scheduler()
    assert [wait_for_task(one, PATIENCE) for one in ids] == list(range(20))


def test_functions_are_let_go_once_they_have_run() -> None:
    known = get_scheduler_manager().scheduler.task_definitions
    refused = Converter("").convert
    with pytest.raises(InvalidArguments):
        schedule_task(refused, "too", "many")
    converters = [Converter(str(n)) for n in range(20)]
    for one in converters:
        assert wait_for_task(schedule_task(one.convert, "x"), PATIENCE) == f"x{one.suffix}"
    wait_for_task(schedule_task(process_file, "stays"), PATIENCE)
    eventually(lambda: len(known) == 1)
    assert [one.func_path for one in known.values()] == [process_file]
    clear_completed_tasks()
    gone = [weakref.ref(one) for one in converters]
    del converters, one

    def all_gone() -> bool:
        gc.collect()
        return all(ref() is None for ref in gone)

    eventually(all_gone)


def test_a_function_that_many_schedule_at_once_stays_until_the_last_has_run() -> None:
    def double(n: int) -> int:
        return 2 * n

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda n: schedule_task(double, n), range(200)))
    assert [wait_for_task(one, PATIENCE) for one in ids] == [2 * n for n in range(200)]
    eventually(lambda: not get_scheduler_manager().scheduler.task_definitions)


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": "high"}, "priority='high' must be a whole number from -1000 to 1000"),
        ({"priority": 1001}, "priority=1001 must be a whole number"),
        ({"priority": True}, "priority=True must be a whole number"),
        ({"priority": 1.5}, "priority=1.5 must be a whole number"),
        ({"callback": "print"}, "callback='print' cannot be called"),
        ({"callback": lambda task_id: None}, "callback=.*must take .task_id, success, result_or"),
        ({"callback": in_a_coroutine}, "callback=.*in_a_coroutine is a coroutine function"),
        ({"callback": functools.partial(in_a_coroutine, "x")}, "is a coroutine function"),
        ({"dependencies": "other_task_id"}, "dependencies='other_task_id' must be a list"),
        ({"dependencies": 7}, "dependencies=7 must be a list of task ids"),
        ({"nothing": 1}, "unexpected keyword argument 'nothing'"),
        ({"options": 1}, "'options' cannot be the name of an argument"),
    ],
)
def test_bad_options_are_refused_and_nothing_is_scheduled(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments, match=message):
        schedule_task(process_file, "file.mp4", **options)
    assert get_all_tasks() == {}


def test_a_dependency_that_was_never_scheduled_is_refused() -> None:
    with pytest.raises(ExecutionNotFound, match="there is no task 'other_task_id'"):
        schedule_task(process_file, "file.mp4", dependencies=["other_task_id"])
    assert get_all_tasks() == {}


@pytest.mark.parametrize("name", ["priority", "dependencies", "callback", "executor_id"])
def test_a_function_with_a_parameter_of_our_name_is_refused(name: str) -> None:
    function = eval(f"lambda {name}=None: {name}")
    with pytest.raises(InvalidTask, match=f"has a parameter '{name}'.*rename the parameter"):
        schedule_task(function)
    assert get_all_tasks() == {}


@pytest.mark.parametrize("function", [None, 7, "tests.requirements.document_000.process_file"])
def test_what_cannot_be_called_is_refused(function: Any) -> None:
    with pytest.raises(InvalidArguments, match="cannot be called; give a function"):
        schedule_task(function)


# --- Functions and methods ------------------------------------------------------------------------


def test_the_functions_are_the_methods_of_the_manager() -> None:
    methods = vars(SchedulerManager).keys() & set(manager.__all__)
    assert len(methods) == 11
    for name in methods:
        of_method = inspect.signature(getattr(get_scheduler_manager(), name))
        assert inspect.signature(getattr(manager, name)) == of_method
