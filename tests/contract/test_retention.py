"""What prune takes away, and what it never touches."""

from __future__ import annotations

from advanced_scheduler.models import (
    OF_EXECUTION,
    Record,
    RecordKind,
    TaskStatus,
)
from advanced_scheduler.stores.base import Store

from .rows import (
    DAY,
    MINUTE,
    NOW,
    blocked,
    execution,
    finish,
    firing,
    ids,
    left,
    schedule,
    start,
    tick,
)


def history(store: Store, count: int) -> None:
    """Rows e0, e1.. that ended one minute after the other, from ``NOW`` on."""
    for n in range(count):
        finish(store, start(store, execution(f"e{n}")), now=NOW + n * MINUTE)


def test_the_oldest_rows_beyond_the_count_go(store: Store) -> None:
    history(store, 5)
    assert store.prune(keep=2, before=NOW + DAY, older_than=NOW, limit=10) == 3
    assert left(store) == ["e3", "e4"]
    assert store.prune(keep=2, before=NOW + DAY, older_than=NOW, limit=10) == 0


def test_rows_that_ended_just_now_stay_even_beyond_the_count(store: Store) -> None:
    history(store, 5)
    assert store.prune(keep=0, before=NOW + 2 * MINUTE, older_than=NOW, limit=10) == 2
    assert left(store) == ["e2", "e3", "e4"]


def test_rows_that_are_too_old_go_even_within_the_count(store: Store) -> None:
    history(store, 5)
    assert store.prune(keep=100, before=NOW, older_than=NOW + 2 * MINUTE, limit=10) == 2
    assert left(store) == ["e2", "e3", "e4"]


def test_a_call_deletes_no_more_than_its_limit_and_the_oldest_first(store: Store) -> None:
    history(store, 5)
    assert store.prune(keep=0, before=NOW + DAY, older_than=NOW + MINUTE, limit=2) == 2
    assert left(store) == ["e2", "e3", "e4"]


def test_rows_that_have_not_ended_never_go(store: Store) -> None:
    store.add([blocked("blocked", "x"), execution("delayed", scheduled_time=NOW + DAY)])
    start(store, execution("running"))
    assert store.prune(keep=0, before=NOW + 9 * DAY, older_than=NOW + 9 * DAY, limit=10) == 0
    assert left(store) == ["blocked", "delayed", "running"]


def test_rows_that_ended_at_one_instant_go_by_id(store: Store) -> None:
    finish(store, start(store, execution("b"), execution("a"), execution("c")))
    assert store.prune(keep=1, before=NOW + DAY, older_than=NOW, limit=10) == 2
    assert left(store) == ["c"]


def test_a_pruned_id_is_free_again(store: Store) -> None:
    history(store, 1)
    store.prune(keep=0, before=NOW + DAY, older_than=NOW, limit=10)
    assert store.add([execution("e0")]) == [True]
    assert store.get(["e0"])[0].status is TaskStatus.PENDING


def test_a_row_that_waits_for_a_pruned_one_is_stranded(store: Store) -> None:
    history(store, 1)
    store.add([blocked("z", "e0")])
    store.prune(keep=0, before=NOW + DAY, older_than=NOW, limit=10)
    assert ids(store.stranded(NOW, 10)) == ["z"]


def test_ticks_go_by_age_alone(store: Store) -> None:
    store.put(schedule(), expected=None)
    store.fire([firing(expected=NOW), firing(expected=NOW + MINUTE)])
    store.prune(keep=0, before=NOW + DAY, older_than=NOW + MINUTE, limit=10)
    assert store.ticks("s", NOW, NOW + DAY) == [tick(instant=NOW + MINUTE)]


def test_the_records_of_an_execution_go_with_it(store: Store) -> None:
    history(store, 3)
    for kind in OF_EXECUTION:
        for one in ("e0", "e1", "e2"):
            store.save_record(Record(kind=kind, record_id=one, written_time=NOW))
    store.save_record(Record(kind=RecordKind.AUDIT, record_id="e0", written_time=NOW))
    store.prune(keep=2, before=NOW + DAY, older_than=NOW, limit=10)
    store.delete(["e2"])
    for kind in OF_EXECUTION:
        assert [one.record_id for one in store.records(kind)] == ["e1"]
        assert store.drop_records_before(kind, NOW + DAY, 10) == 1
    assert [one.record_id for one in store.records(RecordKind.AUDIT)] == ["e0"]
