"""The stores that the contract is checked on, each open and empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.sql import SqlStore

BACKENDS: Final = {
    "memory": "memory://",
    "sqlite": "sqlite:///{folder}/store.db?synchronous=normal",
}
"""URL of each backend; ``{folder}`` is a fresh one for each test."""


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An open, empty store of each kind."""
    opened = open_store(BACKENDS[request.param].format(folder=tmp_path))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[SqlStore]:
    """An open, empty SQLite store in ``tmp_path / "store.db"``."""
    opened = SqlStore(f"sqlite:///{tmp_path}/store.db?synchronous=normal")
    opened.open()
    yield opened
    opened.close()
