"""Whatever a task raises becomes text that any store takes."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Callable
from functools import partial

import pytest

from advanced_scheduler.faults import cleaned, describe_error, describe_traceback, type_name


class Failing(Exception):
    """Cannot even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Exiting(Exception):
    """Tries to take the process with it."""

    def __str__(self) -> str:
        raise SystemExit(1)


class Liar(type):
    """A metaclass without a name."""

    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


def raised(call: Callable[[], object]) -> BaseException:
    """What ``call`` raises, with its traceback."""
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def failing_task(message: str) -> None:
    """What any task may do."""
    raise ValueError(message)


def failing(error: BaseException) -> BaseException:
    """The error as a task leaves it."""

    def the_task() -> None:
        raise error

    return raised(the_task)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad value"), "ValueError: bad value"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
        (SystemExit(3), "SystemExit: 3"),
        (Failing(), "Failing: <its __str__ failed>"),
        (Exiting(), "Exiting: <its __str__ failed>"),
        (ValueError("a\0b\ud800c"), r"ValueError: a\x00b\ud800c"),
        (
            ExceptionGroup("two", [ValueError(), KeyError()]),
            "ExceptionGroup: two (2 sub-exceptions)",
        ),
    ],
)
def test_an_error_is_its_type_and_its_message(error: BaseException, text: str) -> None:
    assert describe_error(error) == text


def test_a_huge_message_is_clipped_and_says_by_how_much() -> None:
    text = describe_error(ValueError("x" * 1_000_000))
    kept, _, note = text.partition("... [")
    assert len(text) <= 4096
    assert note == f"{len('ValueError: ') + 1_000_000 - len(kept)} characters left out]"
    assert describe_error(ValueError("x" * 88), limit=100) == "ValueError: " + "x" * 88


def test_a_traceback_shows_the_way_the_line_and_the_message() -> None:
    text = describe_traceback(failing(ValueError("bad")))
    assert text.startswith("Traceback (most recent call last):")
    assert "in the_task" in text
    assert "raise error" in text
    assert text.endswith("ValueError: bad\n")


def test_causes_are_told_too() -> None:
    def chained() -> None:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error

    text = describe_traceback(raised(chained))
    assert "KeyError: 'first'" in text
    assert "direct cause" in text
    assert "ValueError: second" in text


def test_values_of_variables_are_not_told() -> None:
    def secretive() -> None:
        password = "hunter" + str(len("22"))
        raise ValueError(len(password))

    assert "hunter2" not in describe_traceback(raised(secretive))


def within_the_package(source: str) -> types.ModuleType:
    """A module that counts as one of ours."""
    module = types.ModuleType("advanced_scheduler.engine_for_a_test")
    exec(source, module.__dict__)
    return module


def test_the_frames_of_the_scheduler_that_lead_to_the_task_are_left_out() -> None:
    engine = within_the_package("def run(task):\n    return task()")
    error = raised(partial(engine.run, partial(failing_task, "bad")))
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without the frame of raised()
    text = describe_traceback(error)
    assert "in failing_task" in text
    assert "in run" not in text


def test_an_error_of_the_scheduler_itself_keeps_its_frames() -> None:
    engine = within_the_package("def run():\n    raise ValueError")
    error = raised(engine.run)
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next
    assert "in run" in describe_traceback(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Failing(), "Failing: <exception str() failed>"),
        (Exiting(), "Exiting: <exception str() failed>"),
        (ValueError("a\0\ud800"), r"a\x00\ud800"),
        (ValueError("x" * 1_000_000), "in the_task"),
    ],
)
def test_no_exception_is_too_nasty_for_a_traceback(error: BaseException, words: str) -> None:
    text = describe_traceback(failing(error))
    assert words in text
    assert len(text) < 10_000
    text.encode()


def test_of_a_long_traceback_the_end_is_kept() -> None:
    text = describe_traceback(failing(ValueError("y" * 500)), limit=300)
    assert len(text) <= 300
    assert "or more characters left out]" in text
    assert text.endswith("y\n")


def test_endless_recursion_has_a_short_traceback() -> None:
    def endless() -> None:
        endless()

    text = describe_traceback(raised(endless))
    assert "more times]" in text
    assert "RecursionError" in text
    assert len(text) < 10_000


def test_an_error_without_a_traceback_is_described_too() -> None:
    assert describe_traceback(ValueError("x")) == "ValueError: x\n"


def test_describing_keeps_nothing_of_the_task_alive() -> None:
    class Big:
        """Stands for a megabyte of locals."""

    seen: list[weakref.ref[Big]] = []

    def the_task() -> None:
        big = Big()
        seen.append(weakref.ref(big))
        raise ValueError

    error: BaseException | None = raised(the_task)
    assert error is not None
    before = sys.getrefcount(error)
    texts = describe_error(error), describe_traceback(error)
    assert sys.getrefcount(error) == before
    error = None
    gc.collect()
    assert all(texts)
    assert seen[0]() is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "int"),
        (None, "NoneType"),
        (Failing(), f"{__name__}.Failing"),
        (Liar("Nameless", (), {})(), "object"),
    ],
)
def test_a_type_has_a_name_whatever_it_says(value: object, name: str) -> None:
    assert type_name(value) == name


def test_clean_text_is_left_alone() -> None:
    assert cleaned("schön\n") == "schön\n"
