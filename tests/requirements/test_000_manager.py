"""Document 000: what each of its blocks says, and what it leaves to expect."""

from __future__ import annotations

import functools
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import (
    ExecutionNotFound,
    InvalidArguments,
    InvalidTask,
    ScheduleOptions,
    TaskPriority,
)
from advanced_scheduler.adapters import manager
from advanced_scheduler.adapters.background import Shared
from advanced_scheduler.adapters.manager import (
    SchedulerManager,
    cancel_task,
    clear_completed_tasks,
    get_all_tasks,
    get_completed_tasks,
    get_pending_tasks,
    get_process_manager,
    get_running_tasks,
    get_scheduler_manager,
    get_task_status,
    result_of,
    schedule_task,
    start_scheduler,
    stop_scheduler,
    wait_for_task,
)
from tests.requirements import document_000 as app
from tests.requirements.document_000 import Outcomes, finalize_file, prepare_file, process_file
from tests.support.waiting import eventually

PATIENCE = 30.0  # seconds


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A manager of its own for each test."""
    monkeypatch.setattr(manager, "_shared", Shared(SchedulerManager))
    yield
    made = get_scheduler_manager()
    for task_id in get_running_tasks():
        cancel_task(task_id)
    stop_scheduler()
    made.scheduler.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds up the tasks that wait for it; open at the latest when the test has ended."""
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def told() -> Outcomes:
    return []


@pytest.fixture
def task_callback(told: Outcomes) -> Callable[[str, bool, Any], None]:
    def callback(task_id: str, success: bool, result_or_error: Any) -> None:
        told.append((task_id, success, result_or_error))

    return callback


def status_of(task_id: str) -> str:
    status = get_task_status(task_id)
    assert status is not None
    return str(status["status"])


# --- Getting the scheduler manager --------------------------------------------------------------


def test_the_scheduler_manager_is_one_for_the_process() -> None:
    scheduler_manager = get_scheduler_manager()
    assert isinstance(scheduler_manager, SchedulerManager)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: get_scheduler_manager(), range(8)))
    assert all(one is scheduler_manager for one in found)


# --- Scheduling tasks ---------------------------------------------------------------------------


def test_a_task_runs_without_anybody_having_started_the_scheduler() -> None:
    task_id = schedule_task(process_file, "file.mp4")
    assert wait_for_task(task_id, PATIENCE) == "Processed file.mp4"


def test_keyword_arguments_reach_the_function() -> None:
    task_id = schedule_task(process_file, file_path="file.mp4")
    assert wait_for_task(task_id, PATIENCE) == "Processed file.mp4"


def test_a_task_takes_a_priority() -> None:
    task_id = schedule_task(process_file, "file.mp4", priority=10)
    assert wait_for_task(task_id, PATIENCE) == "Processed file.mp4"


def test_a_task_with_dependencies_runs_once_they_have_ended(gate: threading.Event) -> None:
    other_task_id = schedule_task(gate.wait)
    task_id = schedule_task(process_file, "file.mp4", dependencies=[other_task_id])
    eventually(lambda: status_of(other_task_id) == "running")
    assert status_of(task_id) == "pending"
    gate.set()
    assert wait_for_task(task_id, PATIENCE) == "Processed file.mp4"


def test_a_callback_hears_of_success(
    task_callback: Callable[[str, bool, Any], None], told: Outcomes
) -> None:
    task_id = schedule_task(process_file, "file.mp4", callback=task_callback)
    eventually(lambda: told)
    assert told == [(task_id, True, "Processed file.mp4")]


def test_a_callback_hears_of_failure(
    task_callback: Callable[[str, bool, Any], None], told: Outcomes
) -> None:
    task_id = schedule_task(app.fail, "file.mp4", callback=task_callback)
    eventually(lambda: told)
    assert told == [(task_id, False, "OSError: cannot read file.mp4")]


def test_a_callback_hears_of_a_task_that_was_cancelled(
    task_callback: Callable[[str, bool, Any], None], told: Outcomes
) -> None:
    stop_scheduler()
    task_id = schedule_task(process_file, "file.mp4", callback=task_callback)
    cancel_task(task_id)
    eventually(lambda: told)
    assert told == [(task_id, False, "cancelled by a caller")]


