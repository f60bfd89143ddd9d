"""The fixtures of the command line: one store, and the two ways to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.environments import copy_of, install

from .world import World, application, serving


@pytest.fixture(scope="session")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where an application is, as ``--app`` takes it; it keeps its things in memory."""
    folder = tmp_path_factory.mktemp("application")
    (folder / "cli_jobs.py").write_text(application())
    sys.path.insert(0, str(folder))
    yield "cli_jobs:scheduler"
    sys.path.remove(str(folder))
    sys.modules.pop("cli_jobs", None)


@pytest.fixture(params=["store", "url"])
def world(
    request: pytest.FixtureRequest,
    jobs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A scheduler on SQLite that runs when told to, asked in this process and over the network."""
    for name in ("STORE", "URL", "API_KEY"):
        monkeypatch.delenv(f"ADVANCED_SCHEDULER_{name}", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with World.on(f"sqlite:///{tmp_path}/jobs.db", jobs) as made:
        if request.param == "store":
            made.ways = ["--store", made.store, "--app", jobs]
            yield made
        else:
            with serving(made.scheduler) as url:
                made.ways = ["--url", url]
                yield made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A copy of a distribution that is really installed, and a small one."""
    folder = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    copy_of("tenacity", folder)
    install(folder, "alpha", {"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "data\n"})
    return folder
