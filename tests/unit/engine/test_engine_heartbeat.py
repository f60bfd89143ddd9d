"""Leases are renewed, and what is lost is told, whatever the store does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine import heartbeat
from advanced_scheduler.engine.heartbeat import Heartbeat
from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.models import TaskExecution
from advanced_scheduler.testing import FaultyStore
from tests.support.waiting import eventually
from tests.unit.engine.kit import NOW, by, execution, faulty, parts

LEASE = timedelta(seconds=30)


class Node:
    """What a heartbeat needs to know, and hears."""

    def __init__(self, clock: ManualClock, every: float = 0.01) -> None:
        self.store: FaultyStore = faulty()
        self.clock = clock
        self.held: dict[str, int] = {}
        self.lost: list[tuple[str, int]] = []
        self.beat = Heartbeat(
            parts(self.store.face, clock),
            node="n",
            lease=LEASE,
            every=every,
            held=lambda: dict(self.held),
            lost=self._lost,
        )

    def _lost(self, gone: Collection[tuple[str, int]]) -> None:
        self.lost += gone

    def claim(self, *names: str) -> list[TaskExecution]:
        self.store.store.add([execution(name) for name in names])
        rows = self.store.store.claim(by(limit=len(names), lease=LEASE))
        self.held.update({row.execution_id: row.fence for row in rows})
        return rows


@pytest.fixture
def node(clock: ManualClock) -> Node:
    return Node(clock)


def lease_of(node: Node, name: str) -> object:
    return node.store.store.get([name])[0].lease_until


def test_a_beat_renews_what_is_held(node: Node) -> None:
    node.claim("a", "b")
    node.clock.advance(seconds=10)
    node.beat.beat()
    assert lease_of(node, "a") == lease_of(node, "b") == NOW + timedelta(seconds=40)
    assert node.lost == []


def test_a_lease_has_lapsed_if_it_is_over_and_was_not_renewed(node: Node) -> None:
    (row,) = node.claim("a")
    node.clock.advance(seconds=29)
    assert not node.beat.lapsed(row)
    node.clock.advance(seconds=1)
    assert node.beat.lapsed(row)
    claimed_since = replace(row, lease_until=NOW + timedelta(seconds=31))
    assert not node.beat.lapsed(claimed_since)
    node.beat.beat()
    assert not node.beat.lapsed(row)
    assert node.beat.lapsed(replace(row, execution_id="b")), "not among what was renewed"


def test_what_was_cancelled_or_taken_is_lost_with_its_fence(node: Node) -> None:
    a, b, _ = node.claim("a", "b", "c")
    node.store.store.apply([lifecycle.cancel(a, now=NOW)])
    node.store.store.apply([lifecycle.recover(b, now=NOW, max_crashes=3)])
    node.store.store.claim(by("other", limit=1, lease=LEASE))
    node.beat.beat()
    assert sorted(node.lost) == [("a", 1), ("b", 1)]


def test_with_nothing_held_the_store_is_left_alone_and_the_node_is_alive(node: Node) -> None:
    node.clock.advance(seconds=99)
    node.beat.beat()
    assert node.store.calls["extend"] == 0
    assert node.beat.last_beat == node.clock.monotonic()


def test_a_store_that_is_silent_for_a_lease_loses_everything_and_not_before(node: Node) -> None:
    node.claim("a")
    node.store.break_down()
    node.clock.advance(seconds=29.9)
    node.beat.beat()
    assert node.lost == []
    node.clock.advance(seconds=0.1)
    node.beat.beat()
    assert node.lost == [("a", 1)]


def test_an_outage_shorter_than_the_lease_loses_nothing(node: Node) -> None:
    node.claim("a")
    node.store.break_down()
    node.clock.advance(seconds=20)
    node.beat.beat()
    node.store.come_back()
    node.clock.advance(seconds=20)
    node.beat.beat()
    assert node.lost == []
    assert lease_of(node, "a") == NOW + timedelta(seconds=70)


def test_a_renewal_that_was_stored_and_not_answered_loses_nothing(node: Node) -> None:
    node.claim("a")
    node.store.fail("extend", after=True)
    node.beat.beat()
    node.beat.beat()
    assert node.lost == []


def test_the_thread_beats_on_after_any_error(node: Node) -> None:
    node.claim("a")
    node.store.fail("extend", error=ZeroDivisionError("a bug"))
    node.store.fail("extend", error=StoreUnavailable("away"))
    node.beat.start()
    eventually(lambda: node.store.calls["extend"] >= 4)
    node.beat.stop()
    assert not node.beat._thread.is_alive()


def test_a_listener_that_raises_does_not_end_the_thread(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_(_: Collection[tuple[str, int]]) -> None:
        raise RuntimeError("the loop is closed")

    listen: Callable[[Collection[tuple[str, int]]], None] = raise_
    monkeypatch.setattr(node.beat, "_lost", listen)
    node.held = {"unknown": 1}
    node.beat.start()
    eventually(lambda: node.store.calls["extend"] >= 3)
    node.beat.stop()


def test_a_stop_does_not_wait_for_a_store_that_hangs(node: Node) -> None:
    node.claim("a")
    hold = node.store.hold("extend")
    node.beat.start()
    hold.entered.wait()
    node.beat.stop()
    hold.released.set()
    eventually(lambda: not node.beat._thread.is_alive())


def test_after_a_round_that_failed_the_next_does_not_wait_for_a_whole_renewal(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MAX_BACKOFF", 0.01)
    node = Node(clock, every=3600.0)
    node.claim("a")
    clock.advance(seconds=1)
    node.store.fail("extend", error=StoreUnavailable("away"))
    node.beat.start()
    node.beat.hurry()
    eventually(lambda: lease_of(node, "a") == NOW + timedelta(seconds=31))
    node.beat.hurry()
    node.beat.stop()
