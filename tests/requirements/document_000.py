"""What document 000 calls as tasks, where processes of a pool can import it; a fresh manager."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

from advanced_scheduler.adapters import manager
from advanced_scheduler.adapters.background import Shared

PATIENCE: Final = 30.0  # seconds

Outcomes = list[tuple[str, bool, object]]
"""What callbacks were told."""


@contextmanager
def fresh_manager() -> Iterator[None]:
    """The process has another manager within the block; what still runs then is cancelled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager, "_shared", Shared(manager.SchedulerManager))
        yield
        for task_id in manager.get_running_tasks():
            manager.cancel_task(task_id)
        manager.stop_scheduler()
        manager.get_scheduler_manager().scheduler.close()


def status_of(task_id: str) -> str:
    """The status of a task that there is."""
    status = manager.get_task_status(task_id)
    assert status is not None
    return str(status["status"])


def prepare_file(file_path: str) -> str:
    return f"Prepared {file_path}"


def process_file(file_path: str) -> str:
    return f"Processed {file_path}"


def finalize_file(file_path: str) -> str:
    return f"Finalized {file_path}"


def extract_audio(video_path: str) -> str:
    return video_path.replace(".mp4", ".mp3")


def transcribe_audio(audio_path: str) -> str:
    return audio_path.replace(".mp3", ".txt")


def analyze_text(text_path: str) -> dict[str, object]:
    return {"text": text_path, "sentiment": "positive", "confidence": 0.85}


def fail(file_path: str) -> NoReturn:
    raise OSError(f"cannot read {file_path}")


def process_id(*_: object) -> int:
    return os.getpid()


def exit_at_once(code: int) -> NoReturn:
    os._exit(code)


def kill_oneself(number: int) -> NoReturn:
    os.kill(os.getpid(), number)
    raise AssertionError("still alive")


def take_all_memory(exponent: int) -> int:
    return len(bytearray(2**exponent))


def hang_with_a_child(folder: str) -> NoReturn:
    """Start a process, write down both ids, and wait for ever."""
    child = subprocess.Popen(["sleep", "1000"])
    partial = Path(folder) / "partial"
    partial.write_text(f"{os.getpid()} {child.pid}", "ascii")
    partial.rename(Path(folder) / "pids")
    while True:
        signal.pause()
