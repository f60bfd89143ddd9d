"""Owns the fixtures of the scenarios, and marks every test here as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.harness import Cluster
from tests.scenarios.tasks import JOURNAL_VARIABLE

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.scenario)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Nodes on one SQLite file, without Redis."""
    cluster = Cluster(tmp_path)
    monkeypatch.setenv(JOURNAL_VARIABLE, str(cluster.journal_path))  # for runs in this process
    try:
        yield cluster
    finally:
        cluster.close()
