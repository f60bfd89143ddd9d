"""What becomes of transactions on PostgreSQL that are after the same rows at once."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from queue import SimpleQueue

import pytest
import sqlalchemy as sa

from advanced_scheduler.lifecycle import fail
from advanced_scheduler.models import ExecutionFilter, TaskDependency, TaskPriority, TaskStatus
from advanced_scheduler.stores import sql_statements as statements
from advanced_scheduler.stores.base import Exchange
from advanced_scheduler.stores.sql import PostgresStore
from advanced_scheduler.stores.sql_edges import settle
from advanced_scheduler.stores.sql_exchange import claiming
from tests.support.waiting import eventually

from .nodes import another, raw
from .rows import (
    DAY,
    MINUTE,
    NOW,
    by,
    done,
    everything,
    execution,
    firing,
    ids,
    schedule,
    start,
)


def test_nodes_share_the_work_and_no_row(postgres: PostgresStore, postgres_schema: str) -> None:
    postgres.add([execution(f"e{n:03}") for n in range(200)])
    with another(postgres_schema) as other, ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(everything, store) for store in [postgres, other] * 3]
        taken = [one for job in jobs for one in job.result()]
    assert sorted(taken) == [f"e{n:03}" for n in range(200)]


def test_a_claim_passes_over_what_others_have_locked(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    postgres.add([execution(name) for name in "abc"])
    with raw(postgres_schema) as client:
        client.execute("SELECT 1 FROM executions WHERE execution_id = 'a' FOR UPDATE")
        assert ids(postgres.claim(by(limit=1))) == ["b"]
        client.rollback()
    assert ids(postgres.claim(by())) == ["a", "c"]


def test_a_claim_locks_no_row_that_it_does_not_take(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    postgres.add(
        [
            execution(f"{int(level)}{name}", priority=level, rank=rank)
            for level in TaskPriority
            for rank, name in ((1, "a"), (0, "b"))
        ]
    )
    with another(postgres_schema) as other:
        rest = postgres._write(
            lambda db: [
                *sorted(row.execution_id for row in db.execute(*claiming(by(limit=3)))),
                "|",
                *ids(other.claim(by())),
            ]
        )
    assert rest == ["0a", "0b", "1a", "|", "1b", "2a", "2b", "3a", "3b", "4a", "4b"]


def test_a_heartbeat_renews_what_nobody_has_locked_and_loses_nothing(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    held = {row.execution_id: row.fence for row in start(postgres, execution("a"), execution("b"))}
    with raw(postgres_schema) as client:
        client.execute("SELECT 1 FROM executions WHERE execution_id = 'a' FOR UPDATE")
        assert postgres.extend("node", held, NOW + DAY) == {"a", "b"}
    leases = {row.execution_id: row.lease_until for row in postgres.get(held)}
    assert leases == {"a": NOW + MINUTE, "b": NOW + DAY}
    assert postgres.extend("other", held, NOW + DAY) == set()


def test_a_row_in_use_does_not_stop_the_rescue_of_others(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    start(postgres, execution("a"), execution("b"))
    with raw(postgres_schema) as client:
        client.execute("SELECT 1 FROM executions WHERE execution_id = 'a' FOR UPDATE")
        assert ids(postgres.expired(NOW + DAY, 10)) == ["b"]
    assert ids(postgres.expired(NOW + DAY, 10)) == ["a", "b"]


def test_callers_who_hold_all_connections_keep_no_lease_from_being_renewed(
    postgres: PostgresStore,
) -> None:
    (row,) = start(postgres, execution("a"))
    with ExitStack() as callers:
        for _ in range(15):
            callers.enter_context(postgres._dialect.connect())
        assert postgres.extend("node", {"a": row.fence}, NOW + DAY) == {"a"}
        assert postgres.time() is not None


@pytest.mark.parametrize("ways", [1, 2])
def test_rows_are_locked_in_one_order_in_however_many_ways_they_change(
    postgres: PostgresStore, postgres_schema: str, ways: int
) -> None:
    rows = start(postgres, *(execution(name) for name in "abcd"))
    ends = [
        done(row) if n % ways == 0 else fail(row, error="no", now=NOW) for n, row in enumerate(rows)
    ]
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
    free = "SELECT execution_id FROM executions ORDER BY 1 FOR UPDATE SKIP LOCKED"
    with (
        raw(postgres_schema) as client,
        raw(postgres_schema) as other,
        ThreadPoolExecutor() as pool,
    ):
        client.execute("SELECT 1 FROM executions WHERE execution_id = 'c' FOR UPDATE")
        applied = pool.submit(postgres.apply, ends[::-1])
        eventually(
            lambda: bool(other.execute(waiting, [f"%{postgres._dialect.schema}%"]).fetchall()),
            what="the end of c waits for whoever has locked it",
        )
        assert other.execute(free).fetchall() == [("d",)]
        other.rollback()
        client.rollback()
        assert applied.result() == [True] * 4


@pytest.mark.parametrize("at_once", [2, 8])
def test_of_many_who_add_one_unique_key_at_once_one_does(
    postgres: PostgresStore, at_once: int
) -> None:
    def add(round_: int, n: int) -> list[bool]:
        row = execution(f"e{round_:02}-{n}", unique_key=f"k{round_}")
        return postgres.add([execution(f"f{round_:02}-{n}"), row])

    with ThreadPoolExecutor(at_once) as pool:
        for round_ in range(10):
            added = list(pool.map(add, [round_] * at_once, range(at_once)))
            assert [first for first, _ in added] == [True] * at_once
            assert sum(second for _, second in added) == 1


def test_of_nodes_that_fire_rows_of_one_unique_key_at_once_one_does(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    names = ["s1", "s2", "s3", "s4"]
    for name in names:
        postgres.put(schedule(name), expected=None)

    def fire(name: str, at: datetime) -> bool:
        rows = [execution(f"{name}-{at}"), execution(f"{name}-{at}-u", unique_key=f"{at}")]
        (fired,) = postgres.fire([firing(name, at, executions=rows)])
        return fired

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(fire, names, [NOW] * 4)) == 1
    assert len(postgres.find(ExecutionFilter())) == 2
    assert len(postgres.due(NOW, 9)) == 3


@pytest.mark.parametrize("what", ["schedule", "lock"])
def test_of_many_who_make_the_same_at_once_one_does(postgres: PostgresStore, what: str) -> None:
    def make(n: int) -> bool:
        if what == "lock":
            return postgres.acquire_lock("k", f"token{n}", NOW, NOW + MINUTE) is not None
        return postgres.put(schedule("s"), expected=None)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 1


def test_transactions_that_meet_in_opposite_order_both_come_through(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    rows = start(postgres, *(execution(f"e{n:02}") for n in range(40)))
    with another(postgres_schema) as other, ThreadPoolExecutor(2) as pool:
        there = pool.submit(other.apply, [done(row) for row in rows])
        back = pool.submit(postgres.apply, [done(row) for row in reversed(rows)])
        assert sum(there.result()) + sum(back.result()) == 40


def test_a_deadlock_is_run_again(postgres: PostgresStore) -> None:
    postgres.add([execution("a"), execution("b")])
    met: SimpleQueue[str] = SimpleQueue()
    ready = {"a": SimpleQueue[int](), "b": SimpleQueue[int]()}

    locking = statements.SEEN_STATES.with_for_update()

    def lock(first: str, second: str) -> int:
        tries = 0

        def work(db: sa.Connection) -> int:
            nonlocal tries
            tries += 1
            db.execute(locking, {"ids": [first]})
            ready[first].put(1)
            if tries == 1:
                ready[second].get(timeout=10)
            db.execute(locking, {"ids": [second]})
            met.put(first)
            return tries

        return postgres._write(work)

    with ThreadPoolExecutor(2) as pool:
        tried = list(pool.map(lock, "ab", "ba"))
    assert max(tried) > 1
    assert {met.get(), met.get()} == {"a", "b"}


def test_the_last_two_upstreams_may_end_on_two_nodes_at_once(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    """Each deletes its edge and sees that of the other, unless one waits."""
    rows = start(postgres, execution("a"), execution("b"))
    needed = tuple(TaskDependency("t", execution_id=row.execution_id) for row in rows)
    postgres.add([execution("c", dependencies=needed, blocked_by=frozenset("ab"))])

    def end(db: sa.Connection) -> list[str]:
        ended = {"a": TaskStatus.COMPLETED}
        assert settle(db.execute, ended).unblocked == ["c"]
        job = pool.submit(other.exchange, [done(rows[1])], by())
        with raw(postgres_schema) as client:
            locks = "SELECT 1 FROM pg_locks WHERE NOT granted"
            eventually(lambda: client.execute(locks).fetchone() is not None)
        jobs.append(job)
        return [row.execution_id for row in db.execute(*claiming(by()))]

    jobs: list[Future[Exchange]] = []
    with another(postgres_schema) as other, ThreadPoolExecutor(1) as pool:
        assert postgres._write(end) == []
        assert ids(jobs[0].result().claimed) == ["c"]


def test_only_a_batch_of_firings_that_met_others_looks_for_them(postgres: PostgresStore) -> None:
    for one in "abc":
        postgres.put(schedule(one), expected=None)
    reads: list[str] = []

    def note(_db: object, _cursor: object, text: str, *_: object) -> None:
        words = text.split()
        if words[0] == "SELECT" and "FROM" in words:
            reads.append(words[words.index("FROM") + 1].rpartition(".")[2])

    sa.event.listen(postgres._engine, "before_cursor_execute", note)
    steps = [firing(one, executions=[execution(f"x{one}")]) for one in "abc"]
    assert postgres.fire(steps[:2]) == [True, True]
    assert reads == ["schedules"]

    reads.clear()
    taken = firing("a", NOW + MINUTE, executions=[execution("xb", scheduled_time=NOW)])
    assert postgres.fire([taken, steps[2]]) == [False, True]
    assert reads == ["schedules", "schedules", "ticks", "executions"]
