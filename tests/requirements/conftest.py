"""Owns the application that the requirement documents call, as modules that can be imported."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from advanced_scheduler.adapters import jobs
from advanced_scheduler.adapters.schedules import Scheduler
from tests.requirements import document_001
from tests.requirements.document_000 import Outcomes, fresh_manager
from tests.requirements.document_001 import Framework
from tests.requirements.document_002 import START, Application, Hours
from tests.requirements.document_003 import PATHS, Functions
from tests.requirements.document_004 import Days
from tests.support.coroutines import pytest_pyfunc_call  # noqa: F401


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds up the tasks that wait for it; open at the latest when the test has ended."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def told() -> Outcomes:
    """What document 000's callback has heard."""
    return []


@pytest.fixture
def task_callback(told: Outcomes) -> Callable[[str, bool, Any], None]:
    """Document 000's callback."""

    def callback(task_id: str, success: bool, result_or_error: Any) -> None:
        told.append((task_id, success, result_or_error))

    return callback


@pytest.fixture
def fresh() -> Iterator[None]:
    """Document 000's manager is another one in this test."""
    with fresh_manager():
        yield


@pytest.fixture
def days(clock: ManualClock) -> Iterator[Days]:
    """Document 004's scheduler, on a clock that is moved."""
    with Days(clock) as days:
        yield days


@pytest.fixture
def scheduler() -> Iterator[jobs.Scheduler]:
    """Document 004's scheduler as the document makes it: it runs in real time."""
    with jobs.Scheduler() as scheduler:
        yield scheduler


@pytest.fixture
def ran() -> list[str]:
    """The paths of the application's functions that were called, in order."""
    return []


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, ran: list[str]) -> Functions:
    """Document 003's application; a test may put its own function under one of the paths."""
    functions: Functions = {}

    def made(path: str) -> Callable[..., Any]:
        def call(**kwargs: Any) -> Any:
            ran.append(path)
            body = functions.get(path)
            return path if body is None else body(**kwargs)

        return call

    for path in PATHS:
        name, _, function = path.rpartition(".")
        if name not in sys.modules:
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        setattr(sys.modules[name], function, made(path))
    return functions


@pytest.fixture
def advanced(app: Functions, clock: ManualClock) -> Iterator[AdvancedTaskScheduler]:
    """Document 003's scheduler, on a clock that stands still."""
    scheduler = AdvancedTaskScheduler(clock=clock)
    yield scheduler
    scheduler.close()


@pytest.fixture
def tasks() -> Application:
    """Document 002's application."""
    return Application()


@pytest.fixture
def hours(clock: ManualClock, tasks: Application) -> Hours:
    """Lets time pass for document 002's scheduler."""
    clock.set(START)
    return Hours(clock, tasks)


@pytest.fixture
def timetable(clock: ManualClock, tasks: Application, hours: Hours) -> Iterator[Scheduler]:
    """Document 002's scheduler with all tasks, on a clock that stands still."""
    scheduler = Scheduler(clock=clock)
    tasks.join(scheduler.scheduler)
    yield scheduler
    scheduler.scheduler.close()


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """The address of a store that is not there yet."""
    return f"sqlite:///{tmp_path / 'framework.db'}"


@pytest.fixture
def framework(clock: ManualClock, store_url: str) -> Iterator[Framework]:
    """Document 001's framework, on a clock that stands still."""
    clock.set(document_001.START)
    made = Framework(clock, store_url)
    with closing(made.scheduler):
        yield made
