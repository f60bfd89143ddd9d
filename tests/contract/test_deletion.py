"""What ``delete`` takes away, and what it never touches."""

from __future__ import annotations

from advanced_scheduler.models import TaskStatus
from advanced_scheduler.stores.base import Store

from .rows import DAY, NOW, blocked, execution, finish, ids, left, schedule, start


def test_what_has_ended_goes_and_nothing_else(store: Store) -> None:
    finish(store, start(store, execution("a"), execution("b"), execution("c")))
    store.add([execution("pending", scheduled_time=NOW + DAY), blocked("blocked", "pending")])
    start(store, execution("running"))
    wanted = ["a", "c", "pending", "blocked", "running", "unknown", "a"]
    assert store.delete(wanted) == 2
    assert left(store) == ["b", "blocked", "pending", "running"]
    assert store.delete(wanted) == 0
    assert store.delete([]) == 0


def test_counts_and_pages_know_nothing_of_it_any_more(store: Store) -> None:
    finish(store, start(store, execution("a"), execution("b")))
    store.delete(["a"])
    assert sum(store.counts([TaskStatus.COMPLETED]).values()) == 1
    assert store.newest(["t"])["t"].execution_id == "b"
    assert store.prune(keep=0, before=NOW + DAY, older_than=NOW, limit=10) == 1
    assert left(store) == []


def test_the_oldest_still_go_first_after_a_deletion(store: Store) -> None:
    for n in range(4):
        finish(store, start(store, execution(f"e{n}")), now=NOW + n * DAY)
    store.delete(["e0", "e2"])
    assert store.prune(keep=1, before=NOW + 9 * DAY, older_than=NOW, limit=10) == 1
    assert left(store) == ["e3"]


def test_what_it_adds_to_the_totals_of_its_schedule_stays(store: Store) -> None:
    store.put(schedule("s"), expected=None)
    finish(store, start(store, execution("a", schedule_id="s")))
    before = store.totals("s")
    assert before[TaskStatus.COMPLETED].count == 1
    assert store.delete(["a"]) == 1
    assert store.totals("s") == before


def test_what_waits_for_it_is_looked_at_again(store: Store) -> None:
    finish(store, start(store, execution("up")))
    store.add([blocked("down", "up")])
    store.delete(["up"])
    assert ids(store.stranded(NOW, 10)) == ["down"]
