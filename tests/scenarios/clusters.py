"""Owns the clusters of a test: on which stores they run, and several at the same time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from advanced_scheduler.errors import SchedulerError
from tests.support.servers import Server

from .harness import Cluster

STORES: Final = ("sqlite", "postgresql", "redis")
SERVERS: Final = ("postgresql", "redis")
SQL: Final = ("sqlite", "postgresql")

Run: TypeAlias = Callable[[], list[str]]
"""A scenario whose cluster is given; answers what was violated."""

TRIES: Final = 3
"""How often a control may look for its fault: a race can be lost by luck, three hardly."""

Scenario: TypeAlias = Callable[..., list[str]]
"""Takes a ``Cluster``, and the name of a fault unless there is none; answers what was violated."""


def on(*stores: str) -> pytest.MarkDecorator:
    """The test runs once for each of these stores, which its fixture ``cluster`` is on."""
    return pytest.mark.parametrize("cluster", stores, indirect=True)


class Clusters:
    """Makes the clusters of one test, each on an empty store of its own; ``close`` ends them."""

    def __init__(self, folder: Path, new_store: Callable[[str], str]) -> None:
        self._folder = folder
        self._new_store = new_store
        self._numbers = count()
        self._databases = count()
        self._made: list[Cluster] = []

    def new(self, store: str = "sqlite") -> Cluster:
        """A cluster on ``sqlite``, ``postgresql`` or ``redis``."""
        return self._add(store, self._new_store(store))

    def on(self, server: Server) -> Cluster:
        """A cluster on a server that belongs to the test."""
        return self._add(server.name, server.url)

    def locked(self, redis_url: str) -> Cluster:
        """A cluster on SQLite, with its locks in a database of their own of this Redis."""
        cluster = self.new()
        cluster.redis_url = f"{redis_url.rpartition('/')[0]}/{next(self._databases)}"
        return cluster

    def _add(self, name: str, url: str) -> Cluster:
        folder = self._folder / f"{name}-{next(self._numbers)}"
        folder.mkdir()
        cluster = Cluster(folder, store=url)
        self._made.append(cluster)
        return cluster

    def run(
        self, scenario: Scenario, *stores: str, controls: Collection[str] = (), sign: str = ""
    ) -> dict[str, list[str]]:
        """What a scenario finds on each of these stores, and in each control.

        A control is the name of a fault in ``breaks.py`` and a store: ``no-lease on sqlite``;
        it is seen by a finding with ``sign`` in it.
        All run at the same time; only those that found something are answered, by store or
        control: if all is well, the controls and nothing else.
        """
        runs: dict[str, Run] = {one: partial(scenario, self.new(one)) for one in stores}
        for control in controls:
            fault, _, store = control.partition(" on ")
            runs[control] = self.control(partial(_with, scenario, fault), store, sign)
        return self.at_once(runs)

    def control(
        self, broken: Callable[[Cluster], list[str]], store: str = "sqlite", sign: str = ""
    ) -> Run:
        """A run of a scenario with a fault built in, on up to three clusters until it is seen.

        It is seen by a finding with ``sign`` in it. Only controls are tried again: what holds
        must hold each time.
        """
        return self.tried(broken, partial(self.new, store), sign)

    def tried(
        self, broken: Callable[[Cluster], list[str]], new: Callable[[], Cluster], sign: str = ""
    ) -> Run:
        """``control`` on clusters that ``new`` makes."""
        first = new()

        def run() -> list[str]:
            for cluster in chain([first], (new() for _ in range(1, TRIES))):
                try:
                    found = _found(partial(broken, cluster))
                except AssertionError as error:  # what it waits for has never come
                    found = []
                    print(f"no end of a control: {error}")
                if any(sign in one for one in found):
                    return found
                print(f"no {sign or 'fault'} was seen by a control, but {found}")
            return []

        return run

    def at_once(self, runs: Mapping[str, Run]) -> dict[str, list[str]]:
        """Run these at the same time, since most of what they do is to wait.

        Answers what those found that found something. An error of ours that ends a run is such
        a finding: a broken build may well refuse to go on.
        """
        with ThreadPoolExecutor(max_workers=len(runs)) as pool:
            jobs = {name: pool.submit(_found, run) for name, run in runs.items()}
        return {name: found for name, job in jobs.items() if (found := job.result())}

    def close(self) -> None:
        """End all nodes, and release the stores."""
        for cluster in self._made:
            cluster.close()


def _with(scenario: Scenario, fault: str, cluster: Cluster) -> list[str]:
    return scenario(cluster, fault)


def _found(run: Run) -> list[str]:
    try:
        return run()
    except SchedulerError as error:
        return [f"raised {error!r}"]
