"""What the store keeps of arguments and results, and what the function gets back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.arguments import Arguments
from advanced_scheduler.engine.commands import Commands
from advanced_scheduler.errors import InvalidArguments
from advanced_scheduler.models import ScheduleOptions
from tests.support.definitions import add, define, register
from tests.unit.engine.kit import faulty, parts


def arguments(*, as_json: bool, check: bool = False, limit: int = 1000) -> Arguments:
    return Arguments(as_json=as_json, check=check, limit_bytes=limit, result_limit=limit)


def point(where: tuple[int, int]) -> tuple[int, int]:
    """Needs a type that JSON does not have."""
    return where


def test_a_durable_store_keeps_json_and_the_function_gets_the_types_back() -> None:
    task, on_disk = register(point), arguments(as_json=True)
    args, kwargs = on_disk.store(task, ((1, 2),), {})
    assert args == ([1, 2],)
    assert on_disk.load(task, args, kwargs) == (((1, 2),), {})


def test_memory_keeps_any_object_as_it_is() -> None:
    task, in_memory, thing = register(point), arguments(as_json=False), object()
    args, _ = in_memory.store(task, (thing,), {})
    assert args[0] is thing
    assert in_memory.load(task, args, {})[0][0] is thing


def several(one: int, *rest: int, much: int = 0) -> None:
    """Takes whole numbers."""


@pytest.mark.parametrize(
    ("args", "kwargs", "place"),
    [
        (("a",), {}, 0),
        ((1, 2, "c"), {}, 2),
        ((1,), {"much": "more"}, "much"),
        ((), {}, "one"),
        ((1,), {"any": 1}, "any"),
    ],
)
def test_what_is_refused_is_named_by_its_place(
    args: tuple[Any, ...], kwargs: dict[str, Any], place: int | str
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        arguments(as_json=True).store(register(several), args, kwargs)
    assert refused.value.argument == place


def test_memory_can_be_as_strict_as_a_durable_store() -> None:
    task, strict = register(point), arguments(as_json=False, check=True)
    with pytest.raises(InvalidArguments, match="where"):
        strict.store(task, (object(),), {})
    assert strict.store(task, ((1, 2),), {}) == (((1, 2),), {})


def test_arguments_that_do_not_fit_are_refused_in_memory_too() -> None:
    with pytest.raises(InvalidArguments, match="'a'"):
        arguments(as_json=False).store(register(add), (), {})


def test_arguments_that_no_longer_fit_are_named() -> None:
    with pytest.raises(InvalidArguments):
        arguments(as_json=True).load(register(point), (["one"],), {})


def test_large_arguments_are_refused_and_large_results_leave_a_marker() -> None:
    small = arguments(as_json=True, limit=100)
    with pytest.raises(InvalidArguments, match="100"):
        small.store(register(lambda text: text), ("x" * 200,), {})
    assert small.result(None) is None
    assert small.result(5) == 5
    assert "x" * 200 not in str(small.result("x" * 200))


def test_another_function_under_the_same_id_has_its_own_types() -> None:
    on_disk = arguments(as_json=True)
    assert on_disk.load(register(point), ([1, 2],), {}) == (((1, 2),), {})
    assert on_disk.load(register(list), ([1, 2],), {}) == (([1, 2],), {})


def test_functions_of_tasks_that_are_gone_are_not_kept_for_ever(clock: ManualClock) -> None:
    made = parts(faulty().face, clock, strict_arguments=True)
    commands = Commands(made)

    def fresh() -> Callable[[int], Any]:
        return lambda number: number

    for number in range(20):
        commands.register(define(fresh(), task_id=f"passing {number}"))
        (one,) = commands.schedule(f"passing {number}", [((1,), {})], ScheduleOptions(), None)
        commands.cancel(one)
        commands.unregister(f"passing {number}")
    assert made.arguments._codecs == {}
