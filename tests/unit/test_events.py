"""Who hears what, and that no listener can hurt another."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from advanced_scheduler.events import Event, EventBus, EventType
from tests.contract.rows import NOW, execution

STARTED = Event(EventType.STARTED, NOW, execution("e"), {"queue_wait": 0.5})
TICK = Event(EventType.TICK, NOW)


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def listen(self, event: Event) -> None:
        self.heard.append(event)


def test_every_listener_hears_every_event_in_order() -> None:
    bus, left, right = EventBus(), Ear(), Ear()
    bus.publish(TICK)
    bus.subscribe(left.listen)
    bus.publish(STARTED)
    bus.subscribe(right.listen)
    bus.publish(TICK)
    assert left.heard == [STARTED, TICK]
    assert right.heard == [TICK]


def test_who_unsubscribes_hears_no_more_and_may_do_so_twice() -> None:
    bus, left, right = EventBus(), Ear(), Ear()
    leave = bus.subscribe(left.listen)
    bus.subscribe(right.listen)
    leave()
    leave()
    bus.publish(TICK)
    assert left.heard == []
    assert right.heard == [TICK]


def test_two_subscriptions_of_one_method_end_one_by_one() -> None:
    bus, ear = EventBus(), Ear()
    leave = bus.subscribe(ear.listen)
    bus.subscribe(ear.listen)
    leave()
    bus.publish(TICK)
    assert ear.heard == [TICK]


def test_a_listener_that_raises_is_logged_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    bus, ear = EventBus(), Ear()
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("deaf")

    bus.subscribe(broken)
    bus.subscribe(ear.listen)
    with caplog.at_level(logging.ERROR):
        bus.publish(TICK)
        bus.publish(STARTED)
    assert calls == ear.heard == [TICK, STARTED]
    assert [record.getMessage() for record in caplog.records] == [
        "a listener failed on schedule.tick",
        "a listener failed on execution.started",
    ]


def test_a_listener_may_leave_while_it_listens() -> None:
    bus, ear = EventBus(), Ear()
    leave: list[Callable[[], None]] = []
    leave.append(bus.subscribe(lambda _: leave[0]()))
    bus.subscribe(ear.listen)
    bus.publish(TICK)
    bus.publish(TICK)
    assert ear.heard == [TICK, TICK]


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns so often that a race without a lock does show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless_threads")
def test_threads_that_subscribe_at_once_all_hear() -> None:
    bus = EventBus()
    threads, each = 4, 500
    ears = [Ear() for _ in range(threads * each)]
    everybody = threading.Barrier(threads)

    def work(mine: list[Ear]) -> None:
        everybody.wait()
        for ear in mine:
            bus.subscribe(lambda _: None)()
            bus.subscribe(ear.listen)

    workers = [threading.Thread(target=work, args=(ears[me::threads],)) for me in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    bus.publish(TICK)
    assert all(ear.heard == [TICK] for ear in ears)
