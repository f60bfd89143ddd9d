"""Owns the application that the requirement documents call, as modules that can be imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, ManualClock
from tests.requirements.document_003 import PATHS, Functions


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
