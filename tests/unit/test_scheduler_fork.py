"""A scheduler that a process inherits when it is forked, as by ``gunicorn --preload``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stores import NewUrl

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

PROGRAMS = Path(__file__).with_name("fork_programs.py")
MULTI_THREADED = "ignore::DeprecationWarning"  # what Python says to a fork since 3.12

DURABLE = ["sqlite", "postgresql", "redis"]


def run(program: str, store: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", MULTI_THREADED, PROGRAMS, program, store],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if " executions to end; " not in line]
    assert (done.returncode, told) == (0, [])  # a stop may say that it waits


@pytest.mark.parametrize("kind", DURABLE)
def test_one_that_was_made_before_works_in_the_child_and_in_the_parent(
    new_url: NewUrl, kind: str
) -> None:
    run("made_before", new_url(kind))


def test_a_parent_that_closes_sqlite_leaves_the_log_to_its_child(new_url: NewUrl) -> None:
    run("log_is_kept", new_url("sqlite"))


@pytest.mark.parametrize("kind", DURABLE)
def test_one_that_ran_before_starts_afresh_and_leaves_its_parent_alone(
    new_url: NewUrl, kind: str
) -> None:
    run("running_before", new_url(kind))


def test_a_child_does_not_keep_the_port_of_its_parents_metrics(new_url: NewUrl) -> None:
    run("port_is_free", new_url("memory"))


def test_an_apscheduler_that_ran_before_is_refused(new_url: NewUrl) -> None:
    run("host_ran_before", new_url("memory"))


@pytest.mark.parametrize("kind", ["memory", *DURABLE])
def test_no_child_waits_for_what_threads_of_its_parent_held(new_url: NewUrl, kind: str) -> None:
    run("under_load", new_url(kind))


def test_a_child_of_an_unfinished_transaction_is_told(new_url: NewUrl) -> None:
    run("in_midst_of_a_write", new_url("sqlite"))


def test_a_child_leaves_the_locks_of_its_parent_on_redis_alone(redis_url: str) -> None:
    run("locks_on_redis", redis_url)
