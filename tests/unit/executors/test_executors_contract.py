"""What holds wherever a function runs: on the loop, in a thread, in a process."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from advanced_scheduler.context import CURRENT
from advanced_scheduler.executors import (
    Call,
    Executor,
    LoopExecutor,
    Outcome,
    ProcessExecutor,
    ThreadExecutor,
)
from advanced_scheduler.faults import describe_error, describe_traceback
from advanced_scheduler.models import TaskPriority
from tests.unit.executors import bodies
from tests.unit.executors.calls import NOW, error_of, make_call, make_context, outcome_of, value_of


@dataclass(frozen=True)
class Place:
    """An executor, and how a plain function becomes one that it takes."""

    executor: Executor
    adapt: Callable[[Callable[..., Any]], Callable[..., Any]]

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Outcome:
        return outcome_of(self.executor, self.adapt(function), *args, **kwargs)

    def value(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return value_of(self.executor, self.adapt(function), *args, **kwargs)

    def error(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> BaseException:
        return error_of(self.executor, self.adapt(function), *args, **kwargs)


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@pytest.fixture(scope="module", params=["loop", "thread", "process"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    places = {
        "loop": lambda: Place(LoopExecutor(), bodies.on_loop),
        "thread": lambda: Place(ThreadExecutor(2), as_it_is),
        "process": lambda: Place(ProcessExecutor(2), as_it_is),
    }
    place = places[request.param]()
    place.executor.start()
    yield place
    place.executor.shutdown()


def test_a_function_is_called_with_its_arguments(place: Place) -> None:
    assert place.run(bodies.add, 1, b=2) == Outcome(3)


def test_a_coroutine_function_runs_anywhere(place: Place) -> None:
    assert value_of(place.executor, bodies.later, 5) == 5


def test_a_value_may_say_itself_what_it_comes_to(place: Place) -> None:
    assert place.value(bodies.judge, 3) == 3
    error = place.error(bodies.judge, -1)
    assert isinstance(error, LookupError)
    assert "a score of -1" in str(error)


def test_the_function_knows_which_execution_it_belongs_to(place: Place) -> None:
    assert place.value(bodies.who_am_i) == ["run-1", "job", 2, 3, "node-1", {}]
    assert CURRENT.get() is None


def test_the_function_can_read_the_results_of_its_dependencies(place: Place) -> None:
    context = make_context({"extract": [1, 2], "load": None})
    call = Call(place.adapt(bodies.who_am_i), (), {}, context)

    outcome = asyncio.run(place.executor.run(call))

    assert outcome.value[-1] == {"extract": [1, 2], "load": None}


def test_the_function_sees_all_of_its_execution_but_what_may_be_any_object(place: Place) -> None:
    fields: dict[str, Any] = {
        "timeout": 60.0,
        "tags": ("a", "b"),
        "priority": TaskPriority.HIGH,
        "workflow_id": "flow",
        "schedule_id": "nightly",
        "lease_until": NOW,
    }
    context = make_context(args=(object(),), metrics={"any": object()}, **fields)
    call = Call(place.adapt(bodies.own_fields), ([*fields],), {}, context)

    seen = asyncio.run(place.executor.run(call)).value

    assert seen == [str(value) for value in fields.values()]


def test_a_whole_number_will_do_as_a_timeout(place: Place) -> None:
    call = Call(place.adapt(bodies.who_am_i), (), {}, make_context(timeout=60))
    assert asyncio.run(place.executor.run(call)).error is None


def test_the_context_can_be_an_argument(place: Place) -> None:
    context = make_context()
    first = Call(place.adapt(bodies.with_context), (context, 7), {}, context)
    named = Call(place.adapt(bodies.with_named_context), (7,), {"context": context}, context)

    assert asyncio.run(place.executor.run(first)).value == ["job", 7, True]
    assert asyncio.run(place.executor.run(named)).value == ["job", 7]


@pytest.mark.parametrize("kind", bodies.BASE_EXCEPTIONS)
def test_an_exception_that_would_end_a_program_ends_only_the_task(
    place: Place, kind: type[BaseException]
) -> None:
    before = place.value(bodies.pid)
    error = place.error(bodies.fail, kind.__name__)

    assert isinstance(error, kind)
    assert not isinstance(error, Exception)
    assert describe_error(error) == f"{kind.__name__}: bad"
    assert place.value(bodies.pid) == before


@pytest.mark.parametrize("kind", ["ValueError", "OSError", "MemoryError"])
def test_an_exception_keeps_type_message_and_traceback(place: Place, kind: str) -> None:
    error = place.error(bodies.fail, kind, "no luck")

    assert isinstance(error, getattr(builtins, kind))
    assert describe_error(error) == f"{kind}: no luck"
    report = describe_traceback(error)
    assert "raise (error or getattr(" in report
    assert "executors/base.py" not in report
    assert f"{kind}: no luck" in report


def test_stop_iteration_fails_the_task_like_any_exception(place: Place) -> None:
    error = place.error(bodies.fail, "StopIteration")
    assert isinstance(error, StopIteration | RuntimeError)  # Python's choice in a coroutine


def test_endless_recursion_fails_the_task_alone(place: Place) -> None:
    assert isinstance(place.error(bodies.recurse), RecursionError)
    assert place.value(bodies.add, 1) == 1


def test_an_exception_that_cannot_say_what_it_is_fails_the_task(place: Place) -> None:
    assert describe_error(place.error(bodies.fail, "Mute")) == "Mute: <its __str__ failed>"


def test_it_starts_again_after_a_shutdown(place: Place) -> None:
    for _ in range(3):
        assert place.value(bodies.add, 2, 2) == 4
        place.executor.shutdown()
    place.executor.start()
    assert place.value(bodies.add, 2, 2) == 4


def test_many_calls_at_a_time_all_get_their_own_answers(place: Place) -> None:
    async def many() -> list[Outcome]:
        add = place.adapt(bodies.add)
        return await asyncio.gather(
            *(place.executor.run(make_call(add, number, 1)) for number in range(300))
        )

    assert [outcome.value for outcome in asyncio.run(many())] == [*range(1, 301)]
