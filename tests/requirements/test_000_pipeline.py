"""Document 000, its process pools and its pipeline, and what dies or fails in them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    InvalidArguments,
    ScheduleOptions,
)
from advanced_scheduler.adapters.manager import (
    cancel_task,
    get_all_tasks,
    get_process_manager,
    get_scheduler_manager,
    get_task_status,
    result_of,
    schedule_task,
    start_scheduler,
    wait_for_task,
)
from tests.requirements import document_000 as app
from tests.requirements.document_000 import (
    PATIENCE,
    Outcomes,
    process_file,
    status_of,
)
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("fresh")


# --- Integration with process management ----------------------------------------------------------


@pytest.fixture
def pool_id() -> str:
    process_manager = get_process_manager()
    return process_manager.create_process_pool(max_workers=4)


def test_a_task_runs_in_a_process_pool(pool_id: str) -> None:
    task_id = schedule_task(process_file, "file.mp4", executor_id=pool_id)
    elsewhere = schedule_task(app.process_id, executor_id=pool_id)
    assert wait_for_task(task_id, PATIENCE) == "Processed file.mp4"
    assert wait_for_task(elsewhere, PATIENCE) != os.getpid()


@pytest.mark.parametrize(
    ("function", "argument", "end"),
    [
        (app.exit_at_once, 3, "exited with code 3"),
        (app.kill_oneself, signal.SIGSEGV, "was killed by SIGSEGV"),
        (app.kill_oneself, signal.SIGKILL, "was killed by SIGKILL"),  # also for lack of memory
        (app.take_all_memory, 62, "MemoryError"),
    ],
)
def test_a_process_that_dies_fails_its_own_task_and_the_pool_goes_on(
    pool_id: str, function: Callable[[int], Any], argument: int, end: str
) -> None:
    dying = schedule_task(function, int(argument), executor_id=pool_id)
    others = [schedule_task(process_file, str(n), executor_id=pool_id) for n in range(10)]
    assert [wait_for_task(one, PATIENCE) for one in others] == [f"Processed {n}" for n in range(10)]
    assert wait_for_task(dying, PATIENCE) is None
    status = get_task_status(dying)
    assert status is not None
    assert status["status"] == "failed"
    assert end in status["error"]


def hung(folder: Path) -> list[int]:
    """The ids of the task's process and of its child, once both run."""
    pids = folder / "pids"
    eventually(pids.exists, PATIENCE)
    return [int(one) for one in pids.read_text("ascii").split()]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_cancelling_kills_the_process_and_its_children(pool_id: str, tmp_path: Path) -> None:
    task_id = schedule_task(app.hang_with_a_child, str(tmp_path), executor_id=pool_id)
    pids = hung(tmp_path)
    assert cancel_task(task_id)
    eventually(lambda: all(map(is_gone, pids)))
    after = schedule_task(process_file, "file.mp4", executor_id=pool_id)
    assert wait_for_task(after, PATIENCE) == "Processed file.mp4"


def test_a_time_out_kills_the_process_and_its_children(pool_id: str, tmp_path: Path) -> None:
    scheduler = get_scheduler_manager().scheduler
    start_scheduler()
    # A process that boots would take its time of the four seconds.
    before = schedule_task(process_file, "file.mp4", executor_id=pool_id)
    assert wait_for_task(before, PATIENCE)
    options = ScheduleOptions(executor=pool_id, timeout=4)
    task_id = scheduler.schedule_task(app.hang_with_a_child, str(tmp_path), options=options)
    pids = hung(tmp_path)
    assert wait_for_task(task_id, PATIENCE) is None
    eventually(lambda: all(map(is_gone, pids)))
    status = get_task_status(task_id)
    assert status is not None
    assert "did not end within its timeout of 4 s" in status["error"]
    after = schedule_task(process_file, "file.mp4", executor_id=pool_id)
    assert wait_for_task(after, PATIENCE) == "Processed file.mp4"


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "4", None])
def test_a_pool_without_a_usable_size_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="max_workers="):
        get_process_manager().create_process_pool(max_workers=size)


def test_a_pool_that_nobody_made_is_refused() -> None:
    with pytest.raises(InvalidArguments, match="executor='pool' is unknown"):
        schedule_task(process_file, "file.mp4", executor_id="pool")
    assert get_all_tasks() == {}


def test_a_process_takes_no_function_without_a_name(pool_id: str) -> None:
    with pytest.raises(InvalidArguments, match="needs a function that another process can import"):
        schedule_task(lambda: 1, executor_id=pool_id)
    assert get_all_tasks() == {}


@pytest.mark.parametrize("argument", [object(), {1, 2}, b"bytes"])
def test_what_cannot_be_sent_to_a_process_is_refused_when_it_is_scheduled(
    pool_id: str, argument: object
) -> None:
    with pytest.raises(InvalidArguments, match="cannot be stored"):
        schedule_task(app.process_id, argument, executor_id=pool_id)
    assert get_all_tasks() == {}
    assert wait_for_task(schedule_task(app.process_id, argument), PATIENCE) == os.getpid()


# --- Example: video processing pipeline -----------------------------------------------------------


def test_the_pipeline_in_the_documents_form(
    task_callback: Callable[[str, bool, Any], None], told: Outcomes
) -> None:
    video_path = "video.mp4"
    extract_task_id = schedule_task(app.extract_audio, video_path, callback=task_callback)
    transcribe_task_id = schedule_task(
        app.transcribe_audio,
        wait_for_task(extract_task_id),
        dependencies=[extract_task_id],
        callback=task_callback,
    )
    analyze_task_id = schedule_task(
        app.analyze_text,
        wait_for_task(transcribe_task_id),
        dependencies=[transcribe_task_id],
        callback=task_callback,
    )
    analysis = {"text": "video.txt", "sentiment": "positive", "confidence": 0.85}
    assert wait_for_task(analyze_task_id) == analysis
    eventually(lambda: len(told) == 3)
    assert told == [
        (extract_task_id, True, "video.mp3"),
        (transcribe_task_id, True, "video.txt"),
        (analyze_task_id, True, analysis),
    ]


def test_the_pipeline_need_not_block_while_it_is_scheduled(gate: threading.Event) -> None:
    def extract_audio(video_path: str) -> str:
        gate.wait()
        return app.extract_audio(video_path)

    extract_task_id = schedule_task(extract_audio, "video.mp4")
    transcribe_task_id = schedule_task(app.transcribe_audio, result_of(extract_task_id))
    analyze_task_id = schedule_task(app.analyze_text, text_path=result_of(transcribe_task_id))
    assert status_of(analyze_task_id) == "pending"
    gate.set()
    assert wait_for_task(analyze_task_id, PATIENCE)["text"] == "video.txt"


def test_what_needs_the_result_of_a_failed_task_is_skipped() -> None:
    broken = schedule_task(app.fail, "video.mp4")
    needing = schedule_task(app.transcribe_audio, result_of(broken))
    assert wait_for_task(needing, PATIENCE) is None
    assert status_of(needing) == "skipped"
