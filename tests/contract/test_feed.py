"""Events reach those who listen in other processes, once and in order, or they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, Settings, TaskDefinition
from advanced_scheduler.engine import feed
from advanced_scheduler.engine.told import Told, in_order, told
from advanced_scheduler.events import Event, EventType
from advanced_scheduler.models import RecordKind, Tick, TickOutcome
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.testing import FaultyStore
from tests.contract.rows import NOW
from tests.support.stores import BACKENDS, NewUrl
from tests.support.waiting import eventually

SHARED = [one for one in BACKENDS if one != "memory"]


def works() -> None:
    """A task that completes."""


@contextmanager
def opened(url: str | Store) -> Iterator[AdvancedTaskScheduler]:
    """A process of the store, as far as the feed can tell."""
    scheduler = AdvancedTaskScheduler(store=url, settings=Settings(auto_migrate=True))
    scheduler.register_task(TaskDefinition("works", "Works", works))
    try:
        yield scheduler
    finally:
        scheduler.close()


class Ear:
    """What was told, and how often that something was missed."""

    def __init__(self) -> None:
        self.heard: list[Told] = []
        self.missed = 0

    def __call__(self, events: Sequence[Told] | None) -> None:
        if events is None:
            self.missed += 1
        else:
            self.heard += events

    def of(self, execution_id: str) -> list[str]:
        """The types of the events of one execution, put in order: who schedules may tell late."""
        return [
            one.type.removeprefix("execution.")
            for one in in_order(self.heard)
            if one.data.get("execution_id") == execution_id
        ]


@pytest.mark.parametrize("backend", SHARED)
def test_a_listener_hears_a_node_of_another_process(backend: str, new_url: NewUrl) -> None:
    url, ear = new_url(backend), Ear()
    with opened(url) as here, opened(url) as there, there.running():
        end = here.feed.listen(ear)
        eventually(lambda: there.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        first = there.schedule_task("works")
        there.wait_for_task(first, timeout=10)
        eventually(lambda: there.schedule_task("works") and ear.heard)
        last = there.schedule_task("works")
        eventually(lambda: ear.of(last) == ["scheduled", "started", "finished"])
        assert len(ear.heard) == len({(one.type, one.data["execution_id"]) for one in ear.heard})
        assert ear.missed == 0
        end()


def test_what_became_of_an_instant_is_told_by_its_fields() -> None:
    tick = Tick(
        schedule_id="hourly", instant=NOW, version=1, outcome=TickOutcome.PAUSED, recorded_time=NOW
    )
    assert told(Event(EventType.TICK, NOW, None, {"tick": tick})).data == {
        "schedule_id": "hourly",
        "instant": NOW.isoformat(),
        "outcome": "paused",
        "reason": None,
        "execution_id": None,
    }


def test_nothing_is_written_while_nobody_listens(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/jobs.db") as scheduler, scheduler.running():
        scheduler.wait_for_task(scheduler.schedule_task("works"), timeout=10)
        assert scheduler.store.records(RecordKind.EVENTS) == []
        assert scheduler.store.records(RecordKind.ORDER) == []
        assert not scheduler.feed.has_company


def test_nobody_writes_for_itself(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/jobs.db") as scheduler, scheduler.running():
        scheduler.feed.listen(Ear())
        eventually(lambda: scheduler.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        scheduler.wait_for_task(scheduler.schedule_task("works"), timeout=10)
        assert scheduler.store.records(RecordKind.EVENTS) == []


def test_a_process_without_a_node_tells_what_it_does(tmp_path: Path) -> None:
    url, ear = f"sqlite:///{tmp_path}/jobs.db", Ear()
    with opened(url) as here, opened(url) as there:
        there.feed.look_for_listeners()
        here.feed.listen(ear)
        eventually(lambda: here.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        made = there.schedule_task("works")
        eventually(lambda: ear.of(made) == ["scheduled"])


def test_whoever_writes_too_much_tells_that_it_was_too_much(tmp_path: Path) -> None:
    url, ear = f"sqlite:///{tmp_path}/jobs.db", Ear()
    with opened(url) as here, opened(url) as there:
        there.feed.look_for_listeners()
        here.feed.listen(ear)
        eventually(lambda: here.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        there.schedule_task_many("works", [()] * (feed.MOST + 1))
        eventually(lambda: ear.missed == 1)
        assert ear.heard == []


def test_a_record_that_got_lost_is_missed(tmp_path: Path) -> None:
    url, ear = f"sqlite:///{tmp_path}/jobs.db", Ear()
    with opened(url) as here, opened(url) as there:
        there.feed.look_for_listeners()
        here.feed.listen(ear)
        eventually(lambda: here.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        there.schedule_task("works")
        eventually(lambda: len(ear.heard) == 1)
        there.feed._sender._number += 1
        there.schedule_task("works")
        eventually(lambda: ear.missed == 1)
        assert len(ear.heard) == 2


def test_who_listens_is_told_of_an_outage_and_of_its_end(tmp_path: Path) -> None:
    url, ear = f"sqlite:///{tmp_path}/jobs.db", Ear()
    faulty = FaultyStore(open_store(url))
    with opened(faulty.face) as here, opened(url) as there:
        there.feed.look_for_listeners()
        here.feed.listen(ear)
        eventually(lambda: there.store.records(RecordKind.ORDER, ids=[feed.LISTENERS]))
        faulty.fail("records")
        eventually(lambda: ear.missed == 2)
        made = there.schedule_task("works")
        eventually(lambda: ear.of(made) == ["scheduled"])
        assert ear.missed == 2


def test_events_of_one_execution_come_as_they_happened_whatever_clocks_say() -> None:
    def event(type_: str, second: int, place: tuple[int, int]) -> Told:
        return Told(type_, NOW + timedelta(seconds=second), {"execution_id": "e"}, place)

    other = Told("other", NOW + timedelta(seconds=2), {"execution_id": "f"}, (1, 2))
    finished, started = event("finished", 1, (1, 4)), event("started", 3, (1, 2))
    scheduled, again = event("scheduled", 4, (0, 0)), event("started", 5, (2, 2))
    assert in_order([finished, started, scheduled, other, again]) == [
        *(scheduled, other, started, finished, again),
    ]
