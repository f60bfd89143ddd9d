"""Owns the fixtures of the unit tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from tests.support.coroutines import pytest_pyfunc_call  # noqa: F401
from tests.unit.engine.kit import scheduler as make


@pytest.fixture
def target(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler in memory that was not started."""
    made = make(clock=clock)
    yield made
    made.close()
