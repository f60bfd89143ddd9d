"""An end that the store cannot write fails that execution, and holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from advanced_scheduler.lifecycle import Transition
from advanced_scheduler.models import TaskStatus
from advanced_scheduler.stores.base import Claim, Exchange
from advanced_scheduler.stores.memory import MemoryStore
from tests.support.waiting import eventually, eventually_async
from tests.unit.engine.kit import add_task, faulty, row_of, scheduler


class PickyStore(MemoryStore):
    """Cannot write the result ``poison``, like a database that knows no such character."""

    def apply(self, transitions: Sequence[Transition]) -> list[bool]:
        _refuse(transitions)
        return super().apply(transitions)

    def exchange(self, transitions: Sequence[Transition], claim: Claim) -> Exchange:
        _refuse(transitions)
        return super().exchange(transitions, claim)


def _refuse(transitions: Sequence[Transition]) -> None:
    if any(one.changes.get("result") == "poison" for one in transitions):
        raise UnicodeEncodeError("utf-8", "poison", 0, 1, "no such character")


async def echo(value: Any) -> Any:
    return value


def test_one_end_that_cannot_be_stored_fails_alone() -> None:
    target = scheduler(PickyStore())
    add_task(target, echo)
    ids = target.schedule_task_many("job", [("fine",), ("poison",), ("fine",)])
    with target.running():
        for execution_id in ids:
            target.wait_for_task(execution_id, timeout=10)
        later = target.schedule_task("job", "fine")
        assert target.result(later, timeout=10) == "fine"
    statuses = [row_of(target, one).status for one in ids]
    assert statuses == [TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.COMPLETED]
    assert "could not be stored" in (row_of(target, ids[1]).error or "")
    target.close()


def test_a_store_that_is_away_is_counted_and_nothing_is_lost() -> None:
    store = faulty()
    target = scheduler(store.face)
    add_task(target, echo)
    heard: list[str] = []
    target.events.subscribe(lambda event: heard.append(str(event.data.get("operation"))))
    with target.running():
        store.break_down()
        eventually(lambda: {"exchange", "sweep"} <= set(heard))
        store.come_back()
        execution_id = target.schedule_task("job", "back")
        assert target.result(execution_id, timeout=10) == "back"
    target.close()


async def test_a_silent_store_makes_the_engine_no_less_alive() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    await target.start()
    store.break_down()
    calls = store.calls["find"]  # the first call of a pass after a lost answer
    await eventually_async(lambda: store.calls["find"] > calls + 2)
    facts = await asyncio.to_thread(target.health_facts)
    assert facts.store_error is not None
    assert facts.seconds_since_pass is not None
    assert facts.seconds_since_pass < 5
    store.come_back()
    await target.stop()
    target.close()
