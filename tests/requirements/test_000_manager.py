"""Document 000, in its order: scheduling, dependencies, priorities, management, control."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from advanced_scheduler import (
    ExecutionNotFound,
    TaskPriority,
)
from advanced_scheduler.adapters.manager import (
    SchedulerManager,
    cancel_task,
    clear_completed_tasks,
    get_all_tasks,
    get_completed_tasks,
    get_pending_tasks,
    get_running_tasks,
    get_scheduler_manager,
    get_task_status,
    schedule_task,
    start_scheduler,
    stop_scheduler,
    wait_for_task,
)
from tests.requirements import document_000 as app
from tests.requirements.document_000 import (
    PATIENCE,
    Outcomes,
    finalize_file,
    prepare_file,
    process_file,
    status_of,
)
from tests.support.programs import run_program
from tests.support.waiting import eventually

pytestmark = pytest.mark.usefixtures("fresh")


# --- Getting the scheduler manager ----------------------------------------------------------------


def test_the_scheduler_manager_is_one_for_the_process() -> None:
    scheduler_manager = get_scheduler_manager()
    assert isinstance(scheduler_manager, SchedulerManager)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: get_scheduler_manager(), range(8)))
    assert all(one is scheduler_manager for one in found)


# --- Scheduling tasks -----------------------------------------------------------------------------


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


# --- Task dependencies ----------------------------------------------------------------------------


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


# --- Task prioritization --------------------------------------------------------------------------


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


# --- Task management ------------------------------------------------------------------------------


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


# --- Scheduler control ----------------------------------------------------------------------------


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


def test_callbacks_of_what_has_ended_return_before_the_stop_does() -> None:
    told = []

    def slow_callback(task_id: str, success: bool, result_or_error: Any) -> None:
        threading.Event().wait(0.05)
        told.append(result_or_error)

    task_ids = [schedule_task(len, "x" * n, callback=slow_callback) for n in range(3)]
    for task_id in task_ids:
        wait_for_task(task_id, PATIENCE)
    stop_scheduler()
    assert sorted(told) == [0, 1, 2]


def test_a_callback_may_stop_the_scheduler(
    told: Outcomes, task_callback: Callable[[str, bool, Any], None]
) -> None:
    def stop(task_id: str, success: bool, result_or_error: Any) -> None:
        stop_scheduler()
        task_callback(task_id, success, result_or_error)

    task_id = schedule_task(len, "abc", callback=stop)
    eventually(lambda: told == [(task_id, True, 3)])


def test_a_program_that_stops_nothing_ends_all_the_same() -> None:
    program = (
        "from advanced_scheduler.adapters.manager import schedule_task, wait_for_task\n"
        "print(wait_for_task(schedule_task(len, 'four')))\n"
        "schedule_task(__import__('threading').Event().wait)\n"
    )
    done = run_program(program, timeout=PATIENCE)
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
