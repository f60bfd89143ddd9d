"""``advanced-scheduler`` as a program: how it starts, and what its exit codes mean."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advanced_scheduler import errors
from advanced_scheduler.cli.outcome import Exit, code_of

ENTRY = "from advanced_scheduler.cli import main; main()"


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_loads_nothing_that_takes_long() -> None:
    slow = ("alembic", "apscheduler", "networkx", "pydantic", "sqlalchemy", "tenacity")
    ending = f"lambda: print([name for name in {slow} if name in sys.modules])"
    program = f"import atexit, sys; atexit.register({ending}); {ENTRY}"
    done = run(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n[]\n")
    assert all(command in done.stdout for command in ("db", "doctor"))


def test_without_its_extra_it_says_how_to_install_it() -> None:
    done = run(f"import sys; sys.modules['typer'] = None; {ENTRY}", "--help")
    said = "typer is missing: pip install 'advanced-scheduler[cli]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_a_store_is_checked_from_a_shell(tmp_path: Path) -> None:
    module = [sys.executable, "-m", "advanced_scheduler.cli"]
    store = ["--store", f"sqlite:///{tmp_path}/jobs.db"]
    steps = [["db", "check"], ["db", "upgrade"], ["db", "check"]]
    codes = [
        subprocess.run([*module, *step, *store], capture_output=True, check=False).returncode
        for step in steps
    ]
    assert codes == [1, 0, 0]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.StoreUnavailable("x"), Exit.UNREACHABLE),
        (errors.StoreError("x"), Exit.FAILED),
        (errors.LockUnavailable("x"), Exit.UNREACHABLE),
        (errors.ExecutionNotFound("x"), Exit.NOT_FOUND),
        (errors.TaskNotRegistered("x"), Exit.NOT_FOUND),
        (errors.TaskInUse("x"), Exit.CONFLICT),
        (errors.SchedulerStateError("x"), Exit.CONFLICT),
        (errors.ConfigurationError("x"), Exit.USAGE),
        (errors.InvalidCronExpression("x"), Exit.USAGE),
        (errors.TaskFailed("x"), Exit.FAILED),
    ],
)
def test_an_error_has_one_exit_code(error: Exception, code: Exit) -> None:
    assert code_of(error) is code
