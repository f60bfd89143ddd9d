"""How long a call may take, and what becomes of its thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from advanced_scheduler.locks.deadline import Deadline
from tests.support.waiting import eventually


@pytest.fixture
def deadline() -> Iterator[Deadline]:
    deadline = Deadline(0.05)
    yield deadline
    deadline.close()


@pytest.fixture
def patient() -> Iterator[Deadline]:
    deadline = Deadline(60)
    yield deadline
    deadline.close()


def test_calls_one_by_one_share_a_thread(patient: Deadline) -> None:
    threads = {patient.run(threading.get_ident) for _ in range(10)}

    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_a_call_that_takes_too_long_is_left_behind(deadline: Deadline) -> None:
    gate = threading.Event()
    with pytest.raises(TimeoutError):
        deadline.run(gate.wait)

    answers = []
    for _ in range(100):  # on a busy machine the shortest call may take too long
        try:
            answers.append(deadline.run(lambda: "answer"))
            break
        except TimeoutError:
            continue

    assert answers == ["answer"]
    gate.set()


def test_what_a_call_raises_is_raised(patient: Deadline) -> None:
    with pytest.raises(ZeroDivisionError):
        patient.run(lambda: 1 / 0)

    assert patient.run(lambda: "answer") == "answer"


def test_a_thread_without_work_ends(patient: Deadline) -> None:
    thread = patient.run(threading.current_thread)

    eventually(lambda: not thread.is_alive(), what="it ends by itself")

    assert patient.run(threading.current_thread) is not thread


def test_close_ends_the_threads(patient: Deadline) -> None:
    thread = patient.run(threading.current_thread)

    patient.close()

    assert patient.run(threading.current_thread) is not thread
    eventually(lambda: not thread.is_alive(), what="it ends")
