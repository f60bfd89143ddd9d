"""Document 004, what it leaves to expect: bad input, many threads, processes, a database."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler import ManualClock, ScheduleNotFound
from advanced_scheduler.adapters.jobs import (
    IntervalTrigger,
    Scheduler,
    Trigger,
)
from tests.requirements.document_004 import (
    PATIENCE,
    Days,
    automated_task,
    nothing,
)
from tests.support.programs import run_program
from tests.support.waiting import eventually

# --- Any function -------------------------------------------------------------------------------


class Note:
    def __init__(self) -> None:
        self.numbers: list[int] = []

    def take(self, number: int) -> None:
        self.numbers.append(number)

    async def take_on_the_loop(self, number: int) -> None:
        self.numbers.append(number)


async def test_anything_that_can_be_called_is_a_job(days: Days) -> None:
    note = Note()
    days.jobs.add_timestamp_job("method", [0], note.take, 1)
    days.jobs.add_timestamp_job("coroutine", [0], note.take_on_the_loop, 2)
    days.jobs.add_timestamp_job("lambda", [0], lambda: note.take(3))
    days.jobs.add_timestamp_job("partial", [0], partial(note.take, 4))
    days.jobs.add_timestamp_job("builtin", [0], note.numbers.append, 5)
    await days.go_by()
    assert sorted(note.numbers) == [1, 2, 3, 4, 5]


def test_a_job_may_add_jobs(scheduler: Scheduler) -> None:
    ran: list[int] = []

    def add_another(number: int) -> None:
        ran.append(number)
        if number < 5:
            scheduler.add_timestamp_job(f"job{number}", [0], add_another, number + 1)

    scheduler.add_timestamp_job("first", [0], add_another, 0)
    eventually(lambda: ran == [0, 1, 2, 3, 4, 5])


def test_a_job_may_shut_the_scheduler_down(scheduler: Scheduler) -> None:
    ended: list[bool] = []

    def last_job() -> None:
        scheduler.shutdown()
        ended.append(True)

    scheduler.add_timestamp_job("last", [0], last_job)
    eventually(lambda: ended)
    eventually(lambda: not [one for one in threading.enumerate() if "ticker" in one.name])
    (execution,) = scheduler.scheduler.executions()
    assert execution.status == "completed"


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job_id", "trigger", "func", "message"),
    [
        ("", IntervalTrigger(1), nothing, "job_id='' must be a text that is not empty"),
        (7, IntervalTrigger(1), nothing, "job_id=7 must be a text that is not empty"),
        ("x" * 201, IntervalTrigger(1), nothing, "has 201 characters; 200 are allowed"),
        ("job", 5, nothing, "5 is not a trigger"),
        ("job", IntervalTrigger, nothing, "is not a trigger"),
        ("job", IntervalTrigger(1), 7, "must be a dotted path or a callable"),
        ("job", IntervalTrigger(1), len, "cannot take these arguments"),
    ],
)
def test_a_job_that_cannot_work_is_refused_and_leaves_nothing(
    days: Days, job_id: Any, trigger: Any, func: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        days.jobs.add_job(job_id, trigger, func)
    assert days.jobs.list_jobs() == []
    assert not days.scheduler.task_definitions


@pytest.mark.parametrize("job_id", [None, 7, "", "\0", "x" * 10_000])
def test_questions_about_ids_that_cannot_be_answer_no(days: Days, job_id: Any) -> None:
    assert days.jobs.get_job_status(job_id) is None
    assert not days.jobs.pause_job(job_id)
    assert not days.jobs.resume_job(job_id)
    assert not days.jobs.remove_job(job_id)


# --- Many threads ---------------------------------------------------------------------------------


def test_an_id_is_given_once_to_many_threads(scheduler: Scheduler) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            added = threads.map(
                lambda _, job_id=f"job{number}": scheduler.add_interval_job(job_id, 60, nothing),
                range(8),
            )
            assert sorted(added) == [False] * 7 + [True]


def test_threads_that_add_pause_and_remove_leave_what_they_say(scheduler: Scheduler) -> None:
    counts = [0] * 8

    def work(thread: int) -> list[str]:
        dice = random.Random(thread)
        mine: dict[str, bool] = {}
        for step in range(40):
            job_id = f"{thread}-{step}"
            assert scheduler.add_timestamp_job(job_id, [0, 1, 2], count, thread)
            mine[job_id] = True
            other = dice.choice(list(mine))
            scheduler.pause_job(other)
            scheduler.resume_job(other)
            if dice.random() < 0.5:
                assert scheduler.remove_job(other)
                assert not scheduler.remove_job(other)
                del mine[other]
            assert scheduler.get_job_status(job_id) is not None or job_id not in mine
        return list(mine)

    def count(thread: int) -> None:
        counts[thread] += 1

    with ThreadPoolExecutor(8) as threads:
        kept = [job_id for ids in threads.map(work, range(8)) for job_id in ids]
    assert scheduler.list_jobs() == sorted(kept)
    assert sorted(scheduler.scheduler.task_definitions) == sorted(kept)
    eventually(lambda: all(one["is_finished"] for one in scheduler.get_all_statuses().values()))
    assert all(one["execution_count"] == 3 for one in scheduler.get_all_statuses().values())
    assert sum(counts) >= 3 * len(kept)


def test_threads_that_add_and_remove_one_job_are_all_answered(days: Days) -> None:
    def work(_: int) -> None:
        for _ in range(100):
            assert days.jobs.add_timestamp_job("job", [0], nothing) in (True, False)
            assert days.jobs.remove_job("job") in (True, False)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    days.jobs.remove_job("job")
    assert not days.scheduler.task_definitions


def test_a_job_that_another_node_adds_and_removes_meanwhile_is_added(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removed(*_: Any, **__: Any) -> str:
        monkeypatch.undo()
        raise ScheduleNotFound("it was there a moment ago")

    monkeypatch.setattr(days.scheduler, "create_schedule", removed)
    assert days.jobs.add_interval_job("job", 1, nothing)
    assert days.jobs.list_jobs() == ["job"]


def test_what_was_wrong_with_a_job_is_told_though_its_function_is_gone_by_then(days: Days) -> None:
    class Rude(Trigger):
        def get_next_run_time(self, after_time: float | None = None) -> float | None:
            days.scheduler.unregister_task("job")
            raise ValueError("no time for this")

        def is_finished(self) -> bool:
            return False

    with pytest.raises(ValueError, match="no time for this"):
        days.jobs.add_job("job", Rude(), nothing)


# --- Processes and databases ----------------------------------------------------------------------


def test_a_program_that_shuts_nothing_down_ends_all_the_same() -> None:
    program = (
        "import threading\n"
        "from advanced_scheduler.adapters.jobs import Scheduler\n"
        "ran = threading.Event()\n"
        "Scheduler().add_interval_job('job', 0.01, ran.set)\n"
        "print(ran.wait(20))\n"
    )
    done = run_program(program, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


async def test_jobs_on_a_database_go_on_after_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    store = f"sqlite:///{tmp_path}/jobs.db"
    with Days(clock, store) as days:
        assert days.jobs.add_interval_job("job", 10, automated_task)
        await days.go_by(seconds=10)
    with Days(clock, store) as days:
        assert not days.jobs.add_interval_job("job", 10, automated_task)
        await days.go_by(seconds=30, step=10)
        assert days.status("job")["execution_count"] == 4
