"""Functions that live in the script which the user started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GUARDED = """
import asyncio
from dataclasses import dataclass
from advanced_scheduler.executors import ProcessExecutor
from tests.unit.executors.calls import make_call

class Unlucky(Exception):
    pass

def double(number: int) -> int:
    if number > 100:
        raise Unlucky(number)
    return number * 2

async def main() -> None:
    executor = ProcessExecutor(1)
    executor.start()
    for number in (1, 21, 1000):
        outcome = await executor.run(make_call(double, number))
        print(outcome.value, isinstance(outcome.error, Unlucky))
    executor.shutdown()
"""
START = """
if __name__ == "__main__":
    asyncio.run(main())
"""
UNGUARDED = """
import asyncio
from advanced_scheduler.executors import ProcessExecutor
from tests.unit.executors.calls import make_call

def nothing() -> None:
    pass

async def main() -> None:
    executor = ProcessExecutor(1)
    executor.start()
    print((await executor.run(make_call(nothing))).error)
    executor.shutdown()

asyncio.run(main())
"""
ANSWERS = "2 False\n42 False\nNone True\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A script that finds the package, and the tests, where this process does."""
    return tmp_path / "app.py"


def started(*arguments: str, text: str | None = None, folder: Path | None = None) -> str:
    """What a program prints; all warnings are errors in it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def with_path(source: str) -> str:
    return f"import sys; sys.path[:0] = {sys.path!r}\n{source}"


def test_a_function_of_the_script_runs_in_a_process(app: Path) -> None:
    app.write_text(with_path(GUARDED + START))
    assert started(str(app)) == ANSWERS


def test_a_function_of_a_module_started_by_name_runs_in_a_process(app: Path) -> None:
    app.write_text(with_path(GUARDED + START))
    assert started("-m", app.stem, folder=app.parent) == ANSWERS


def test_a_script_that_starts_a_scheduler_when_imported_is_told_so(app: Path) -> None:
    app.write_text(with_path(UNGUARDED))
    assert "put its start under if __name__ == '__main__'" in started(str(app))


def test_a_function_that_was_typed_in_is_refused() -> None:
    answer = started("-", text=with_path(UNGUARDED))
    assert "it is in no file; move it into a module" in answer
