"""What a store does while its PostgreSQL is away, or says nothing."""

from __future__ import annotations

from contextlib import suppress

import pytest

from advanced_scheduler.errors import StoreUnavailable
from advanced_scheduler.stores.sql import PostgresStore
from advanced_scheduler.stores.sql_postgresql import PatientConnection
from tests.support.servers import PostgresServer

from .nodes import another, raw
from .rows import (
    done,
    execution,
    ids,
    start,
)


def test_a_server_that_was_away_is_used_again(private_postgres: PostgresServer) -> None:
    with another(private_postgres.url) as store:
        store.add([execution("a")])
        for verb in (private_postgres.stop, private_postgres.kill):
            verb()
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                store.ping()
            with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
                store.add([execution("b")])
            private_postgres.start()
            assert ids(store.get(["a", "b"])) == ["a"]


def test_connections_of_a_server_that_was_started_again_are_replaced(
    private_postgres: PostgresServer,
) -> None:
    with another(private_postgres.url) as store:
        private_postgres.stop()
        private_postgres.start()
        with suppress(StoreUnavailable):  # the connection that it held is found to be broken
            store.ping()
        store.ping()


def test_no_call_waits_for_ever_for_a_server_that_says_nothing(
    private_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientConnection, "patience", 1.5)
    with another(private_postgres.url) as store:
        store.ping()
        private_postgres.pause()
        with pytest.raises(StoreUnavailable, match=r"no answer within 1\.5 s"):
            store.ping()
        private_postgres.resume()
        store.ping()


def test_a_lock_that_is_held_too_long_makes_the_store_unavailable(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    (row,) = start(postgres, execution("a"))
    with (
        another(f"{postgres_schema}&options=-c lock_timeout=100ms") as store,
        raw(postgres_schema) as client,
    ):
        client.execute("SELECT 1 FROM executions FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            store.apply([done(row)])
