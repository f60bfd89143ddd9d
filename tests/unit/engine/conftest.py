"""What tests of the engine get: a scheduler on a store that does not last, and on one that does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, Settings
from tests.unit.engine.notes import calls


@pytest.fixture
def scheduler(url: str, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    made = AdvancedTaskScheduler(store=url, clock=clock, settings=Settings(poll_seconds=0.02))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()
