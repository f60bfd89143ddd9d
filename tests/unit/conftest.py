"""Owns the fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from tests.support.coroutines import pytest_pyfunc_call  # noqa: F401
from tests.support.definitions import write_module
from tests.unit.engine.kit import scheduler as make
from tests.unit.executors.fifo import Fifo


@pytest.fixture
def target(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler in memory that was not started."""
    made = make(clock=clock)
    yield made
    made.close()


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    """A pipe whose other end processes hold."""
    with closing(Fifo(tmp_path / "fifo")) as fifo:
        yield fifo


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes source to a module that can be imported, and answers its name."""
    return partial(write_module, tmp_path, monkeypatch)
