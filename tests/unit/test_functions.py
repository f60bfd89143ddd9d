"""A function is found by its path, and asked what it is, before it ever runs."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from advanced_scheduler.errors import (
    InvalidTask,
)
from advanced_scheduler.functions import arity_of, home_of, path_of
from advanced_scheduler.registry import TaskRegistry
from tests.support.definitions import define, fetch, nothing, register


def numbers() -> Iterator[int]:
    yield 1


async def pages() -> AsyncIterator[int]:
    yield 1


class Callables:
    """What else can be called."""

    def method(self) -> None: ...

    async def coroutine(self) -> None: ...

    @classmethod
    def of_class(cls) -> None: ...

    @staticmethod
    async def of_nobody() -> None: ...

    async def __call__(self, a: int) -> None: ...


@pytest.mark.parametrize(
    ("path", "function", "canonical"),
    [
        ("json.dumps", json.dumps, "json:dumps"),
        ("json:dumps", json.dumps, "json:dumps"),
        ("json.decoder.JSONDecoder.decode", json.JSONDecoder.decode, None),
        ("json.decoder:JSONDecoder.decode", json.JSONDecoder.decode, None),
    ],
)
def test_a_path_is_imported_with_a_dot_or_a_colon(
    path: str, function: object, canonical: str | None
) -> None:
    task = register(path)
    assert task.function is function
    assert task.path == (canonical or "json.decoder:JSONDecoder.decode")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nosuchmodule.f", r"func_path='nosuchmodule.f': No module named 'nosuchmodule'; check"),
        ("nosuch.sub.f", "No module named 'nosuch'"),
        ("json.nosuch.f", "module 'json' has no attribute 'nosuch'"),
        ("json:nosuch", "module 'json' has no attribute 'nosuch'"),
        ("json.dumsp", "has no attribute 'dumsp'; did you mean 'dump' or 'dumps'"),
        ("json.decoder.JSONDecoder.nosuch", "no attribute 'nosuch'"),
        ("json.__name__", "is of type str, which cannot be called"),
        ("json", "is not the path of a function; write 'package.module.function'"),
        ("", "is not the path"),
        ("json.", "is not the path"),
        (".json.dumps", "is not the path"),
        ("json:", "is not the path"),
        ("json:a:b", "is not the path"),
        ("json.dumps()", "is not the path"),
        ("json dumps.x", "is not the path"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: str, words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        register(path)
    assert "task 'job': func_path=" in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words", "cause"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero", ZeroDivisionError),
        ("import sys; sys.exit(3)", "SystemExit: 3", SystemExit),
        ("import nosuchmodule", "No module named 'nosuchmodule'", ModuleNotFoundError),
        ("def f(:", "SyntaxError", SyntaxError),
        ("raise GeneratorExit", "GeneratorExit", GeneratorExit),
        (
            "class E(Exception):\n    def __str__(self): raise ValueError\nraise E",
            "exception str",
            Exception,
        ),
    ],
)
def test_an_import_that_raises_is_told_with_its_cause(
    module: Callable[[str], str], source: str, words: str, cause: type[BaseException]
) -> None:
    name = module(source)
    with pytest.raises(InvalidTask, match=f"importing '{name}' failed with .*{words}") as caught:
        register(f"{name}.f")
    assert isinstance(caught.value.__cause__, cause)


def test_ctrl_c_during_an_import_reaches_the_caller(module: Callable[[str], str]) -> None:
    name = module("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        register(f"{name}.f")


def test_an_attribute_that_raises_is_told(module: Callable[[str], str]) -> None:
    name = module("def __getattr__(name): raise RuntimeError('lazy')")
    with pytest.raises(InvalidTask, match="lazy"):
        register(f"{name}:f")


def test_a_failed_import_leaves_the_id_free(module: Callable[[str], str]) -> None:
    registry = TaskRegistry()
    with pytest.raises(InvalidTask):
        registry.register(define("nosuchmodule.f"))
    registry.register(define())


@pytest.mark.parametrize(
    "function",
    [
        fetch,
        Callables(),
        Callables().coroutine,
        Callables.of_nobody,
        functools.partial(fetch, "http://"),
        functools.partial(Callables(), 1),
        functools.partial(functools.partial(Callables().coroutine)),
    ],
)
def test_what_gives_a_coroutine_is_async(function: Callable[..., Any]) -> None:
    assert register(function).place == "loop"


@pytest.mark.parametrize(
    "function", [nothing, len, dict, Callables, Callables().method, lambda: None]
)
def test_what_gives_none_is_not_async(function: Callable[..., Any]) -> None:
    assert register(function).place == "thread"


@pytest.mark.parametrize("function", [numbers, pages, functools.partial(numbers)])
def test_generator_functions_are_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(InvalidTask, match="is a generator function"):
        register(function)


@pytest.mark.parametrize(
    ("function", "path"),
    [
        (json.dumps, "json:dumps"),
        (len, "builtins:len"),
        (Callables, f"{__name__}:Callables"),
        (Callables.of_class, f"{__name__}:Callables.of_class"),
        (Callables().method, None),
        (Callables(), None),
        (lambda: None, None),
        (functools.partial(nothing), None),
        ("".join, None),
    ],
)
def test_a_path_is_what_another_process_could_import(
    function: Callable[..., Any], path: str | None
) -> None:
    assert path_of(function) == path


def test_a_nested_function_has_no_path() -> None:
    def nested() -> None: ...

    assert register(nested).path is None


def test_the_names_that_scheduling_keeps_for_itself_are_refused() -> None:
    def one(options: int) -> None: ...
    def two(*, scheduled_time: int = 0) -> None: ...
    def free(options: int, /, **others: int) -> None: ...

    with pytest.raises(InvalidTask, match=r"parameter 'options'.*rename"):
        register(one)
    with pytest.raises(InvalidTask, match="parameter 'scheduled_time'"):
        register(two)
    assert register(free).bind((1,), {"options": 2}) == ((1,), {"options": 2})


def _plain(a: int, b: int = 0) -> None: ...
def _none() -> None: ...
def _any(a: int, *more: int) -> None: ...
def _keyword(a: int, *, b: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "right", "wrong"),
    [
        (_plain, [1, 2], [0, 3]),
        (_none, [0], [1]),
        (_any, [1, 2, 999], [0]),
        (_keyword, [], [0, 1, 2]),
    ],
)
def test_the_arity_says_with_how_many_positional_arguments_a_call_is_right(
    function: Callable[..., None], right: list[int], wrong: list[int]
) -> None:
    arity = arity_of(inspect.signature(function))
    assert all(number in arity for number in right)
    assert not any(number in arity for number in wrong)


def test_the_arity_of_a_function_without_a_signature_promises_nothing() -> None:
    assert len(arity_of(None)) == 0


def test_a_worker_calls_the_script_what_the_process_calls_it_that_was_started() -> None:
    def task() -> None: ...

    assert home_of(task) == __name__
    task.__module__ = "__mp_main__"
    assert home_of(task) == "__main__"
