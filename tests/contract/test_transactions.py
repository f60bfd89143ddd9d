"""An execution that is accepted in the caller's transaction shares its fate."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from advanced_scheduler import (
    AdvancedTaskScheduler,
    ConfigurationError,
    ExecutionNotFound,
    InvalidArguments,
    ScheduleOptions,
    Settings,
    TaskDefinition,
)
from advanced_scheduler.stores.abilities import Signal, SignalStore
from tests.contract.sites import new_engine
from tests.support.waiting import eventually


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store that does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    found: str = request.getfixturevalue("postgres_schema")
    return found


@pytest.fixture
def scheduler(url: str) -> Iterator[AdvancedTaskScheduler]:
    """With a task, on a fresh store."""
    made = AdvancedTaskScheduler(store=url, settings=Settings(auto_migrate=True))
    made.register_task(TaskDefinition("confirm", "Confirm", list))
    yield made
    made.close()


@pytest.fixture
def database(url: str, scheduler: AdvancedTaskScheduler) -> Iterator[sa.Engine]:
    """What the application itself uses, with a table of its own."""
    address = sa.make_url(url).set(query={})
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS orders (id INTEGER)"))
        connection.execute(sa.text("DELETE FROM orders"))
    yield engine
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE orders"))
    engine.dispose()


ORDER = sa.text("INSERT INTO orders VALUES (1)")


def orders(database: sa.Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM orders")) or 0)


def within(connection: object, **fields: object) -> ScheduleOptions:
    return ScheduleOptions(connection=connection, **fields)  # type: ignore[arg-type]  # any of them


def test_a_commit_accepts_it_and_until_then_nobody_sees_it(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with database.begin() as connection:
        connection.execute(ORDER)
        execution_id = scheduler.schedule_task("confirm", options=within(connection))
        assert scheduler.get_task_status(execution_id) is None
    status = scheduler.get_task_status(execution_id)
    assert status is not None
    assert status["status"] == "pending"
    assert orders(database) == 1


def test_a_rollback_takes_it_back(scheduler: AdvancedTaskScheduler, database: sa.Engine) -> None:
    with database.connect() as connection:
        connection.execute(ORDER)
        execution_id = scheduler.schedule_task("confirm", options=within(connection))
        connection.rollback()
    assert scheduler.get_task_status(execution_id) is None
    assert (scheduler.task_queue.size(), orders(database)) == (0, 0)


def test_a_session_of_the_orm_will_do(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with Session(database) as session:
        session.execute(ORDER)
        ids = scheduler.schedule_task_many("confirm", [()] * 1000, options=within(session))
        session.rollback()
        assert scheduler.task_queue.size() == 0
        ids = scheduler.schedule_task_many("confirm", [()] * 1000, options=within(session))
        session.commit()
    assert scheduler.task_queue.size() == len(set(ids)) == 1000


def test_a_unique_key_is_checked_against_the_same_transaction_too(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with database.begin() as connection:
        options = within(connection, unique="order-1")
        first = scheduler.schedule_task("confirm", options=options)
        assert scheduler.schedule_task("confirm", options=options) == first
        connection.execute(ORDER)  # the transaction goes on
    assert scheduler.task_queue.size() == orders(database) == 1
    with database.begin() as connection:
        options = within(connection, unique="order-1")
        assert scheduler.schedule_task("confirm", options=options) == first


def test_it_may_wait_for_one_of_the_same_transaction(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with database.begin() as connection:
        first = scheduler.schedule_task("confirm", options=within(connection))
        second = scheduler.schedule_task("confirm", options=within(connection, after=[first]))
        with pytest.raises(ExecutionNotFound):
            scheduler.schedule_task("confirm", options=within(connection, after=["unknown"]))
    with scheduler.running():
        assert scheduler.result(second, timeout=20) == []


def test_a_running_node_takes_it_up_after_the_commit(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with scheduler.running():
        with database.begin() as connection:
            execution_id = scheduler.schedule_task("confirm", options=within(connection))
        assert scheduler.result(execution_id, timeout=20) == []


def test_the_commit_is_the_signal_where_there_are_signals(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    store: object = scheduler.store
    if not isinstance(store, SignalStore):
        assert database.dialect.name == "sqlite"
        return
    heard: list[Signal] = []
    ready = threading.Event()

    def hear(signal: Signal) -> None:
        heard.append(signal)
        ready.set()

    end = store.subscribe(hear)
    eventually(lambda: _told(store, ready), what="the subscription is there")
    heard.clear()
    with database.begin() as connection:
        scheduler.schedule_task("confirm", options=within(connection))
    eventually(lambda: Signal.WORK in heard, what="the commit was heard")
    end()


def _told(store: SignalStore, ready: threading.Event) -> bool:
    store.publish(Signal.SCHEDULES)
    return ready.wait(0.1)


def test_bad_arguments_are_refused_and_the_transaction_goes_on(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with database.begin() as connection:
        with pytest.raises(InvalidArguments):
            scheduler.schedule_task("confirm", 1, 2, 3, options=within(connection))
        connection.execute(ORDER)
    assert (scheduler.task_queue.size(), orders(database)) == (0, 1)


NO_CONNECTIONS: list[Callable[[sa.Engine], object]] = [
    lambda _: "a text",
    lambda _: object(),
    lambda engine: engine,
    sessionmaker,
    lambda engine: engine.raw_connection(),
]


@pytest.mark.parametrize("make", NO_CONNECTIONS)
def test_what_is_no_connection_is_refused(
    make: Callable[[sa.Engine], object], scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    given = make(database)
    with pytest.raises(ConfigurationError, match="neither a Connection nor a Session"):
        scheduler.schedule_task("confirm", options=within(given))
    if hasattr(given, "close"):
        given.close()


def test_an_asynchronous_connection_is_told_the_way(
    scheduler: AdvancedTaskScheduler, postgres_url: str
) -> None:
    address = sa.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = create_async_engine(address)
    for given in (AsyncSession(engine), engine.connect()):
        with pytest.raises(ConfigurationError, match=r"run_sync\(...\)"):
            scheduler.schedule_task("confirm", options=within(given))


def test_a_connection_that_commits_at_once_is_refused(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    autocommit = database.execution_options(isolation_level="AUTOCOMMIT")
    with (
        autocommit.connect() as connection,
        pytest.raises(ConfigurationError, match="in autocommit mode"),
    ):
        scheduler.schedule_task("confirm", options=within(connection))
    assert scheduler.task_queue.size() == 0


class AtOnce(sqlite3.Connection):
    """As Python 3.12's connections with ``autocommit=True`` show themselves."""

    autocommit = True


