"""Runs coroutine tests, each on an event loop of its own; owns the fixtures of the unit tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Final

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.clock import ManualClock
from tests.unit.engine.kit import scheduler as make

PATIENCE: Final = 60  # seconds; then the test shows where it hangs


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """True, if the test was run here."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    wanted = inspect.signature(test).parameters
    call = test(**{name: pyfuncitem.funcargs[name] for name in wanted})
    asyncio.run(asyncio.wait_for(call, PATIENCE))
    return True


@pytest.fixture
def target(clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    """A scheduler in memory that was not started."""
    made = make(clock=clock)
    yield made
    made.close()
