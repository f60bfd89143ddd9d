"""Stores for tests: where those of each kind are, and how one is opened for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TypeAlias, TypeVar


class Opening(Protocol):
    """What is opened and closed, as stores are."""

    def open(self) -> None: ...

    def close(self) -> None: ...


S = TypeVar("S", bound=Opening)

BACKENDS: Final = {
    "memory": "memory://",
    "sqlite": "sqlite:///{folder}/store.db?synchronous=normal",
    "postgresql": "{postgres_url}?schema={name}",
    "redis": "{redis_url}?prefix={name}",
}
"""URL of each backend; ``{folder}`` and ``{name}`` are new ones each time, the rest fixtures."""

NewUrl: TypeAlias = Callable[[str], str]
"""Makes the URL of an empty store of a backend."""


@contextmanager
def opened(store: S) -> Iterator[S]:
    """The store, which is closed afterwards."""
    store.open()
    yield store
    store.close()
