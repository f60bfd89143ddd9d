"""What only a file can be asked: does it survive, is it shared, and what if it is damaged."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import ConfigurationError, StoreError, StoreUnavailable
from advanced_scheduler.lifecycle import complete
from advanced_scheduler.models import ExecutionFilter, TaskPriority
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores import sql_statements as statements
from advanced_scheduler.stores.sql import SqliteStore
from tests.support.stores import opened

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


def reopened(folder: Path) -> AbstractContextManager[SqliteStore]:
    """The store of the fixture ``sqlite``, as another process would see it."""
    return opened(SqliteStore(f"sqlite:///{folder}/store.db"))


@contextmanager
def raw(folder: Path) -> Iterator[sqlite3.Connection]:
    """The file itself."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        yield connection


def test_everything_is_there_when_the_file_is_opened_again(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    finish(sqlite, start(sqlite, execution("a"), execution("b")))
    start(sqlite, execution("c", args=(1, "x"), kwargs={"y": [None]}, tags=("t",)))
    sqlite.add([blocked("d", "a", "task:u"), execution("e", due_time=NOW + DAY)])
    sqlite.put(schedule(), expected=None)
    sqlite.fire([firing()])
    sqlite.acquire_lock("k", "token", NOW, NOW + MINUTE)
    before = sqlite.find(ExecutionFilter())
    sqlite.close()
    with reopened(tmp_path) as store:
        assert store.find(ExecutionFilter()) == before
        assert store.schedules() == [schedule(next_fire_time=NOW + MINUTE, last_fire_time=NOW)]
        assert store.ticks("s", NOW, NOW + DAY) == [tick()]
        assert store.lock_until("k", NOW) == NOW + MINUTE
        assert store.lock_fence("k") == 1
        assert store.next_due() == NOW + DAY


def test_closing_and_opening_again_is_harmless(sqlite: SqliteStore) -> None:
    sqlite.add([execution("a")])
    sqlite.open()
    sqlite.close()
    sqlite.close()
    sqlite.open()
    sqlite.ping()
    assert ids(sqlite.get(["a"])) == ["a"]


DYING_WRITER = """
import os, sys
sys.path[:0] = sys.argv[2:]
from advanced_scheduler.stores import sql_statements as statements
from advanced_scheduler.stores.sql import SqliteStore
from tests.contract.rows import execution
store = SqliteStore(sys.argv[1])
store.open()
print(store.add([execution(f"e{n}") for n in range(100)]).count(True), flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_was_added_survives_the_kill_of_its_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    died = subprocess.run(
        [sys.executable, "-c", DYING_WRITER, url, *sys.path],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (died.stdout.strip(), died.returncode) == ("100", -9), died.stderr
    with reopened(tmp_path) as store:
        assert len(store.claim(by(limit=1000))) == 100


@pytest.mark.parametrize(("option", "level"), [("", 2), ("?synchronous=normal", 1)])
def test_the_url_says_how_safely_the_disk_is_written(
    tmp_path: Path, option: str, level: int
) -> None:
    store = SqliteStore(f"sqlite:///{tmp_path}/store.db{option}")
    store.open()
    synchronous = store._read(lambda db: db.exec_driver_sql("PRAGMA synchronous").scalar())
    journal = store._read(lambda db: db.exec_driver_sql("PRAGMA journal_mode").scalar())
    store.close()
    assert (synchronous, journal) == (level, "wal")


def test_many_openers_at_once_find_one_set_of_tables(tmp_path: Path) -> None:
    stores = [SqliteStore(f"sqlite:///{tmp_path}/store.db") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(SqliteStore.open, stores))
    assert [store.add([execution(f"e{n}")]) for n, store in enumerate(stores)] == [[True]] * 8
    for store in stores:
        store.close()


def test_two_stores_on_one_file_share_the_work(sqlite: SqliteStore, tmp_path: Path) -> None:
    sqlite.add([execution(f"e{n:03}") for n in range(200)])
    with reopened(tmp_path) as other, ThreadPoolExecutor(4) as pool:

        def work(store: SqliteStore) -> list[str]:
            taken: list[str] = []
            while rows := store.claim(by("n", limit=3)):
                taken += ids(rows)
                finish(store, rows)
            return taken

        taken = [one for part in pool.map(work, [sqlite, other] * 2) for one in part]
    assert sorted(taken) == [f"e{n:03}" for n in range(200)]


def test_a_missing_folder_is_named_when_the_store_is_opened(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/missing/store.db")
    with pytest.raises(ConfigurationError, match=r"missing does not exist"):
        store.open()


@pytest.mark.parametrize(
    "url",
    ["sqlite://host/a.db", "sqlite://user@host/a.db", "sqlite:///a\0.db", "sqlite:///\ud800.db"],
)
def test_an_address_that_is_no_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no file here"):
        open_store(url)


def test_a_relative_path_means_the_same_file_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("sqlite:///store.db")
    store.open()
    store.add([execution("a")])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert ids(store.get(["a"])) == ["a"]
    store.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_nothing_is_accepted_into_a_file_that_was_deleted(
    sqlite: SqliteStore, tmp_path: Path, replaced: bool
) -> None:
    sqlite.add([execution("a")])
    file = tmp_path / "store.db"
    file.rename(tmp_path / "moved.db")
    if replaced:
        file.touch()
    with pytest.raises(StoreUnavailable, match="was deleted or replaced"):
        sqlite.add([execution("b")])
    with pytest.raises(StoreUnavailable, match="was deleted or replaced"):
        sqlite.ping()
    (tmp_path / "moved.db").rename(file)
    assert ids(sqlite.find(ExecutionFilter())) == ["a"]


def test_a_forked_process_uses_neither_locks_nor_connections_of_its_parent(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    sqlite.add([execution("a")])
    ours = sqlite._engine.pool
    with sqlite._dialect.writing():
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            sqlite.add([execution("b")])
            os._exit(0 if sqlite._engine.pool is not ours else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ids(sqlite.find(ExecutionFilter())) == ["b", "a"]


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("not a database" * 100)
    with pytest.raises(StoreError, match=r"not a database"), reopened(tmp_path):
        pass


def test_a_store_that_does_not_answer_is_unavailable(sqlite: SqliteStore, tmp_path: Path) -> None:
    with raw(tmp_path) as file:
        file.execute("ALTER TABLE scheduler_meta RENAME TO elsewhere")
    with pytest.raises(StoreUnavailable, match=r"store\.db") as raised:
        sqlite.ping()
    assert raised.value.__cause__ is not None


def test_an_exchange_is_one_transaction_of_few_statements(sqlite: SqliteStore) -> None:
    sqlite.add([execution(f"{number:02}") for number in range(20)])
    running = sqlite.claim(by(limit=10))
    statements: list[str] = []
    with sqlite._engine.connect() as db:  # the pool hands out the one that came back last
        file = cast(sqlite3.Connection, db.connection.dbapi_connection)
        file.set_trace_callback(statements.append)
    exchange = sqlite.exchange(
        [complete(row, result=None, metrics={}, now=NOW) for row in running], by(limit=10)
    )
    file.set_trace_callback(None)
    assert (sum(exchange.applied), len(exchange.claimed)) == (10, 10)
    assert (statements[0], statements[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert len(statements) <= 10 + 6


def test_a_write_that_fails_leaves_nothing_behind(sqlite: SqliteStore, tmp_path: Path) -> None:
    with raw(tmp_path) as file:
        file.execute("ALTER TABLE execution_edges RENAME TO elsewhere")
        with pytest.raises(StoreUnavailable):
            sqlite.add([execution("a"), blocked("b", "x")])
        assert file.execute("SELECT count(*) FROM executions").fetchone() == (0,)


DAMAGE = {
    "bad JSON": "args = '{'",
    "another JSON": "kwargs = '7'",
    "an unknown status": "status = 'zombie'",
    "an unknown priority": "priority = 9",
    "a text that is not UTF-8": "task_name = CAST(x'ff' AS TEXT)",
    "a dependency of an unknown type": """dependencies = '[["u","whim",null,null]]'""",
    "a count that is a text": "attempt = 'many'",
    "a fence that is a text": "fence = 'high'",
    "a time-out that is a text": "timeout = 'soon'",
    "a rank that is a text": "rank = 'high'",
    "extras that are no mapping": "extras = '7'",
    "an instant beyond all calendars": "created_time = 9000000000000000000",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_row_that_cannot_be_read_is_left_alone_and_stops_nobody(
    sqlite: SqliteStore, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite.add([execution(name, priority=TaskPriority.HIGH) for name in ("a", "b")])
    sqlite.add([execution("c")])
    damaged = "SELECT * FROM executions WHERE execution_id IN ('a', 'b')"
    with raw(tmp_path) as file:
        file.execute(f"UPDATE executions SET {DAMAGE[damage]} WHERE execution_id IN ('a', 'b')")
        file.text_factory = bytes
        before = file.execute(damaged).fetchall()
        with caplog.at_level(logging.ERROR):
            assert ids(sqlite.find(ExecutionFilter(limit=1))) == ["c"]
            assert ids(sqlite.claim(by(limit=1))) == ["c"]
            assert sqlite.get(["a", "c"]) == sqlite.get(["c"])
            assert sum(sqlite.counts().values()) >= 1
            assert sqlite.claim(by()) == []
        assert file.execute(damaged).fetchall() == before
    logged = [record.getMessage()[:11] for record in caplog.records]
    assert "execution a" in logged
    assert len(logged) == len(set(logged))


def test_an_id_that_cannot_be_read_ends_no_call(sqlite: SqliteStore, tmp_path: Path) -> None:
    sqlite.add([execution("a"), execution("b")])
    with raw(tmp_path) as file:
        file.execute(
            "UPDATE executions SET execution_id = CAST(x'ff' AS TEXT) WHERE execution_id = 'a'"
        )
    assert ids(sqlite.find(ExecutionFilter())) == ["b"]
    assert ids(sqlite.claim(by())) == ["b"]


def test_a_repaired_row_is_read_within_a_minute(sqlite: SqliteStore, tmp_path: Path) -> None:
    clock = sqlite._executions._clock = ManualClock()
    sqlite.add([execution("a")])
    with raw(tmp_path) as file:
        file.execute("UPDATE executions SET args = '{'")
        assert sqlite.claim(by()) == []
        file.execute("UPDATE executions SET args = '[1]'")
    clock.advance(minutes=2)
    assert [row.args for row in sqlite.claim(by())] == [(1,)]


def test_an_unreadable_schedule_stops_no_other(sqlite: SqliteStore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        sqlite.put(schedule(name), expected=None)
    with raw(tmp_path) as file:
        file.execute("UPDATE schedules SET trigger = '{' WHERE schedule_id = 'a'")
    assert [one.schedule_id for one in sqlite.due(NOW, 1)] == ["b"]
    assert [one.schedule_id for one in sqlite.schedules()] == ["b"]


def test_an_unreadable_version_hides_no_other_and_not_the_schedule(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    sqlite.put(schedule(), expected=None)
    edited = schedule(version=2)
    sqlite.put(edited, expected=schedule())
    with raw(tmp_path) as file:
        file.execute("UPDATE schedule_versions SET trigger = '{' WHERE version = 1")
    assert sqlite.versions("s") == sqlite.schedules() == [edited]
    assert sqlite.unreadable() == []


def test_an_unreadable_tick_hides_no_other(sqlite: SqliteStore, tmp_path: Path) -> None:
    sqlite.put(schedule(), expected=None)
    sqlite.fire([firing(), firing(expected=NOW + MINUTE)])
    with raw(tmp_path) as file:
        file.execute(
            "UPDATE ticks SET outcome = 'odd' WHERE instant = (SELECT min(instant) FROM ticks)"
        )
    assert sqlite.ticks("s", NOW, NOW + DAY) == [tick(instant=NOW + MINUTE)]


def test_to_see_that_nothing_is_to_be_trimmed_locks_nobody_out(
    sqlite: SqliteStore, tmp_path: Path
) -> None:
    finish(sqlite, start(sqlite, execution("a"), execution("b")))
    with raw(tmp_path) as file:
        file.execute("BEGIN IMMEDIATE")
        for keep, before in ((2, NOW + DAY), (0, NOW)):
            assert sqlite.prune(keep=keep, before=before, older_than=NOW, limit=10) == 0
    assert sqlite.prune(keep=1, before=NOW + DAY, older_than=NOW, limit=10) == 1


A_LONG_HISTORY = """
ANALYZE;
INSERT INTO sqlite_stat1 VALUES ('executions', 'executions_status', '1000000 142858 1 1');
INSERT INTO sqlite_stat1 VALUES ('executions', 'executions_task', '1000000 20000 1');
ANALYZE sqlite_schema;
"""
"""What SQLite remembers of a million executions of fifty tasks."""


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (statements.candidates(statements.Wanted()), "executions_claim"),
        (statements.LEVELS, "executions_claim"),
        (statements.NEXT_DUE, "executions_claim"),
        (statements.EXPIRED, "executions_status"),
        (statements.STRANDED, "executions_blocked"),
        (statements.NEWEST_IN_EXCESS, "executions_ended"),
        (statements.PRUNABLE, "executions_ended"),
        (statements.COUNTS, "executions_status"),
        (statements.WAITING_TASKS, "executions_status"),
    ],
)
@pytest.mark.parametrize("analysed", [False, True])
def test_the_length_of_the_history_does_not_matter(
    sqlite: SqliteStore, tmp_path: Path, statement: sa.Select[Any], index: str, analysed: bool
) -> None:
    ready = statement.params(now=0, limit=1, keep=1, statuses=["pending", "running"])
    text = str(ready.compile(sqlite._engine, compile_kwargs={"render_postcompile": True}))
    with raw(tmp_path) as file:
        if analysed:
            file.executescript(A_LONG_HISTORY)
        explained = file.execute(f"EXPLAIN QUERY PLAN {text}", [0] * text.count("?")).fetchall()
    steps = [step for *_, step in explained]
    assert any(index in step for step in steps)
    assert [step for step in steps if "SCAN executions" in step and index not in step] == []
