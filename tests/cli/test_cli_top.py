"""``advanced-scheduler top``, without a terminal and on one."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from tests.support.waiting import eventually

from .world import World


def test_without_a_terminal_it_shows_everything_once(world: World) -> None:
    waiting = world.later()
    world.scheduler.schedule_task("fail")
    world.work()
    found = world.json("top")
    assert found["queue"]["running"] == 0
    assert [one["task_id"] for one in found["failing"]] == ["fail"]
    assert len(found["series"]["points"]) == 90
    shown = world.good("top")
    assert re.search(r"^normal +0 +1 +0 +0 ", shown, re.MULTILINE), shown
    assert re.search(r"^fail +ValueError +1 ", shown, re.MULTILINE), shown
    world.scheduler.cancel_task(waiting)
    assert re.search(r"^normal +0 +0 +0 +0 ", world.good("top"), re.MULTILINE)


class Screen:
    """A terminal with ``top`` on it."""

    def __init__(self, store: str) -> None:
        self._ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        command = [sys.executable, "-m", "advanced_scheduler.cli", "top", "--store", store]
        self.process = subprocess.Popen(
            [*command, "--every", "0.2"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},  # noqa: TID251
            start_new_session=True,
        )
        self._theirs = theirs
        self._seen = ""

    def shows(self, words: str) -> bool:
        """Whether words have been on the screen since the last key."""
        while select.select([self._ours], [], [], 0)[0]:
            self._seen += os.read(self._ours, 65536).decode(errors="replace")
        return words in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen)

    def press(self, key: str) -> None:
        """Press a key."""
        self.shows("")
        self._seen = ""
        os.write(self._ours, key.encode())

    def settings(self) -> object:
        """How the terminal is set."""
        return termios.tcgetattr(self._theirs)

    def close(self) -> None:
        """Turn it off."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[AdvancedTaskScheduler]:
    with closing(AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")) as made:
        made.schedule_task(len, "abc")
        yield made


def test_keys_pause_resume_and_quit(scheduler: AdvancedTaskScheduler, tmp_path: Path) -> None:
    with closing(Screen(f"sqlite:///{tmp_path}/jobs.db")) as screen:
        eventually(lambda: screen.shows("q quit"), timeout=30, what="the first screen")
        screen.press("p")
        eventually(lambda: screen.shows("paused: nothing is started until r"), timeout=20)
        assert scheduler.pauses().everything
        screen.press("r")
        eventually(lambda: screen.shows("resumed"), timeout=20)
        assert not scheduler.pauses().everything
        screen.press("q")
        eventually(lambda: screen.process.poll() is not None)
        assert screen.process.returncode == 0
        assert screen.settings() == screen.before
