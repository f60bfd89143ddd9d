"""What only a PostgreSQL server can be asked: its clock, plans, names and damage."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from advanced_scheduler.clock import ManualClock, SystemClock
from advanced_scheduler.errors import ConfigurationError, StoreUnavailable
from advanced_scheduler.models import ExecutionFilter, TaskPriority
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores import sql_statements as statements
from advanced_scheduler.stores.abilities import Signal, SignalStore
from advanced_scheduler.stores.sql import PostgresStore, SqlStore
from advanced_scheduler.stores.sql_exchange import LOCK_BLOCKED, claim_unlocked, settling

from .nodes import another, drop, hears, raw
from .rows import (
    DAY,
    MINUTE,
    NOW,
    blocked,
    by,
    execution,
    finish,
    firing,
    ids,
    schedule,
    start,
    tick,
)


def test_everything_is_there_for_another_node(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    finish(postgres, start(postgres, execution("a"), execution("b")))
    start(postgres, execution("c", args=(1, "x"), kwargs={"y": [None]}, tags=("t",), timeout=0.1))
    postgres.add([blocked("d", "a", "task:u"), execution("e", due_time=NOW + DAY)])
    postgres.put(schedule(), expected=None)
    postgres.fire([firing()])
    postgres.acquire_lock("k", "token", NOW, NOW + MINUTE)
    with another(postgres_schema) as store:
        assert store.find(ExecutionFilter()) == postgres.find(ExecutionFilter())
        assert len(store.find(ExecutionFilter())) == 5
        assert store.schedules() == postgres.schedules()
        assert store.ticks("s", NOW, NOW + DAY) == [tick()]
        assert store.lock_fence("k") == 1


def test_the_clock_is_that_of_the_server(postgres: PostgresStore) -> None:
    first, second = postgres.time(), postgres.time()
    assert first is not None
    assert second is not None
    assert first < second
    assert abs(first - SystemClock().now()) < MINUTE


DAMAGE = {
    "bad JSON": "args = '{'",
    "another JSON": "kwargs = '7'",
    "an unknown status": "status = 'zombie'",
    "an unknown priority": "priority = 9",
    "a dependency of an unknown type": """dependencies = '[["u","whim",null,null]]'""",
    "an instant beyond all calendars": "created_time = 9000000000000000000",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_row_that_cannot_be_read_is_left_alone_and_stops_nobody(
    postgres: PostgresStore, postgres_schema: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.add([execution(name, priority=TaskPriority.HIGH) for name in ("a", "b")])
    postgres.add([execution("c"), execution("d")])
    damaged = "SELECT * FROM executions WHERE execution_id IN ('a', 'b') ORDER BY 1"
    with raw(postgres_schema) as client:
        client.execute(f"UPDATE executions SET {DAMAGE[damage]} WHERE execution_id IN ('a', 'b')")
        client.commit()
        before = client.execute(damaged).fetchall()
        client.commit()
        with caplog.at_level(logging.ERROR):
            assert ids(postgres.claim(by(limit=1))) == ["c"]
            assert ids(postgres.find(ExecutionFilter(limit=1))) == ["d"]
            assert postgres.get(["a", "c"]) == postgres.get(["c"])
            assert ids(postgres.claim(by())) == ["d"]
            assert postgres.claim(by()) == []
        assert client.execute(damaged).fetchall() == before
    logged = [record.getMessage()[:11] for record in caplog.records]
    assert "execution a" in logged
    assert len(logged) == len(set(logged))


def test_a_repaired_row_is_claimed_within_a_minute(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    clock = postgres._executions._clock = ManualClock()
    postgres.add([execution("a")])
    with raw(postgres_schema) as client:
        client.execute("UPDATE executions SET args = '{'")
        client.commit()
        assert postgres.claim(by()) == []
        client.execute("UPDATE executions SET args = '[1]'")
    clock.advance(minutes=2)
    assert [row.args for row in postgres.claim(by())] == [(1,)]


def test_a_time_beyond_all_calendars_is_what_is_next_and_no_error(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    postgres.add([execution("a")])
    postgres.put(schedule(), expected=None)
    with raw(postgres_schema) as client:
        client.execute("UPDATE executions SET due_time = -9000000000000000000")
        client.execute("UPDATE schedules SET next_fire_time = 9000000000000000000")
    assert postgres.next_due() == datetime.min.replace(tzinfo=UTC)
    assert postgres.next_fire() == datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["Mixed Case", 'qu"ote', "select", "semi;colon", "дом", "%s", "a.b"]
)
def test_a_schema_may_have_any_name(postgres_url: str, name: str) -> None:
    with another(f"{postgres_url}?schema={quote(name)}") as store:
        assert store.add([execution("a"), blocked("b", "x")]) == [True, True]
        assert ids(store.claim(by())) == ["a"]
        hears(store)
        drop(store)


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/db",
        f"postgres://me:{SECRET}@127.0.0.1:1/db?connect_timeout=2",
        f"postgresql+psycopg://127.0.0.1:1/db?user=me&password={SECRET}",
        f"postgresql://me:{SECRET}@127.0.0.1:port/db",
        f"postgresql://me:half@{SECRET}@127.0.0.1:1/db",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?nonsense=1",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?schema=pg_toast",
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?schema=" + "x" * 61,
        f"postgresql+asyncpg://me:{SECRET}@127.0.0.1:1/db",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises((ConfigurationError, StoreUnavailable)) as refused:
        open_store(url).open()
    seen: list[BaseException] = []
    error: BaseException | None = refused.value
    while error is not None:
        seen.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert [one for one in seen if SECRET in f"{one} {one!r}"] == []


def test_an_option_that_libpq_does_not_know_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'invalid connection option "nonsense"'):
        open_store("postgresql://localhost/db?nonsense=1")


def test_only_a_store_that_can_send_signals_says_so(
    postgres: PostgresStore, sqlite: SqlStore
) -> None:
    assert isinstance(postgres, SignalStore)
    assert not isinstance(sqlite, SignalStore)


PLANS: dict[str, tuple[Any, str]] = {
    "claim": (claim_unlocked(statements.Wanted()), "executions_claim"),
    "claim from queues": (
        claim_unlocked(statements.Wanted(queues=True)),
        "executions_claim",
    ),
    "next due": (statements.NEXT_DUE, "executions_claim"),
    "expired": (statements.EXPIRED, "executions_status"),
    "stranded": (statements.STRANDED, "executions_blocked"),
    "later runs of a task": (statements.STRANDED, "executions_task"),
    "end of the history": (statements.NEWEST_IN_EXCESS, "executions_ended"),
    "prune": (statements.PRUNE_BY_AGE, "executions_ended"),
    "whether to prune": (statements.PRUNABLE, "executions_ended"),
    "old ticks": (statements.PRUNABLE, "ticks_instant"),
    "waiting": (statements.WAITING_TASKS, "executions_status"),
}


def explained(store: PostgresStore, statement: Any, given: dict[str, Any]) -> list[str]:
    """The lines of the plan of a statement."""

    def explain(_c: Any, _cursor: Any, text: str, given: Any, *_: Any) -> tuple[str, Any]:
        return f"EXPLAIN {text}", given

    with store._engine.connect() as db:
        sa.event.listen(db, "before_cursor_execute", explain, retval=True)
        return [line for (line,) in db.execute(statement, given).cursor.fetchall()]


@pytest.mark.parametrize("what", PLANS)
def test_the_length_of_the_history_does_not_matter(postgres: PostgresStore, what: str) -> None:
    statement, index = PLANS[what]
    given = {"now": 1, "limit": 1, "keep": 1, "older_than": 1, "before": 1, "new_node": "n"}
    plan = explained(postgres, statement, {**given, "new_lease_until": 1, "queues": ["q"]})
    assert any(index in line for line in plan)
    assert [line for line in plan if "Seq Scan" in line] == []


def test_to_settle_an_end_reads_no_more_than_what_waits_for_it(postgres: PostgresStore) -> None:
    """Left to itself, PostgreSQL would read all edges, and all history, to join a few of them."""
    postgres.add([blocked(f"e{n}", f"x{n}", f"y{n}") for n in range(3000)])
    news, named = postgres._listener.news(Signal.WORK)
    given = {**named, "rows": '[{"key": "x1", "meets": ["success"]}]'}
    for statement in (LOCK_BLOCKED, settling(news)):
        plan = explained(postgres, statement, given)
        assert any("execution_edges_upstream" in line for line in plan)
        assert [
            line for line in plan if ("Hash" in line and "Join" in line) or "Merge" in line
        ] == []


def test_ids_are_in_the_order_of_python_whatever_the_locale(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    with raw(postgres_schema) as client:
        found = client.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND data_type = 'character varying'"
            " AND collation_name IS DISTINCT FROM 'C'"
        ).fetchall()
    assert found == [("advanced_scheduler_version", "version_num")]
