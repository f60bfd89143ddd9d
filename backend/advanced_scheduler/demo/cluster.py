"""Two nodes as processes of their own, on a PostgreSQL and a Redis that come and go with them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from ..config import Settings, environment_with, read_settings
from ..errors import ConfigurationError
from .servers import end, postgresql, redis, spawn

_NODES: Final = ("node-1", "node-2")
_SCHEMA: Final = "advanced_scheduler_demo"
_RUN: Final = (
    *(sys.executable, "-m", "advanced_scheduler.cli"),
    *("run", "--app", "advanced_scheduler.demo.node:scheduler"),
)


class Shared(NamedTuple):
    """The URLs of what nodes share."""

    store: str
    locks: str


class Node(NamedTuple):
    """One process, and where it writes its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def shared(store: str | None) -> Iterator[Shared]:
    """A store and locks: ``store``, or the PostgreSQL and the Redis of the environment.

    In a PostgreSQL of the environment, the demo has a schema of its own. What is missing is
    started, and ends with the block. Raises ``ConfigurationError`` for what can be neither
    found nor shared.
    """
    given = read_settings(Settings)
    with ExitStack() as ours:
        if store is not None:
            if store.startswith("memory:"):
                raise ConfigurationError(f"--store {store}: other processes cannot see it")
        elif given.store.startswith("postgresql") and "?" not in given.store:
            store = f"{given.store}?schema={_SCHEMA}"
        else:
            store = ours.enter_context(postgresql())
        yield Shared(store, given.redis_url or ours.enter_context(redis()))


@contextmanager
def nodes(on: Shared, output: Path) -> Iterator[list[Node]]:
    """Two nodes of ``node.scheduler``, told to end when the block is left."""
    environment = environment_with(store=on.store, redis_url=on.locks, auto_migrate="true")
    begun: list[Node] = []
    try:
        for name in _NODES:
            log = output / f"{name}.log"
            process = spawn(_RUN, log, folder=output, environment=environment)
            begun.append(Node(name, process, log))
        yield begun
    finally:
        end(signal.SIGTERM, *(one.process for one in begun))