def test_sqlite_that_commits_at_once_by_its_own_setting_is_refused(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    if database.dialect.name != "sqlite":
        return
    later: dict[str, Any] = {"autocommit": True}
    given = later if sys.version_info >= (3, 12) else {"factory": AtOnce}
    engine = sa.create_engine(database.url, connect_args=given)
    with (
        engine.connect() as connection,
        pytest.raises(ConfigurationError, match="in autocommit mode"),
    ):
        scheduler.schedule_task("confirm", options=within(connection))
    assert scheduler.task_queue.size() == 0
    engine.dispose()


def test_transactions_that_the_application_begins_by_itself_will_do(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    """As SQLAlchemy's documentation advises for SQLite."""
    if database.dialect.name != "sqlite":
        return
    engine = new_engine(str(database.url))
    with engine.connect() as connection:
        scheduler.schedule_task("confirm", options=within(connection))
        connection.rollback()
        assert scheduler.task_queue.size() == 0
        scheduler.schedule_task("confirm", options=within(connection))
        connection.commit()
    assert scheduler.task_queue.size() == 1
    engine.dispose()


def test_a_connection_that_was_closed_is_refused(
    scheduler: AdvancedTaskScheduler, database: sa.Engine
) -> None:
    with database.begin() as connection:
        scheduler.schedule_task("confirm", options=within(connection))
    with pytest.raises(ConfigurationError, match="cannot be used: This Connection is closed"):
        scheduler.schedule_task("confirm", options=within(connection))


def test_a_connection_to_another_database_is_refused(
    scheduler: AdvancedTaskScheduler, tmp_path: Path
) -> None:
    other = sa.create_engine(f"sqlite:///{tmp_path}/other.db")
    with other.begin() as connection, pytest.raises(ConfigurationError, match="another database"):
        scheduler.schedule_task("confirm", options=within(connection))
    other.dispose()


def test_a_store_without_transactions_says_so(tmp_path: Path) -> None:
    scheduler = AdvancedTaskScheduler()
    scheduler.register_task(TaskDefinition("confirm", "Confirm", list))
    other = sa.create_engine(f"sqlite:///{tmp_path}/other.db")
    with other.begin() as connection, pytest.raises(InvalidArguments, match="not MemoryStore"):
        scheduler.schedule_task("confirm", options=within(connection))
    other.dispose()
