"""Who is called when a lock is free."""

from __future__ import annotations

from datetime import UTC, datetime

from advanced_scheduler.engine.turns import REMEMBERED, Turns
from advanced_scheduler.models import TaskExecution

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def waiter(execution_id: str, task_id: str = "report", fence: int = 1) -> TaskExecution:
    return TaskExecution(
        execution_id=execution_id,
        task_id=task_id,
        task_name="Report",
        scheduled_time=NOW,
        fence=fence,
    )


def test_the_one_that_was_scheduled_first_is_called_once() -> None:
    turns = Turns()
    for name in ("b", "a", "c"):
        turns.wait(waiter(name))
    turns.wait(waiter("0", task_id="other"))
    called = [turns.call("report") for _ in range(4)]
    assert called == [waiter("a"), waiter("b"), waiter("c"), None]


def test_one_that_asks_again_and_again_waits_once_as_it_is_now() -> None:
    turns = Turns()
    for fence in (9, 10):
        turns.wait(waiter("a", fence=fence))
    assert turns.call("report") == waiter("a", fence=10)
    assert turns.call("report") is None


def test_one_that_was_claimed_again_is_not_called() -> None:
    turns = Turns()
    turns.wait(waiter("a"))
    turns.wait(waiter("b"))
    turns.leave(waiter("a"))
    turns.leave(waiter("never waited"))
    assert turns.call("report") == waiter("b")


def test_those_that_never_come_back_are_not_kept_for_ever() -> None:
    turns = Turns()
    for number in range(3 * REMEMBERED):
        turns.wait(waiter(f"{number:06}"))
    called = 0
    while turns.call("report"):
        called += 1
    assert 0 < called <= REMEMBERED
