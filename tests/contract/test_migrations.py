"""From every released schema to this one, on SQLite and PostgreSQL, with old nodes beside new."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from advanced_scheduler.errors import ConfigurationError, StoreError
from advanced_scheduler.models import ExecutionFilter, TaskStatus
from advanced_scheduler.stores import sql_migration as migration
from advanced_scheduler.stores.abilities import Revisions
from advanced_scheduler.stores.sql import SqliteStore, SqlStore
from advanced_scheduler.stores.sql_schema import HEAD, META, READABLE_FROM, schedules
from tests.contract.rows import MINUTE, NOW, by, execution, firing, ids, one, schedule
from tests.contract.sites import Site, new_engine, rows

RELEASES: Final = ("0001", "0002", "0003")
"""Revisions that users have."""

REVISIONS: Final = tuple(f"{number:04}" for number in range(1, int(HEAD)))
"""All before this one: also those between two releases, which some build had."""

UNREAD_INDEX: Final = "ignore:.*expression-based index:Warning"


@pytest.fixture(params=["sqlite", "postgresql"])
def new_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Site]]:
    """Makes empty databases of one kind."""
    made: list[Site] = []

    def make() -> Site:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/{len(made)}.db"
            made.append(Site(new_engine(url), None, url))
        else:
            url = request.getfixturevalue("postgres_url")
            name = f"migrations_{len(made)}"
            engine = sa.create_engine(
                sa.make_url(url).set(drivername="postgresql+psycopg"),
                execution_options={"schema_translate_map": {None: name}},
            )
            made.append(Site(engine, name, url))
        return made[-1]

    yield make
    for site in made:
        if site.schema is not None:
            with site.engine.begin() as db:
                db.execute(sa.schema.DropSchema(site.schema, cascade=True, if_exists=True))
        site.engine.dispose()


@pytest.fixture
def site(new_site: Callable[[], Site]) -> Site:
    """An empty database."""
    return new_site()


@pytest.fixture(params=RELEASES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    """A store on a released SQLite database with rows, upgraded by ``open``."""
    url = f"sqlite:///{tmp_path}/store.db"
    with new_engine(url).connect() as db:
        old = Site(db.engine, None, url)
    old.release(request.param)
    old.run(rows(request.param))
    store = SqliteStore(url)
    store.open()
    yield store
    store.close()
    old.engine.dispose()


def test_the_revisions_form_one_line_up_to_the_tables_of_this_version() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migration.__file__).with_name("migrations")))
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()] == [*migration.REVISIONS[::-1]]
    assert scripts.get_heads() == [HEAD]


def test_a_new_database_is_what_all_revisions_make_of_an_empty_one(
    new_site: Callable[[], Site],
) -> None:
    new, migrated = new_site(), new_site()
    new.prepare()
    migrated.migrate(None, HEAD)
    assert new.tables() == migrated.tables()
    assert (
        new.revisions()
        == migrated.revisions()
        == Revisions(current=HEAD, head=HEAD, readable_from=READABLE_FROM)
    )


@pytest.mark.filterwarnings(UNREAD_INDEX)
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_released_database_becomes_what_a_new_one_is(
    new_site: Callable[[], Site], revision: str
) -> None:
    new, old = new_site(), new_site()
    new.prepare()
    old.release(revision)
    old.run(rows(revision))
    assert old.revisions() == Revisions(current=revision, head=HEAD, readable_from=READABLE_FROM)
    old.prepare()
    assert old.revisions().at_head
    assert old.tables() == new.tables()
    assert old.differences() == new.differences() == []
    prefix = "" if old.schema is None else "{}."
    meta = {(one["key"], one["value"]) for one in META}
    assert set(old.ask(f"SELECT key, value FROM {prefix}scheduler_meta")) == meta


@pytest.mark.filterwarnings(UNREAD_INDEX)
def test_a_difference_would_be_found(site: Site) -> None:
    site.prepare()
    site.run("ALTER TABLE schedules DROP COLUMN ledger_from; DROP INDEX ticks_instant")
    assert {difference[0] for difference in site.differences()} == {"add_column", "add_index"}


@pytest.mark.parametrize("revision", REVISIONS)
def test_nodes_of_a_release_go_on_beside_this_one(site: Site, revision: str) -> None:
    site.release(revision)
    site.prepare()
    site.run(rows(revision))
    prefix = "" if site.schema is None else "{}."
    columns = "at_most_once, queue, rank, extras"
    found = site.ask(f"SELECT DISTINCT {columns} FROM {prefix}executions")
    assert found == [(0, "default", 0, None)]
    counts = site.ask(f"SELECT DISTINCT run_count, name FROM {prefix}schedules")
    assert counts == [(0, None)]
    assert ("schema", "1") in site.ask(f"SELECT key, value FROM {prefix}scheduler_meta")


def test_the_rows_of_a_release_are_read_as_they_were_written(opened: SqliteStore) -> None:
    by_id = {row.execution_id: row for row in opened.find(ExecutionFilter())}
    ended = ("completed", "failed", "cancelled", "skipped", "retrying", "running", "pending")
    assert {name: by_id[name].status for name in ended} == {
        name: TaskStatus(name) for name in ended
    }
    assert by_id["completed"].result == {"n": 1}
    assert by_id["blocked"].blocked_by == {"pending", "task:t"}
    assert not any(row.at_most_once for row in by_id.values())
    assert opened.unreadable() == []
    paused, running = opened.schedules()
    assert (paused.paused, running.paused) == (True, False)
    assert {running.last_fire_time, running.ledger_from} in ({None}, {NOW})
    assert all((row.queue, row.rank, row.extras) == ("default", 0, {}) for row in by_id.values())
    assert (running.name, running.run_count, running.metadata) == (None, 0, {})
    assert [tick.instant for tick in opened.ticks("s", NOW, running.next_fire_time or NOW)] == [NOW]
    assert (opened.lock_until("held", NOW) is not None, opened.lock_fence("free")) == (True, 1)


def test_work_of_a_release_goes_on(opened: SqliteStore) -> None:
    assert ids(opened.claim(by(now=NOW))) == ["pending"]
    assert one(opened, "pending").fence == 1
    (seen,) = opened.schedules(["s"])
    at = NOW + MINUTE
    step = firing(expected=at, last=seen.last_fire_time, executions=[execution("new")])
    assert opened.fire([step]) == [True]
    (fired,) = opened.schedules(["s"])
    assert (fired.last_fire_time, fired.run_count) == (at, 1)
    assert opened.put(replace(fired, version=2, name="every minute"), expected=fired)


def test_the_version_that_a_release_has_put_is_kept(opened: SqliteStore) -> None:
    (seen,) = opened.schedules(["s"])
    assert opened.versions("s") == [seen]
    edited = replace(seen, version=2, changelog="by this release")
    assert opened.put(edited, expected=seen)
    assert opened.versions("s") == [seen, edited]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_version_that_an_old_node_put_beside_this_one_is_kept(
    request: pytest.FixtureRequest, kind: str
) -> None:
    store: SqlStore = request.getfixturevalue(kind)
    store.put(schedule(name="nightly", run_count=3), expected=None)
    with store._engine.begin() as db:
        db.execute(sa.update(schedules).values(version=2, task_id="old"))
    (seen,) = store.schedules()
    assert (seen.name, seen.run_count, seen.version) == ("nightly", 3, 2)
    assert store.versions("s")[1:] == [seen]
    assert store.put(replace(seen, version=3, task_id="new"), expected=seen)
    assert [(one.version, one.task_id) for one in store.versions("s")] == [
        (1, "t"),
        (2, "old"),
        (3, "new"),
    ]


@pytest.mark.parametrize("start", [None, *RELEASES])
def test_many_may_open_at_once(site: Site, start: str | None) -> None:
    if start is not None:
        site.release(start)
    together, failures = threading.Barrier(6), []

    def open_it() -> None:
        together.wait()
        try:
            site.prepare()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert site.revisions().at_head


def test_processes_may_upgrade_one_file_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    old = Site(new_engine(url), None, url)
    old.release("0001")
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from advanced_scheduler.stores import open_store\n"
        f"store = open_store({url!r}); store.open(); store.close()"
    )
    nodes = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(3)
    ]
    assert [(node.communicate()[1], node.returncode) for node in nodes] == [(b"", 0)] * 3
    assert old.revisions().at_head
    old.engine.dispose()


@pytest.mark.parametrize("start", [None, *RELEASES])
def test_what_must_not_be_touched_is_refused_with_what_to_do(site: Site, start: str | None) -> None:
    if start is not None:
        site.release(start)
    state = f"is at revision {start}" if start else "has no tables of ours yet"
    with pytest.raises(StoreError, match=rf"store=here {state}.*needs {HEAD}") as refusal:
        site.prepare(automatic=False)
    assert "`advanced-scheduler db upgrade --store here`" in str(refusal.value)
    assert "auto_migrate=True" in str(refusal.value)
    assert site.revisions().current == start
    site.prepare()
    site.prepare(automatic=False)


def _newer(site: Site, readable_from: str) -> None:
    site.prepare()
    site.run(
        "UPDATE advanced_scheduler_version SET version_num = '0099';"
        f"UPDATE scheduler_meta SET value = '{readable_from}' WHERE key = 'readable_from'"
    )


def test_a_newer_revision_that_this_version_can_read_is_left_as_it_is(site: Site) -> None:
    _newer(site, READABLE_FROM)
    site.prepare()
    assert site.revisions() == Revisions(current="0099", head=HEAD, readable_from=READABLE_FROM)


def test_a_newer_revision_that_this_version_cannot_read_is_refused(site: Site) -> None:
    _newer(site, "0098")
    with pytest.raises(StoreError, match=r"revision 0099.*upgrade the package"):
        site.prepare()


def test_tables_that_no_release_has_made_are_refused(site: Site) -> None:
    site.release("0001")
    site.run(
        "UPDATE scheduler_meta SET value = '99' WHERE key = 'schema';"
        "DROP TABLE IF EXISTS advanced_scheduler_version"
    )
    with pytest.raises(StoreError, match="tables of schema '99'"):
        site.prepare()


def test_an_upgrade_that_fails_leaves_everything_as_it_was(site: Site) -> None:
    site.release("0001")
    site.run("ALTER TABLE schedules ADD COLUMN resumed_time BIGINT")
    before = site.tables()
    with pytest.raises(sa.exc.DatabaseError, match="resumed_time"):
        site.prepare()
    assert site.tables() == before
    assert site.revisions().current == "0001"


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (None, "0099", "'0099' is no revision; use one of 0001, 0002, 0003, 0004, 0005, 0006"),
        ("first", HEAD, "'first' is no revision"),
        ("0002", "0001", "0001 comes before 0002; there is no way back"),
    ],
)
def test_statements_for_a_way_that_does_not_exist_are_refused(
    start: str | None, end: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        migration.upgrade_sql("postgresql", schema="s", start=start, end=end)


def test_alembic_is_not_loaded_where_there_is_nothing_to_do(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from advanced_scheduler.stores import open_store\n"
        f"store = open_store('sqlite:///{tmp_path}/store.db')\n"
        "store.open(); store.close(); store.open(); store.close()\n"
        "print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
