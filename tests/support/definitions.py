"""Task definitions of which only some fields matter, and functions for them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler.models import TaskDefinition
from advanced_scheduler.registry import RegisteredTask, TaskRegistry

_NUMBERS = itertools.count()


def nothing() -> None:
    """Needs no arguments."""


def add(a: int, b: int = 2) -> int:
    """Needs one argument."""
    return a + b


async def fetch(url: str) -> str:
    """A coroutine function."""
    return url


def define(func: str | Callable[..., Any] = nothing, **fields: Any) -> TaskDefinition:
    """A definition with the id ``job``, unless ``fields`` say otherwise."""
    return TaskDefinition(**{"task_id": "job", "task_name": "Job", "func_path": func, **fields})


def register(func: str | Callable[..., Any] = nothing, **fields: Any) -> RegisteredTask:
    """Such a definition, registered in a registry of its own."""
    return TaskRegistry().register(define(func, **fields))


def write_module(directory: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> str:
    """Write a module that can be imported until the test ends; answers its name."""
    name = f"written_for_a_test_{next(_NUMBERS)}"
    (directory / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name
