"""Owns the process pools that an application adds, by name, and where a node runs what."""

from __future__ import annotations

import reprlib
import threading
from typing import Final

from ..errors import ConfigurationError, InvalidArguments
from ..executors import Executor, LoopExecutor, ProcessExecutor, ThreadExecutor
from ..faults import cleaned
from ..forks import free_in_child
from ..functions import name_of
from ..registry import RegisteredTask

STANDING: Final = ("thread", "process")
MOST_WORKERS: Final = 1000
NAME_LENGTH: Final = 200
_RESERVED: Final = (*STANDING, "auto", "loop")


class Pools:
    """Names and sizes; thread-safe. The processes belong to the node that runs."""

    def __init__(self) -> None:
        self._lock = free_in_child(threading.Lock())
        self._sizes: dict[str, int] = {}

    def add(self, max_workers: int, name: str | None = None) -> str:
        """Add a pool; answers its name. Raises ``ConfigurationError``."""
        if type(max_workers) is not int or not 1 <= max_workers <= MOST_WORKERS:
            raise ConfigurationError(
                f"max_workers={reprlib.repr(max_workers)} must be a whole number from 1 to "
                f"{MOST_WORKERS:,}"
            )
        with self._lock:
            name = self._free_name() if name is None else self._checked(name)
            self._sizes[name] = max_workers
        return name

    @property
    def sizes(self) -> dict[str, int]:
        """How many processes each pool may have, by name."""
        return self._sizes.copy()

    def size(self, name: str) -> int | None:
        """How many processes the pool may have; None if there is no such pool."""
        return self._sizes.get(name)

    def check(self, name: str, task: RegisteredTask) -> None:
        """Raise ``InvalidArguments`` unless the task can run there."""
        if name not in STANDING and name not in self._sizes:
            raise InvalidArguments(
                f"executor={name!r} is unknown; there are {', '.join((*STANDING, *self._sizes))}; "
                "add_process_pool() adds one"
            )
        if name != "thread" and task.path is None:
            raise InvalidArguments(
                f"executor={name!r}: task {task.definition.task_id!r} needs a function that "
                f"another process can import; {name_of(task.function)} has no name in its module"
            )

    def _free_name(self) -> str:
        number = len(self._sizes) + 1
        while f"process-pool-{number}" in self._sizes:
            number += 1
        return f"process-pool-{number}"

    def _checked(self, name: object) -> str:
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH or name != cleaned(name):
            raise ConfigurationError(
                f"name={reprlib.repr(name)} of a process pool must be a text of 1 to {NAME_LENGTH} "
                "characters"
            )
        if name in _RESERVED:
            raise ConfigurationError(f"name={name!r} of a process pool has a meaning already")
        if name in self._sizes:
            raise ConfigurationError(f"there is a process pool {name!r} already")
        return name


class Places(dict[str, Executor]):
    """The executors of a node by name, those of the pools from their first use on.

    A name that is unknown here, of a pool of another node, stands for the process executor.
    """

    def __init__(self, limit: int, result_limit_bytes: int, pools: Pools) -> None:
        super().__init__(loop=LoopExecutor(), thread=ThreadExecutor(limit))
        self._pools = pools
        self._result_limit = result_limit_bytes
        self["process"] = self._processes(limit)

    def __missing__(self, name: str) -> Executor:
        size = self._pools.size(name)
        if size is None:
            return self["process"]
        self[name] = executor = self._processes(size)
        return executor

    def _processes(self, size: int) -> ProcessExecutor:
        return ProcessExecutor(size, result_limit_bytes=self._result_limit)