def test_a_callback_that_raises_harms_nothing(
    task_callback: Callable[[str, bool, Any], None],
    told: Outcomes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise SystemExit("callback")

    first = schedule_task(process_file, "a", callback=broken)
    assert wait_for_task(first, PATIENCE) == "Processed a"
    eventually(lambda: f"a callback failed on the end of execution {first}" in caplog.text)
    second = schedule_task(process_file, "b", callback=task_callback)
    eventually(lambda: told)
    assert told == [(second, True, "Processed b")]
    assert status_of(first) == "completed"


# --- Task dependencies --------------------------------------------------------------------------


def test_a_chain_of_dependencies_runs_in_order() -> None:
    order: list[str] = []

    def noting(function: Callable[[str], str]) -> Callable[[str], str]:
        def call(file_path: str) -> str:
            order.append(function(file_path))
            return order[-1]

        return call

    prepare_task_id = schedule_task(noting(prepare_file), "file.mp4")
    process_task_id = schedule_task(
        noting(process_file), "file.mp4", dependencies=[prepare_task_id]
    )
    finalize_task_id = schedule_task(
        noting(finalize_file), "file.mp4", dependencies=[process_task_id]
    )
    assert wait_for_task(finalize_task_id, PATIENCE) == "Finalized file.mp4"
    assert order == ["Prepared file.mp4", "Processed file.mp4", "Finalized file.mp4"]


def test_a_dependency_that_has_failed_has_ended_as_well() -> None:
    broken = schedule_task(app.fail, "file.mp4")
    after = schedule_task(process_file, "file.mp4", dependencies=[broken])
    assert wait_for_task(after, PATIENCE) == "Processed file.mp4"


# --- Task prioritization ------------------------------------------------------------------------


def test_higher_priorities_run_first_and_the_exact_number_counts() -> None:
    one_at_a_time = SchedulerManager(max_concurrent_tasks=1)
    one_at_a_time.stop_scheduler()
    ran: list[int] = []
    for priority in (1, 5, 10, 4, 9, 11, -3, 6, 1000):
        last = one_at_a_time.schedule_task(ran.append, priority, priority=priority)
    one_at_a_time.start_scheduler()
    eventually(lambda: not one_at_a_time.get_pending_tasks())
    one_at_a_time.wait_for_task(last, PATIENCE)
    eventually(lambda: len(ran) == 9)
    assert ran == [1000, 11, 10, 9, 6, 5, 4, 1, -3]
    one_at_a_time.stop_scheduler()
    one_at_a_time.scheduler.close()


@pytest.mark.parametrize(
    ("priority", "level"),
    [
        (1000, TaskPriority.HIGH),
        (10, TaskPriority.HIGH),
        (9, TaskPriority.NORMAL),
        (5, TaskPriority.NORMAL),
        (4, TaskPriority.LOW),
        (-1000, TaskPriority.LOW),
        (TaskPriority.CRITICAL, TaskPriority.CRITICAL),
    ],
)
def test_numbers_fall_into_levels(priority: int, level: TaskPriority) -> None:
    stop_scheduler()
    task_id = schedule_task(process_file, "file.mp4", priority=priority)
    status = get_task_status(task_id)
    assert status is not None
    assert status["priority"] is level


# --- Task management ----------------------------------------------------------------------------


def test_the_status_of_a_task_is_a_dict_under_the_id_that_was_given() -> None:
    task_id = schedule_task(process_file, "file.mp4")
    wait_for_task(task_id, PATIENCE)
    status = get_task_status(task_id)
    assert status is not None
    shown = {key: status[key] for key in ("task_id", "task_name", "status", "result", "error")}
    assert shown == {
        "task_id": task_id,
        "task_name": "process_file",
        "status": "completed",
        "result": "Processed file.mp4",
        "error": None,
    }


def test_there_is_no_status_of_what_was_never_scheduled() -> None:
    assert get_task_status("never") is None


def test_waiting_answers_the_result_also_when_it_is_long_there() -> None:
    task_id = schedule_task(process_file, "file.mp4")
    assert wait_for_task(task_id) == "Processed file.mp4"
    assert wait_for_task(task_id, timeout=10) == "Processed file.mp4"


def test_waiting_answers_none_on_a_time_out(gate: threading.Event) -> None:
    task_id = schedule_task(gate.wait)
    assert wait_for_task(task_id, timeout=0.05) is None
    assert status_of(task_id) in ("pending", "running")


def test_waiting_for_an_unknown_task_says_so() -> None:
    with pytest.raises(ExecutionNotFound, match="no execution 'never'"):
        wait_for_task("never")


def test_cancelling_tells_whether_there_was_something_to_cancel(gate: threading.Event) -> None:
    running = schedule_task(gate.wait)
    waiting = schedule_task(process_file, "file.mp4", dependencies=[running])
    assert cancel_task(waiting)
    assert status_of(waiting) == "cancelled"
    assert not cancel_task(waiting)
    assert not cancel_task("never")
    assert cancel_task(running)
    assert wait_for_task(running, PATIENCE) is None


def test_tasks_are_listed_by_what_they_do(gate: threading.Event) -> None:
    done, broken = schedule_task(process_file, "file.mp4"), schedule_task(app.fail, "file.mp4")
    for task_id in (done, broken):
        wait_for_task(task_id, PATIENCE)
    running = schedule_task(gate.wait)
    pending = schedule_task(process_file, "file.mp4", dependencies=[running])
    eventually(lambda: status_of(running) == "running")

    assert list(get_all_tasks()) == [pending, running, broken, done]
    assert list(get_pending_tasks()) == [pending]
    assert list(get_running_tasks()) == [running]
    completed_tasks = get_completed_tasks()
    assert {task_id: one["status"] for task_id, one in completed_tasks.items()} == {
        broken: "failed",
        done: "completed",
    }


def test_clearing_forgets_what_has_ended_and_nothing_else(gate: threading.Event) -> None:
    done = [schedule_task(process_file, f"{n}.mp4") for n in range(3)]
    for task_id in done:
        wait_for_task(task_id, PATIENCE)
    running = schedule_task(gate.wait)
    assert clear_completed_tasks() == 3
    assert clear_completed_tasks() == 0
    assert list(get_all_tasks()) == [running]
    assert get_task_status(done[0]) is None


# --- Scheduler control --------------------------------------------------------------------------


def test_a_stopped_scheduler_keeps_tasks_for_the_next_start() -> None:
    start_scheduler()
    start_scheduler()
    done = schedule_task(process_file, "a")
    wait_for_task(done, PATIENCE)
    stop_scheduler()
    stop_scheduler()
    task_id = schedule_task(process_file, "b")
    assert status_of(task_id) == "pending"
    start_scheduler()
    assert wait_for_task(task_id, PATIENCE) == "Processed b"
    assert status_of(done) == "completed"


def test_a_program_that_stops_nothing_ends_all_the_same() -> None:
    program = (
        "from advanced_scheduler.adapters.manager import schedule_task, wait_for_task\n"
        "print(wait_for_task(schedule_task(len, 'four')))\n"
        "schedule_task(__import__('threading').Event().wait)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "4\n", "")


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_has_a_manager_of_its_own() -> None:
    assert wait_for_task(schedule_task(process_file, "parent"), PATIENCE) == "Processed parent"
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            alone = not get_all_tasks()
            result = wait_for_task(schedule_task(process_file, "child"), PATIENCE)
            os.write(writing, f"{alone} {result}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"True Processed child"
    os.close(reading)
    os.close(writing)
    assert wait_for_task(schedule_task(process_file, "parent"), PATIENCE) == "Processed parent"


# --- Integration with process management --------------------------------------------------------


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
        (app.kill_oneself, signal.SIGKILL, "was killed by SIGKILL"),
        (app.take_all_memory, 8, "was killed by SIGKILL"),
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
    options = ScheduleOptions(executor=pool_id, timeout=2)
    task_id = scheduler.schedule_task(app.hang_with_a_child, str(tmp_path), options=options)
    pids = hung(tmp_path)
    assert wait_for_task(task_id, PATIENCE) is None
    eventually(lambda: all(map(is_gone, pids)))
    status = get_task_status(task_id)
    assert status is not None
    assert "did not end within its timeout of 2 s" in status["error"]
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


# --- Example: video processing pipeline ---------------------------------------------------------


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


# --- Any callable -------------------------------------------------------------------------------


class Converter:
    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def convert(self, name: str) -> str:
        return name + self.suffix

    def __call__(self, name: str) -> str:
        return self.convert(name)


async def in_a_coroutine(name: str) -> str:
    return f"{name} in a coroutine"


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (lambda name: f"{name} in a lambda", "x in a lambda"),
        (functools.partial("{} {}".format, "partly"), "partly x"),
        (Converter("-a").convert, "x-a"),
        (Converter("-b").convert, "x-b"),
        (Converter("-c"), "x-c"),
        (in_a_coroutine, "x in a coroutine"),
        (len, 1),
        (str.upper, "X"),
    ],
)
def test_anything_that_can_be_called_is_a_task(function: Callable[[str], Any], result: Any) -> None:
    assert wait_for_task(schedule_task(function, "x"), PATIENCE) == result


def test_functions_of_one_name_are_not_taken_for_each_other() -> None:
    stop_scheduler()
    ids = [schedule_task(lambda n=n: n) for n in range(20)]
    start_scheduler()
    assert [wait_for_task(one, PATIENCE) for one in ids] == list(range(20))


def test_functions_are_let_go_once_they_have_run() -> None:
    known = get_scheduler_manager().scheduler.task_definitions
    refused = Converter("").convert
    with pytest.raises(InvalidArguments):
        schedule_task(refused, "too", "many")
    converters = [Converter(str(n)) for n in range(20)]
    for one in converters:
        assert wait_for_task(schedule_task(one.convert, "x"), PATIENCE) == f"x{one.suffix}"
    wait_for_task(schedule_task(process_file, "stays"), PATIENCE)
    eventually(lambda: len(known) == 1)
    assert [one.func_path for one in known.values()] == [process_file]
    clear_completed_tasks()
    gone = [weakref.ref(one) for one in converters]
    del converters, one

    def all_gone() -> bool:
        gc.collect()
        return all(ref() is None for ref in gone)

    eventually(all_gone)


def test_a_function_that_many_schedule_at_once_stays_until_the_last_has_run() -> None:
    def double(n: int) -> int:
        return 2 * n

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda n: schedule_task(double, n), range(200)))
    assert [wait_for_task(one, PATIENCE) for one in ids] == [2 * n for n in range(200)]
    eventually(lambda: not get_scheduler_manager().scheduler.task_definitions)


