"""Which URL names which store, and what is said of those that name none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advanced_scheduler.errors import ConfigurationError
from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.stores.sql import SqliteStore


def test_memory_is_neither_durable_nor_blocking() -> None:
    store = open_store("memory://")
    assert isinstance(store, MemoryStore)
    assert (store.durable, store.blocking) == (False, False)
    assert not isinstance(store, LockStore)


def test_sqlite_is_durable_and_blocking_and_serves_locks(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    assert isinstance(store, SqliteStore)
    assert (store.durable, store.blocking) == (True, True)
    assert isinstance(store, LockStore)


def test_a_store_is_made_without_touching_the_disk(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/store.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["", "memory", "memory://x", "mongodb://host/db", "oracle://host/db", "sqlite"]
)
def test_an_unknown_url_is_refused_with_those_that_exist(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"use memory://, sqlite:///file\.db, postgres"):
        open_store(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_sqlite_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"names no file; use sqlite:///file\.db"):
        open_store(url)


@pytest.mark.parametrize("option", ["synchronous=off", "mode=ro", "synchronous=full&uri=true"])
def test_an_unknown_option_is_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match=r"the only option is synchronous="):
        open_store(f"sqlite:///store.db?{option}")


def test_the_memory_store_does_not_wait_for_sqlalchemy_to_load() -> None:
    program = (
        "import sys; from advanced_scheduler.stores import open_store; open_store('memory://');"
        "print('sqlalchemy' in sys.modules)"
    )
    asked = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {program}"]
    answer = subprocess.run(asked, capture_output=True, check=True, text=True)
    assert answer.stdout.strip() == "False"
