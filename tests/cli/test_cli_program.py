"""``advanced-scheduler`` as a program: how it starts, and what its exit codes mean."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advanced_scheduler import errors
from advanced_scheduler.cli.app import Commands, app
from advanced_scheduler.cli.outcome import Exit, code_of

ENTRY = "from advanced_scheduler.cli import main; main()"
SAYS_WHEN = """
import httpx, signal
asked = httpx.Client.send
def send(*args, **more):
    answer = asked(*args, **more)
    print("it goes on", flush=True)
    return answer
httpx.Client.send = send
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_loads_nothing_that_takes_long() -> None:
    slow = (
        *("a2wsgi", "alembic", "apscheduler", "fastapi", "httpx", "jinja2", "networkx", "pydantic"),
        *("rich", "sqlalchemy", "tenacity", "uvicorn", "yaml"),
    )
    ending = f"lambda: print([name for name in {slow} if name in sys.modules])"
    program = f"import atexit, sys; atexit.register({ending}); {ENTRY}"
    done = run(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\n[]\n")
    assert all(f"\n  {command} " in done.stdout for command in Commands.modules)


def test_a_service_is_asked_without_what_a_service_is_made_of() -> None:
    slow = ("a2wsgi", "alembic", "apscheduler", "fastapi", "networkx", "sqlalchemy", "yaml")
    ending = f"lambda: print([name for name in {slow} if name in sys.modules])"
    program = f"import atexit, sys; atexit.register({ending}); {ENTRY}"
    done = run(program, "queue", "--url", "http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (5, "[]\n")


@pytest.mark.parametrize("name", Commands.modules)
def test_every_command_has_a_module_of_its_own_and_helps(name: str) -> None:
    helped = CliRunner().invoke(app, [name, "--help"])
    assert helped.exit_code == 0
    assert "Usage: " in helped.stdout
    assert "completion" not in helped.stdout


def test_a_pipe_that_closes_ends_it_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as `head` does when it has seen enough
    with os.fdopen(writer) as closed:
        done = subprocess.run(
            [sys.executable, "-c", ENTRY, "openapi"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("queue", "--watch"), ("events", "--follow")], ids=" ".join)
def test_an_interrupt_ends_what_goes_on_and_on(words: tuple[str, ...], tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/jobs.db"
    assert run(ENTRY, "db", "upgrade", "--store", store).returncode == 0
    going = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", SAYS_WHEN + ENTRY, *words, "--store", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets them, and us, ignore SIGINT.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    with going:
        assert going.stdout is not None
        assert going.stdout.readline() == "it goes on\n"
        going.send_signal(signal.SIGINT)
        _, said = going.communicate(timeout=30)
    assert (going.returncode, said) == (130, "")


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
