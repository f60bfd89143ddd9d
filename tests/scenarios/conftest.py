"""Owns the fixtures of the scenarios, and marks every test here as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import Cluster
from tests.scenarios.tasks import JOURNAL_VARIABLE
from tests.support.servers import fresh_schema

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.scenario)


@pytest.fixture
def new_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Makes the URL of an empty store on a server that the whole session shares, or in a file."""
    with ExitStack() as schemas:

        def new(store: str) -> str:
            if store == "sqlite":
                return f"sqlite:///{tmp_path_factory.mktemp(store)}/jobs.db"
            if store == "redis":
                return f"{request.getfixturevalue('redis_url')}?prefix=scenario_{uuid4().hex}"
            return schemas.enter_context(fresh_schema(request.getfixturevalue("postgres_url")))

        yield new


@pytest.fixture
def clusters(tmp_path: Path, new_store: Callable[[str], str]) -> Iterator[Clusters]:
    """Makes clusters, for tests that run on several stores at the same time."""
    made = Clusters(tmp_path, new_store)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """Nodes on one SQLite file, or on the store of ``clusters.on``; without Redis for locks."""
    cluster = clusters.new(getattr(request, "param", "sqlite"))
    monkeypatch.setenv(JOURNAL_VARIABLE, str(cluster.journal_path))  # for runs in this process
    return cluster
