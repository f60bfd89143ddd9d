"""Owns the servers that the benchmarks share, their options, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from tests.benchmarks import machine, measuring
from tests.support.servers import PostgresServer

HERE = Path(__file__).parent
CHEAP = {"test_programs.py", "test_simulation_of_nodes.py"}  # no benchmarks, but tests of them


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption("--goals", action="store_true", help="fail if a goal is missed")
    group.addoption("--full", action="store_true", help="growth up to a million rows")
    group.addoption("--repeats", type=int, default=measuring.RUNS, help="runs of each program")


def pytest_configure(config: pytest.Config) -> None:
    measuring.RUNS = config.getoption("--repeats", default=measuring.RUNS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.path.name not in CHEAP:
            item.add_marker(pytest.mark.benchmark)
            item.add_marker(pytest.mark.timeout(4 * measuring.PATIENCE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not measuring.LINES:
        return
    terminalreporter.section(f"benchmarks, median of {measuring.RUNS}")
    for text in [*machine.described(), "", *map(str, measuring.LINES)]:
        terminalreporter.line(text)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    missed = any(line.reached is False for line in measuring.LINES)
    if exitstatus == 0 and missed and session.config.getoption("--goals", default=False):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether growth is measured at the size that the goals speak of."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def durable_postgres_url() -> Iterator[str]:
    """A PostgreSQL as it comes: a commit is on disk before it is answered."""
    server = PostgresServer(persistent=True)
    try:
        yield server.start().url
    finally:
        server.remove()


@pytest.fixture
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """``empty(kind)`` is the URL of a store that has nothing, of ours or of a peer.

    Redis, which writes nothing to disk here, has one at a time.
    """
    made: list[str] = []

    def sqlite() -> str:
        made.append(f"sqlite:///{tmp_path}/{len(made)}.db")
        return made[-1]

    def postgresql() -> str:
        server: str = request.getfixturevalue("durable_postgres_url")
        made.append(f"bench_{len(made)}")
        _command(server, f"CREATE DATABASE {made[-1]}")
        return urlsplit(server)._replace(path=f"/{made[-1]}").geturl()

    def redis_() -> str:
        url: str = request.getfixturevalue("redis_url")
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    kinds = {"memory": lambda: "memory://", "sqlite": sqlite, "postgresql": postgresql}
    yield lambda kind: {**kinds, "redis": redis_}[kind]()
    for name in made:
        if name.startswith("bench_"):
            server = request.getfixturevalue("durable_postgres_url")
            _command(server, f"DROP DATABASE {name} WITH (FORCE)")


def _command(server: str, text: str) -> None:
    with psycopg.connect(server, autocommit=True) as client:
        client.execute(text.encode())
