"""What a tester does with a scheduler: its time, its work, and what it says is scheduled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ConfigurationError,
    IntervalTrigger,
    RetryConfig,
    RetryStrategy,
    ScheduleOptions,
    SchedulerStateError,
    TaskDependency,
    TaskFailed,
    TaskPriority,
    TaskStatus,
)
from advanced_scheduler.testing import SchedulerTester, tester
from tests.support.definitions import define
from tests.support.waiting import eventually

MIDNIGHT = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def kit() -> Iterator[SchedulerTester]:
    with SchedulerTester() as made:
        yield made


# --- Time -----------------------------------------------------------------------------------


def test_what_is_due_on_the_way_runs_in_order_and_each_at_its_own_instant(
    kit: SchedulerTester,
) -> None:
    seen: list[tuple[str, datetime]] = []

    def note(what: str) -> None:
        seen.append((what, kit.clock.now()))

    kit.scheduler.register_task(define(note, task_id="note"))
    kit.scheduler.schedule_task("note", "late", scheduled_time=MIDNIGHT + 150 * MINUTE)
    kit.scheduler.create_schedule("note", IntervalTrigger(3600), args=["hourly"])
    ended = kit.advance(hours=2, minutes=30)
    hours = [("hourly", MIDNIGHT + hour * 60 * MINUTE) for hour in range(3)]
    assert seen == [*hours, ("late", MIDNIGHT + 150 * MINUTE)]
    assert [row.scheduled_time for row in ended] == [instant for _, instant in seen]
    assert kit.clock.now() == MIDNIGHT + 150 * MINUTE


def test_retries_come_after_their_delays(kit: SchedulerTester) -> None:
    tried: list[datetime] = []

    def fails_once() -> str:
        tried.append(kit.clock.now())
        if len(tried) == 1:
            raise ConnectionError("down")
        return "done"

    retry = RetryConfig(RetryStrategy.FIXED, initial_delay=90, jitter=False)
    kit.scheduler.register_task(define(fails_once, task_id="job", retry_config=retry))
    kit.scheduler.schedule_task("job")
    assert kit.drain() == []
    kit.assert_scheduled("job", at=MIDNIGHT + timedelta(seconds=90), count=1)
    (row,) = kit.advance(timedelta(minutes=5))
    assert (row.result, tried[1] - tried[0]) == ("done", timedelta(seconds=90))


def test_a_wait_for_a_dependency_ends_when_its_time_is_up(kit: SchedulerTester) -> None:
    kit.scheduler.register_task(define(len, task_id="first"))
    wait = TaskDependency("first", "success", timeout=60)
    kit.scheduler.register_task(define(list, task_id="second", dependencies=[wait]))
    kit.scheduler.schedule_task("first", [], options=ScheduleOptions(delay=600))
    kit.scheduler.schedule_task("second")
    (row,) = kit.advance(minutes=5)
    assert (row.task_id, row.status) == ("second", TaskStatus.SKIPPED)
    assert row.completed_time == MIDNIGHT + MINUTE


def test_what_cannot_run_does_not_hide_what_is_due_later(kit: SchedulerTester) -> None:
    kit.scheduler.pause_dispatch(queue="closed")
    kit.scheduler.schedule_task(len, [], options=ScheduleOptions(queue="closed"))
    later = kit.scheduler.schedule_task(len, [], options=ScheduleOptions(delay=60))
    (row,) = kit.advance(hours=1)
    assert (row.execution_id, row.started_time) == (later, MIDNIGHT + MINUTE)


def test_time_does_not_go_back(kit: SchedulerTester) -> None:
    with pytest.raises(ValueError, match="would go back"):
        kit.advance(minutes=-1)
    assert kit.clock.now() == MIDNIGHT


# --- Work -----------------------------------------------------------------------------------


def test_drain_runs_what_is_ready_and_what_that_makes_ready_and_nothing_else(
    kit: SchedulerTester,
) -> None:
    kit.scheduler.register_task(define(int, task_id="a"))
    kit.scheduler.register_task(define(str, task_id="b", dependencies=[TaskDependency("a")]))
    run = kit.scheduler.schedule_workflow(["a", "b"])
    many = kit.scheduler.schedule_task_many(len, [([],)] * 25)
    kit.scheduler.schedule_task(len, [], options=ScheduleOptions(delay=1))
    ended = kit.drain()
    assert {row.execution_id for row in ended} == {*run.values(), *many}
    assert kit.clock.now() == MIDNIGHT
    kit.assert_scheduled("builtins.len", count=1)


def test_a_failure_is_raised_once_all_has_run_from_the_exception_of_the_task(
    kit: SchedulerTester,
) -> None:
    async def breaks() -> None:
        raise ZeroDivisionError("on purpose")

    kit.scheduler.register_task(define(breaks, task_id="broken"))
    kit.scheduler.register_task(
        define(task_id="after", dependencies=[TaskDependency("broken", "success")])
    )
    kit.scheduler.schedule_workflow(["broken", "after"])
    well = kit.scheduler.schedule_task(len, [])
    kit.scheduler.schedule_task("broken")
    with pytest.raises(TaskFailed, match=r"'broken'.*ZeroDivisionError: on purpose") as raised:
        kit.drain()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert len(str(raised.value).splitlines()) == 2  # what was skipped is no failure of its own
    assert kit.scheduler.result(well, timeout=0) == 0


def test_failures_are_answered_where_they_are_not_to_be_raised(kit: SchedulerTester) -> None:
    kit.scheduler.schedule_task(int, "x")
    (row,) = kit.drain(check=False)
    assert row.status is TaskStatus.FAILED
    kit.scheduler.schedule_task(int, "x", options=ScheduleOptions(delay=1))
    (row,) = kit.advance(seconds=1, check=False)
    assert row.status is TaskStatus.FAILED


def test_work_without_end_is_an_error(
    kit: SchedulerTester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tester, "MOST_ROUNDS", 5)

    def again() -> None:
        kit.scheduler.schedule_task("again")

    kit.scheduler.register_task(define(again, task_id="again"))
    kit.scheduler.schedule_task("again")
    with pytest.raises(SchedulerStateError, match="after 5 rounds: does a task schedule itself"):
        kit.drain()


def test_callbacks_have_returned_and_what_they_scheduled_has_run(kit: SchedulerTester) -> None:
    first = kit.scheduler.schedule_task(len, [])
    kit.scheduler.on_end(first, lambda row: kit.scheduler.schedule_task(str, row.result))
    assert [row.task_id for row in kit.drain()] == ["builtins.len", "builtins.str"]


def test_coroutines_of_a_plain_test_share_a_loop(kit: SchedulerTester) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    kit.scheduler.register_task(define(note, task_id="note"))
    for _ in range(2):
        kit.scheduler.schedule_task("note")
        kit.drain()
    assert len(loops) == 2
    assert loops[0] is loops[1]


async def test_coroutines_run_on_the_loop_of_a_coroutine_test(kit: SchedulerTester) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    kit.scheduler.register_task(define(note, task_id="note"))
    kit.scheduler.schedule_task("note")
    assert len(await kit.drain_async()) == 1
    kit.scheduler.schedule_task("note", options=ScheduleOptions(delay=60))
    assert len(await kit.advance_async(minutes=1)) == 1
    assert set(loops) == {asyncio.get_running_loop()}
    with pytest.raises(SchedulerStateError, match=r"await advance_async\(\) or drain_async"):
        kit.drain()


# --- What is scheduled ----------------------------------------------------------------------


def test_executions_and_schedules_are_scheduled_until_they_run(kit: SchedulerTester) -> None:
    @kit.scheduler.task(task_id="tell", priority=TaskPriority.HIGH)
    def tell(what: str, to: str = "all") -> None: ...

    tell.cron("0 9 * * *", args=["morning"])
    kit.scheduler.pause_schedule(tell.cron("0 8 * * *", args=["early"]))
    tell.schedule("hello", to="ada")
    once, daily = kit.assert_scheduled(tell, count=2)
    assert str(once).startswith(
        "tell('hello', to='ada') at 2030-01-01 00:00:00+00:00, HIGH, execution "
    )
    assert once.execution_id is not None
    assert (daily.execution_id, daily.args) == (None, ("morning",))
    assert kit.assert_scheduled("tell", at=MIDNIGHT, args=["hello"], kwargs={"to": "ada"}) == [once]
    assert kit.assert_scheduled("tell", at=MIDNIGHT + timedelta(hours=9), kwargs={}) == [daily]
    kit.assert_scheduled("tell", priority=TaskPriority.HIGH, count=2)
    kit.assert_scheduled("tell", priority=TaskPriority.LOW, count=0)
    kit.drain()
    kit.assert_scheduled("tell", count=1)


def test_arguments_of_the_definition_count_as_those_of_the_call(kit: SchedulerTester) -> None:
    kit.scheduler.register_task(define(sorted, task_id="job", args=[[2]], kwargs={"key": None}))
    kit.scheduler.schedule_task("job")
    kit.scheduler.schedule_cron_task("job", "0 9 * * *", kwargs={"reverse": True})
    once, daily = kit.assert_scheduled("job", args=[[2]], count=2)
    assert once.kwargs == {"key": None}
    assert daily.kwargs == {"key": None, "reverse": True}


def test_what_is_not_scheduled_is_told_with_what_is(kit: SchedulerTester) -> None:
    with pytest.raises(AssertionError, match=r"^not scheduled: 'tell'; .*: nothing$"):
        kit.assert_scheduled("tell")
    kit.scheduler.schedule_task(len, [1])
    with pytest.raises(AssertionError) as failed:
        kit.assert_scheduled("builtins.len", count=2, args=[[2]])
    first, second = str(failed.value).splitlines()
    assert first == ("scheduled 0 times, not 2: 'builtins.len', args=([2],); what is scheduled:")
    assert second.startswith("  builtins.len([1]) at 2030-01-01 00:00:00+00:00, NORMAL, execution ")
    with pytest.raises(AssertionError, match=r"^scheduled 1 times, not 0"):
        kit.assert_scheduled("builtins.len", count=0)


# --- Whose scheduler ------------------------------------------------------------------------


def test_the_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", "postgresql://nowhere/nothing")
    monkeypatch.setenv("ADVANCED_SCHEDULER_ROLES", "scheduler")
    monkeypatch.setenv("REDIS_URL", "redis://nowhere")
    with SchedulerTester() as kit:
        kit.scheduler.schedule_task(len, [])
        assert len(kit.drain()) == 1


def test_a_scheduler_of_ones_own_needs_a_clock_that_a_test_can_move() -> None:
    target = AdvancedTaskScheduler()
    with pytest.raises(ConfigurationError, match="clock=ManualClock"):
        SchedulerTester(target)
    target.close()


def test_nothing_is_left_of_a_tester_that_is_closed() -> None:
    before = {*threading.enumerate()}
    with SchedulerTester() as kit:
        kit.scheduler.on_end(kit.scheduler.schedule_task(len, []), print)
        kit.drain()
        assert {*threading.enumerate()} - before
    eventually(lambda: not {*threading.enumerate()} - before, what="the end of the threads")
    kit.close()
