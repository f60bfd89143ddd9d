"""Calls what may block (a store, a lock server) without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """``await offload(function, *args)`` is ``function(*args)``, wherever it runs."""

    async def __call__(self, function: Callable[..., T], *args: object) -> T:
        """Answers what the function answers; raises what it raises."""
        ...


class InThreads:
    """Runs the calls in a small pool of its own, so that tasks cannot starve the engine."""

    def __init__(self, size: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def __call__(self, function: Callable[..., T], *args: object) -> T:
        """Run in a thread of the pool."""
        return await self.submit(function, *args)

    def submit(self, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Run in a thread of the pool, whatever becomes of the task that asks for it."""
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *args)

    def close(self) -> None:
        """Let calls that have begun finish, without waiting for them."""
        self._pool.shutdown(wait=False)


async def inline(function: Callable[..., T], *args: object) -> T:
    """Run right here: for a store in memory, where a thread would cost more than the call."""
    return function(*args)
