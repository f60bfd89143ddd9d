"""A scheduler that a process inherits when it is forked, as by ``gunicorn --preload``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

MULTI_THREADED = "ignore::DeprecationWarning"  # what Python says to a fork since 3.12
PROGRAMS = Path(__file__).with_name("fork_programs.py")


def run(program: str, *arguments: object) -> None:
    done = subprocess.run(
        [sys.executable, "-W", MULTI_THREADED, PROGRAMS, program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_one_that_was_made_before_works_in_the_child_and_in_the_parent(tmp_path: Path) -> None:
    run("made_before", tmp_path)


def test_a_parent_that_closes_sqlite_leaves_the_log_to_its_child(tmp_path: Path) -> None:
    run("log_is_kept", tmp_path)


def test_one_that_ran_before_starts_afresh_and_leaves_its_parent_alone(tmp_path: Path) -> None:
    run("running_before", tmp_path)


def test_a_child_does_not_keep_the_port_of_its_parents_metrics(tmp_path: Path) -> None:
    run("port_is_free", tmp_path)


def test_an_apscheduler_that_ran_before_is_refused(tmp_path: Path) -> None:
    run("host_ran_before", tmp_path)


def test_no_child_waits_for_what_threads_of_its_parent_held(tmp_path: Path) -> None:
    run("under_load", tmp_path)


def test_a_child_of_an_unfinished_transaction_is_told(tmp_path: Path) -> None:
    run("in_midst_of_a_write", tmp_path)


def test_a_child_leaves_the_locks_of_its_parent_on_redis_alone(
    tmp_path: Path, redis_url: str
) -> None:
    run("locks_on_redis", tmp_path, redis_url)
