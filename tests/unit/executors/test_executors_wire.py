"""What can travel to a process and back, and what becomes of the rest."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from advanced_scheduler.errors import InvalidArguments, InvalidTask, RemoteError
from advanced_scheduler.executors import ProcessExecutor
from advanced_scheduler.faults import describe_error, describe_traceback
from tests.support.definitions import write_module
from tests.unit.executors import bodies
from tests.unit.executors.calls import error_of, value_of

LIMIT = 1000


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessExecutor]:
    processes = ProcessExecutor(1, result_limit_bytes=LIMIT)
    yield processes
    processes.shutdown()


def test_arguments_are_rebuilt_to_the_annotated_types(processes: ProcessExecutor) -> None:
    when = datetime(2030, 1, 1, tzinfo=UTC)
    assert value_of(processes, bodies.day_after, when) == ["datetime", 2]
    assert value_of(processes, bodies.day_after, when=when) == ["datetime", 2]


def test_arguments_of_any_size_travel(processes: ProcessExecutor) -> None:
    assert value_of(processes, len, "x" * 3_000_000) == 3_000_000


def test_an_argument_that_cannot_travel_is_an_error_that_names_it(
    processes: ProcessExecutor,
) -> None:
    error = error_of(processes, bodies.echo, object())
    assert isinstance(error, InvalidArguments)
    assert "'value'" in str(error)


@pytest.mark.parametrize(
    "function", [bodies.nameless, functools.partial(bodies.add, 1), lambda: None]
)
def test_a_function_without_a_name_is_refused(
    processes: ProcessExecutor, function: Callable[..., Any]
) -> None:
    with pytest.raises(InvalidTask, match="cannot run in a process"):
        raise error_of(processes, function)


def test_a_module_that_cannot_be_imported_there_is_an_error(
    processes: ProcessExecutor,
) -> None:
    def gone() -> None: ...

    gone.__module__, gone.__qualname__ = "no_such_module", "gone"
    error = error_of(processes, gone)
    assert isinstance(error, InvalidTask)
    assert "no_such_module" in str(error)


def test_modules_are_found_where_the_scheduler_finds_them_now(
    processes: ProcessExecutor, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    value_of(processes, bodies.pid)  # the worker runs already
    name = write_module(tmp_path, monkeypatch, "def answer(): return 42")
    answer = __import__(name).answer
    assert value_of(processes, answer) == 42


def test_a_result_over_the_limit_leaves_a_marker(processes: ProcessExecutor) -> None:
    marker = value_of(processes, bodies.text_of, 100_000_000)["__not_stored__"]
    assert (marker["type"], marker["size"]) == ("str", 100_000_000)


def test_a_result_that_is_no_json_leaves_a_marker(processes: ProcessExecutor) -> None:
    assert value_of(processes, bodies.something)["__not_stored__"]["type"] == "object"


@pytest.mark.parametrize("text", ["", "ä" * 300, "nul \0", "line\nline\u2028"])
def test_texts_come_back_as_they_were(processes: ProcessExecutor, text: str) -> None:
    assert value_of(processes, bodies.echo, text) == text


def test_a_result_that_is_no_utf_8_leaves_a_marker(processes: ProcessExecutor) -> None:
    marker = value_of(processes, bodies.half_a_pair)["__not_stored__"]
    assert marker["type"] == "str"


def test_an_error_is_known_by_its_type_here_too(processes: ProcessExecutor) -> None:
    error = error_of(processes, bodies.fail, "Unlucky", "seven")

    assert isinstance(error, bodies.Unlucky)
    assert isinstance(error, RemoteError)
    assert (error.type_name, error.message) == ("Unlucky", "seven")
    assert "in fail" in error.traceback_text
    assert describe_error(error) == "Unlucky: seven"
    assert "In the worker process:\nTraceback" in describe_traceback(error)


def test_an_error_is_rebuilt_without_calling_code_of_its_type(
    processes: ProcessExecutor,
) -> None:
    error = error_of(processes, bodies.fail, "Awkward", "hard")

    assert isinstance(error, bodies.Awkward)
    assert describe_error(error) == "Awkward: b'hard'"


def test_an_error_that_cannot_be_rebuilt_keeps_its_name_and_message(
    processes: ProcessExecutor,
) -> None:
    error = error_of(processes, bodies.fail_twice)

    assert type(error) is RemoteError
    assert (error.type_name, error.message) == ("ExceptionGroup", "both (2 sub-exceptions)")
    assert describe_error(error) == "RemoteError: ExceptionGroup: both (2 sub-exceptions)"


def test_a_long_message_is_cut(processes: ProcessExecutor) -> None:
    error = error_of(processes, bodies.fail, "ValueError", "x" * 1_000_000)
    assert len(str(error)) < 5000
