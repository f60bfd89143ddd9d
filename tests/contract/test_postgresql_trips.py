"""How often the PostgreSQL store asks its server, and what a batch is worth that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import StoreError
from advanced_scheduler.lifecycle import cancel, fail, retry, unblock
from advanced_scheduler.models import ExecutionFilter, TaskExecution, TaskStatus
from advanced_scheduler.stores import sql_postgresql
from advanced_scheduler.stores.abilities import Signal
from advanced_scheduler.stores.sql import PostgresStore

from .nodes import another, hears, raw
from .rows import NOW, SECOND, blocked, by, done, execution, ids, one, start

Call = Callable[[PostgresStore, list[TaskExecution]], object]


@contextmanager
def traced(store: PostgresStore, file: Path) -> Iterator[Callable[[], int]]:
    """Answers how often the store has waited for its server."""
    with file.open("w") as trace:

        def follow(connection: Any, *_: Any) -> None:
            connection.pgconn.trace(trace.fileno())

        for engine in store._dialect._engines:
            sa.event.listen(engine, "checkout", follow)
        try:
            yield lambda: file.read_text().count("\tSync") + file.read_text().count("\tQuery\t")
        finally:
            for engine in store._dialect._engines:
                sa.event.remove(engine, "checkout", follow)
                engine.dispose()


CALLS: dict[str, tuple[int, Call]] = {
    "add": (1, lambda store, _: store.add([execution("x"), blocked("y", "u")])),
    "claim": (1, lambda store, _: store.claim(by())),
    "apply": (1, lambda store, rows: store.apply([done(row) for row in rows])),
    "exchange": (1, lambda store, rows: store.exchange([done(row) for row in rows], by())),
    "nothing": (0, lambda store, _: store.exchange([], by(limit=0))),
    "changes of many kinds": (
        1,
        lambda store, rows: store.exchange(
            [
                done(rows[0]),
                fail(rows[1], error="no", now=NOW),
                retry(rows[2], error="no", at=NOW),
                unblock(blocked("f", "z"), settled=frozenset({"z"})),
            ],
            by(),
        ),
    ),
    "an end that somebody waits for, and has to be looked at": (
        3,
        lambda store, rows: store.exchange([done(rows[0])], by()),
    ),
    "next due": (1, lambda store, _: store.next_due()),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_batch_is_one_round_trip(postgres: PostgresStore, tmp_path: Path, what: str) -> None:
    rows = start(postgres, *(execution(name) for name in "abc"))
    waits_for = "a" if "waits" in what else "z"
    postgres.add([execution("d"), execution("e"), blocked("f", waits_for)])
    trips, call = CALLS[what]
    with traced(postgres, tmp_path / "trace") as count:
        call(postgres, rows)
        assert count() == trips


def test_what_cannot_be_stored_leaves_all_of_its_batch_as_it_was(postgres: PostgresStore) -> None:
    rows = start(postgres, execution("a"), execution("b"))
    postgres.add([execution("c")])
    with pytest.raises(StoreError):
        postgres.exchange([done(rows[0]), fail(rows[1], error="\0", now=NOW)], by())
    assert postgres.get(["a", "b"]) == rows
    assert one(postgres, "c").status is TaskStatus.PENDING


def test_a_row_changed_twice_in_a_batch_takes_the_changes_in_order(postgres: PostgresStore) -> None:
    (row,) = start(postgres, execution("a"))
    again = retry(row, error="no", at=NOW + SECOND)
    gone = cancel(again.on(row), now=NOW)
    assert postgres.apply([done(row), again, gone]) == [True, False, False]
    (row,) = start(postgres, execution("b"))
    again = retry(row, error="no", at=NOW + SECOND)
    gone = cancel(again.on(row), now=NOW)
    assert postgres.apply([again, gone, done(row)]) == [True, True, False]
    assert one(postgres, "b").status is TaskStatus.CANCELLED


def test_a_connection_that_died_while_nobody_used_it_is_replaced(
    postgres: PostgresStore, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_postgresql, "_FRESH_SECONDS", 0.0)
    start(postgres, execution("a"))
    ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s"
    with raw(postgres_schema) as client:
        assert client.execute(ours, [f"%{postgres._dialect.schema}.%"]).fetchall()
    assert postgres.add([execution("b")]) == [True]
    assert ids(postgres.claim(by())) == ["b"]


def test_many_rows_are_all_added_or_those_that_meet_no_other(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    postgres._clock = ManualClock(NOW)
    with another(postgres_schema) as other:
        heard, _ = hears(other)
        rows = [execution(f"e{n:03}", unique_key=f"k{n}") for n in range(150)]
        waiting = [blocked(f"w{n:03}", "e000", f"e{n:03}") for n in range(1, 150)]
        assert postgres.add(rows + waiting) == [True] * 299
        assert heard.get(timeout=10) is Signal.WORK
    assert ids(postgres.dependents(["e007"])) == ["w007"]
    assert ids(postgres.dependents(["e000"])) == ids(waiting)
    assert postgres.get(ids(rows + waiting)) == rows + waiting
    fresh = [execution(f"f{n:03}", unique_key=f"k{n + 100}") for n in range(150)]
    assert postgres.add(fresh) == [n >= 50 for n in range(150)]
    assert postgres.add([*fresh, fresh[0]]) == [False] * 151
    assert len(postgres.find(ExecutionFilter(limit=1000))) == 399


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_many_rows_with_a_text_that_cannot_be_stored_are_refused(
    postgres: PostgresStore, text: str
) -> None:
    rows = [execution(f"e{n:03}", reason=text if n == 120 else "none") for n in range(150)]
    with pytest.raises(StoreError):
        postgres.add(rows)
    assert postgres.find(ExecutionFilter()) == []