# --- Bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"priority": "high"}, "priority='high' must be a whole number from -1000 to 1000"),
        ({"priority": 1001}, "priority=1001 must be a whole number"),
        ({"priority": True}, "priority=True must be a whole number"),
        ({"priority": 1.5}, "priority=1.5 must be a whole number"),
        ({"callback": "print"}, "callback='print' cannot be called"),
        ({"dependencies": "other_task_id"}, "dependencies='other_task_id' must be a list"),
        ({"dependencies": 7}, "dependencies=7 must be a list of task ids"),
        ({"nothing": 1}, "unexpected keyword argument 'nothing'"),
        ({"options": 1}, "'options' cannot be the name of an argument"),
    ],
)
def test_bad_options_are_refused_and_nothing_is_scheduled(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArguments, match=message):
        schedule_task(process_file, "file.mp4", **options)
    assert get_all_tasks() == {}


def test_a_dependency_that_was_never_scheduled_is_refused() -> None:
    with pytest.raises(ExecutionNotFound, match="there is no task 'other_task_id'"):
        schedule_task(process_file, "file.mp4", dependencies=["other_task_id"])
    assert get_all_tasks() == {}


@pytest.mark.parametrize("name", ["priority", "dependencies", "callback", "executor_id"])
def test_a_function_with_a_parameter_of_our_name_is_refused(name: str) -> None:
    function = eval(f"lambda {name}=None: {name}")
    with pytest.raises(InvalidTask, match=f"has a parameter '{name}'.*rename the parameter"):
        schedule_task(function)
    assert get_all_tasks() == {}


@pytest.mark.parametrize("function", [None, 7, "tests.requirements.document_000.process_file"])
def test_what_cannot_be_called_is_refused(function: Any) -> None:
    with pytest.raises(InvalidArguments, match="cannot be called; give a function"):
        schedule_task(function)
