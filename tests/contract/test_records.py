"""Records of the operation, on every store."""

from __future__ import annotations

from advanced_scheduler.models import Record, RecordKind
from advanced_scheduler.stores.base import Store

from .rows import NOW, SECOND


def record(record_id: str, age: int = 0, kind: RecordKind = RecordKind.NODE) -> Record:
    return Record(
        kind=kind,
        record_id=record_id,
        written_time=NOW - age * SECOND,
        data={"slots": 10, "title": "größer", "parts": [1, None, {"a": 0.5}]},
    )


def ids(records: list[Record]) -> list[str]:
    return [one.record_id for one in records]


def test_a_record_comes_back_as_it_was_saved(store: Store) -> None:
    saved = [record("a"), Record(kind=RecordKind.NODE, record_id="b", written_time=NOW)]
    assert [store.save_record(one) for one in saved] == [True, True]
    assert store.records(RecordKind.NODE) == saved[::-1]


def test_a_record_is_replaced_unless_it_must_be_new(store: Store) -> None:
    store.save_record(record("a", age=5))
    assert not store.save_record(record("a", age=1), new=True)
    assert store.records(RecordKind.NODE)[0].written_time == NOW - 5 * SECOND
    assert store.save_record(record("a", age=1))
    assert store.records(RecordKind.NODE) == [record("a", age=1)]
    assert store.save_record(record("b"), new=True)


def test_kinds_do_not_touch_each_other(store: Store) -> None:
    store.save_record(record("a"))
    assert store.save_record(record("a", kind=RecordKind.AUDIT), new=True)
    assert store.drop_records(RecordKind.AUDIT, ["a"]) == 1
    assert ids(store.records(RecordKind.NODE)) == ["a"]
    assert store.records(RecordKind.KEY) == []


def test_records_are_paged_by_id_downwards(store: Store) -> None:
    for one in ("a", "c", "ä", "b", "B"):
        store.save_record(record(one))
    assert ids(store.records(RecordKind.NODE)) == ["ä", "c", "b", "a", "B"]
    assert ids(store.records(RecordKind.NODE, limit=2)) == ["ä", "c"]
    assert ids(store.records(RecordKind.NODE, cursor="c", limit=2)) == ["b", "a"]


def test_some_records_are_asked_for_by_their_ids(store: Store) -> None:
    for one in "abc":
        store.save_record(record(one))
    assert ids(store.records(RecordKind.NODE, ids=["a", "c", "x", "a"])) == ["c", "a"]
    assert ids(store.records(RecordKind.NODE, ids=["a", "c"], cursor="c")) == ["a"]
    assert ids(store.records(RecordKind.NODE, ids=["a", "b", "c"], limit=2)) == ["c", "b"]
    assert store.records(RecordKind.NODE, ids=[]) == []


def test_records_are_dropped_by_id(store: Store) -> None:
    for number in range(1200):
        store.save_record(record(f"{number:04}"))
    assert store.drop_records(RecordKind.NODE, [f"{one:04}" for one in range(1, 1300)]) == 1199
    assert ids(store.records(RecordKind.NODE)) == ["0000"]
    assert store.drop_records(RecordKind.NODE, []) == 0


def test_old_records_are_dropped_the_oldest_first(store: Store) -> None:
    for age, one in enumerate("edcba"):
        store.save_record(record(one, age=age))
    assert store.drop_records_before(RecordKind.NODE, NOW - 2 * SECOND, 1) == 1
    assert ids(store.records(RecordKind.NODE)) == ["e", "d", "c", "b"]
    assert store.drop_records_before(RecordKind.NODE, NOW - 2 * SECOND, 100) == 1
    assert ids(store.records(RecordKind.NODE)) == ["e", "d", "c"]
    assert store.drop_records_before(RecordKind.NODE, NOW - 2 * SECOND, 100) == 0


def test_a_record_is_replaced_if_it_is_the_one_that_was_expected(store: Store) -> None:
    assert not store.save_record(record("a"), expected=NOW), "there is none"
    store.save_record(record("a", age=5))
    store.save_record(record("a", kind=RecordKind.AUDIT))
    assert not store.save_record(record("a", age=1), expected=NOW - 4 * SECOND)
    assert store.records(RecordKind.NODE) == [record("a", age=5)]
    assert store.save_record(record("a", age=1), expected=NOW - 5 * SECOND)
    assert store.records(RecordKind.NODE) == [record("a", age=1)]


def test_a_record_is_dropped_if_it_is_the_one_that_was_expected(store: Store) -> None:
    for age, one in enumerate("abc"):
        store.save_record(record(one, age=age))
    assert store.drop_records(RecordKind.NODE, ["a", "b", "x"], expected=NOW - 1 * SECOND) == 1
    assert ids(store.records(RecordKind.NODE)) == ["c", "a"]
    assert store.drop_records(RecordKind.NODE, ["b"], expected=NOW - 1 * SECOND) == 0
