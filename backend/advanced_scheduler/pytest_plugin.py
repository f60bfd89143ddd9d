"""The fixtures that pytest finds by itself wherever this package is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

# Every run of pytest loads this module, so the scheduler comes with the first test that asks.
if TYPE_CHECKING:
    from .scheduler import AdvancedTaskScheduler
    from .testing import SchedulerTester


@pytest.fixture
def advanced_scheduler() -> Iterator[SchedulerTester]:
    """A scheduler in memory whose clock only the test moves; nothing sleeps, nothing is left.

    ``.scheduler`` takes tasks and schedules, ``.clock`` says what time it is.
    ``advance(minutes=5)`` moves time and runs all that becomes due on the way, each at its
    instant; ``drain()`` runs what is ready now. Both answer the executions that ended, and raise
    ``TaskFailed`` for those that failed. ``assert_scheduled("task", at=..., count=...)`` looks at
    what is still to run. A coroutine test awaits ``advance_async()`` and ``drain_async()``.
    """
    from .testing import SchedulerTester

    with SchedulerTester() as tester:
        yield tester


@pytest.fixture
def advanced_scheduler_for() -> Iterator[Callable[[AdvancedTaskScheduler], SchedulerTester]]:
    """Take over the application's own scheduler: ``advanced_scheduler_for(myapp.scheduler)``.

    Answers what ``advanced_scheduler`` gives, for that very object: its tasks and schedules, in
    memory until the test ends; its store and its Redis are not written to.
    """
    from .testing import taken_over

    with ExitStack() as borrowed:
        yield lambda scheduler: borrowed.enter_context(taken_over(scheduler))
