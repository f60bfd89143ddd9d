"""The arguments of a call are checked before they are stored, and completed when it runs."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Optional

import pytest

from advanced_scheduler.context import TaskContext
from advanced_scheduler.errors import (
    InvalidArguments,
    InvalidTask,
)
from advanced_scheduler.models import (
    TaskExecution,
)
from tests.support.definitions import add, fetch, nothing, register

if TYPE_CHECKING:
    from advanced_scheduler.context import TaskContext as Unseen

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def context() -> TaskContext:
    execution = TaskExecution(execution_id="e", task_id="job", task_name="Job", scheduled_time=NOON)
    return TaskContext(execution=execution, node="n", started=NOON)


def test_arguments_of_the_call_replace_positionals_and_override_names() -> None:
    def f(*args: int, **kwargs: int) -> None: ...

    task = register(f, args=[1, 2], kwargs={"a": 1, "b": 2})
    assert task.bind((), {}) == ((1, 2), {"a": 1, "b": 2})
    assert task.bind((3,), {}) == ((3,), {"a": 1, "b": 2})
    assert task.bind((), {"b": 3, "c": 4}) == ((1, 2), {"a": 1, "b": 3, "c": 4})


def test_every_call_gets_keywords_of_its_own() -> None:
    task = register(add, kwargs={"a": 1})
    task.bind((), {})[1]["a"] = 9
    assert task.bind((), {}) == ((), {"a": 1})


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"c": 1}, "unexpected keyword argument 'c'"),
        ((1,), {"a": 1}, "multiple values for argument 'a'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_the_signature(
    args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArguments, match=words) as caught:
        register(add).bind(args, kwargs)
    assert "task 'job' cannot take these arguments" in str(caught.value)
    assert f"{add.__module__}:add(a: int, b: int = 2) -> int" in str(caught.value)


def test_arguments_of_a_definition_may_be_incomplete_but_not_wrong() -> None:
    task = register(add, kwargs={"b": 1})
    assert task.bind((), {"a": 5}) == ((), {"b": 1, "a": 5})
    with pytest.raises(InvalidArguments, match="missing a required argument: 'a'"):
        task.bind((), {})
    with pytest.raises(InvalidArguments, match="unexpected keyword argument 'c'"):
        register(add, kwargs={"c": 1})
    with pytest.raises(InvalidArguments, match="too many positional"):
        register(nothing, args=(1,))


def test_without_a_signature_arguments_are_not_checked() -> None:
    class Opaque:
        __signature__ = "none"

        def __call__(self) -> None: ...

    task = register(Opaque())
    assert task.signature is None
    assert task.bind((1,), {"x": 2}) == ((1,), {"x": 2})
    assert task.bind((), {}) == ((), {})


def test_a_signature_that_cannot_be_shown_still_refuses() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    hostile = Hostile()

    def f(a: int, b: object = hostile) -> None: ...
    def g(a: int, b: str = "x" * 9999) -> None: ...

    with pytest.raises(InvalidArguments, match="missing"):
        register(f).bind((), {})
    with pytest.raises(InvalidArguments) as caught:
        register(g).bind((), {})
    assert len(str(caught.value)) < 1000


# --- the context -----------------------------------------------------------------------------


def by_position(ctx: TaskContext, a: int = 0) -> Any:
    return ctx, a


def in_the_middle(a: int, ctx: TaskContext, *rest: int) -> Any:
    return a, ctx, rest


def by_keyword(*, ctx: TaskContext) -> Any:
    return ctx


def optional(ctx: Optional[TaskContext] = None, **others: Any) -> Any:  # noqa: UP045
    return ctx, others


def behind_type_checking(a: int, ctx: Unseen) -> None: ...


class WantsContext:
    """A callable object."""

    def __call__(self, ctx: TaskContext) -> Any:
        return ctx


@pytest.mark.parametrize(
    "function",
    [
        by_position,
        in_the_middle,
        by_keyword,
        optional,
        WantsContext(),
        functools.partial(in_the_middle, 1),
    ],
)
def test_the_context_parameter_is_found_by_its_annotation(function: Callable[..., Any]) -> None:
    task = register(function)
    assert task.context_parameter == "ctx"
    assert task.signature is not None
    assert "ctx" not in task.signature.parameters


@pytest.mark.parametrize(
    "text", ["TaskContext", "sched.TaskContext", "TaskContext | None", "Optional[TaskContext]"]
)
def test_a_context_that_only_type_checkers_import_is_known_by_its_text(text: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def f(a: 'Unknown', it: {text!r}): ...", namespace)
    assert register(namespace["f"]).context_parameter == "it"


def test_an_annotation_that_nobody_can_evaluate_is_no_context() -> None:
    assert register(behind_type_checking).context_parameter is None


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (by_position, (), {}),
        (by_position, (5,), {}),
        (by_position, (), {"a": 5}),
        (in_the_middle, (5,), {}),
        (in_the_middle, (5, 6, 7), {}),
        (in_the_middle, (), {"a": 5}),
        (by_keyword, (), {}),
        (optional, (), {"x": 1}),
    ],
)
def test_the_context_arrives_where_the_function_wants_it(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    task, given = register(function), context()
    bound = task.bind(args, kwargs)
    full_args, full_kwargs = task.with_context(*bound, given)
    answer = function(*full_args, **full_kwargs)
    parts = answer if isinstance(answer, tuple) else (answer,)
    assert any(part is given for part in parts)
    assert [part for part in parts if part is not given] == {
        by_position: [5 if args or kwargs else 0],
        in_the_middle: [5, args[1:]],
        by_keyword: [],
        optional: [kwargs],
    }[function]


def test_a_function_that_wants_no_context_gets_none() -> None:
    assert register(add).with_context((1,), {"b": 2}, context()) == ((1,), {"b": 2})


def test_nobody_else_may_pass_the_context() -> None:
    with pytest.raises(InvalidArguments, match="'ctx' is the TaskContext"):
        register(optional).bind((), {"ctx": 1})


def test_a_context_that_cannot_be_passed_is_refused() -> None:
    def positional_only(ctx: TaskContext, /) -> None: ...
    def two(a: TaskContext, b: TaskContext) -> None: ...

    with pytest.raises(InvalidTask, match="passed by keyword"):
        register(positional_only)
    with pytest.raises(InvalidTask, match="only one of a, b can be the TaskContext"):
        register(two)


def test_an_async_task_runs_with_its_bound_arguments() -> None:
    task = register(fetch, args=("http://x",))
    args, kwargs = task.bind((), {})
    assert asyncio.run(task.function(*args, **kwargs)) == "http://x"
