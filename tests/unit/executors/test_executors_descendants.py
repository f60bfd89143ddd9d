"""Which processes are killed with one, and which are not."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from advanced_scheduler.executors.descendants import kill_descendants
from tests.support.waiting import eventually
from tests.unit.executors.fifo import Fifo

SESSIONS = "setsid sh -c 'setsid sleep 1000 & echo -n begun; exec sleep 1000' & exec sleep 1000"
FORKING = "for n in $(seq 300); do setsid sleep 1000 & [ $n = 5 ] && echo -n begun; done"


def started(fifo: Fifo, script: str) -> subprocess.Popen[bytes]:
    """A shell with descendants in other sessions; ``fifo`` is held by all of them."""
    with Path(fifo.path).open("wb") as held:
        process = subprocess.Popen(["sh", "-c", script], stdout=held, start_new_session=True)
    eventually(fifo.begun, what="begun")
    return process


def ended(process: subprocess.Popen[bytes]) -> int:
    process.kill()
    return process.wait()


def test_all_that_descend_are_killed_in_whatever_session(fifo: Fifo) -> None:
    process = started(fifo, SESSIONS)
    kill_descendants(process.pid)
    ended(process)
    eventually(fifo.is_free, what="the descendants are gone")


def test_a_process_that_goes_on_starting_others_leaves_none_behind(fifo: Fifo) -> None:
    process = started(fifo, FORKING)
    kill_descendants(process.pid)
    ended(process)
    eventually(fifo.is_free, what="the descendants are gone")


def test_the_process_itself_is_stopped_by_then_and_left_to_the_caller(fifo: Fifo) -> None:
    process = started(fifo, SESSIONS)
    kill_descendants(process.pid)
    _, status = os.waitpid(process.pid, os.WUNTRACED | os.WNOHANG)
    assert os.WIFSTOPPED(status)
    assert ended(process) == -signal.SIGKILL


def test_what_is_no_descendant_goes_on(fifo: Fifo) -> None:
    process = started(fifo, SESSIONS)
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        kill_descendants(process.pid)
        ended(process)
        eventually(fifo.is_free, what="the descendants are gone")
        stranger.terminate()
        assert stranger.wait() == -signal.SIGTERM


def test_a_process_that_has_ended_is_no_error() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    kill_descendants(process.pid)
    assert process.wait() == 0
