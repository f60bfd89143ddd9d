"""Ids of executions: UUID version 7, strictly increasing, never the same."""

from __future__ import annotations

import os
import random
import threading
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advanced_scheduler.engine.ids import ExecutionIds
from tests.unit.engine.kit import NOW


def milliseconds(made: str) -> int:
    return UUID(made).int >> 80


def test_an_id_is_a_uuid_of_version_7_that_says_when_it_was_made() -> None:
    made = ExecutionIds().make(NOW)
    assert (UUID(made).version, UUID(made).variant) == (7, RFC_4122)
    assert str(UUID(made)) == made
    assert milliseconds(made) == NOW.timestamp() * 1000


def test_one_instant_gives_as_many_ids_as_are_asked_for_in_order() -> None:
    ids = ExecutionIds()
    made = [ids.make(NOW) for _ in range(10_000)]
    assert made == sorted(set(made))


@given(st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)), max_size=50))  # noqa: DTZ001
def test_ids_increase_whatever_the_clock_does(times: list[datetime]) -> None:
    ids = ExecutionIds()
    made = [ids.make(one.replace(tzinfo=UTC)) for one in times]
    assert made == sorted(set(made))


def test_a_clock_that_went_back_is_followed_again_once_it_has_caught_up() -> None:
    ids = ExecutionIds()
    ids.make(NOW)
    early = ids.make(NOW - timedelta(days=1))
    later = ids.make(NOW + timedelta(seconds=1))
    assert milliseconds(early) == NOW.timestamp() * 1000
    assert milliseconds(later) == (NOW.timestamp() + 1) * 1000


def test_threads_never_get_the_same_id() -> None:
    ids, made = ExecutionIds(), [[] for _ in range(4)]  # type: tuple[ExecutionIds, list[list[str]]]
    threads = [
        threading.Thread(target=lambda one=one: one.extend(ids.make(NOW) for _ in range(2000)))
        for one in made
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len({one for some in made for one in some}) == 8000


def test_a_seed_makes_the_same_ids_again() -> None:
    first, second = (ExecutionIds(random.Random(7)).make(NOW) for _ in range(2))
    assert first == second
    assert ExecutionIds().make(NOW) != ExecutionIds().make(NOW)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    ids = ExecutionIds()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, ids.make(NOW).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as theirs:
        assert theirs.read() != ids.make(NOW)
