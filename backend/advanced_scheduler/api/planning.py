"""What a request acts on, and the ids of what it makes: the same each time that it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

Plan: TypeAlias = Callable[[Callable[[], Iterable[str]]], Mapping[str, str | None]]
"""Takes how to choose what it acts on; answers that with an id for what is made of each."""


def unplanned(choose: Callable[[], Iterable[str]]) -> Mapping[str, str | None]:
    """The plan of a request that is sent once: ids are made when they are needed."""
    return dict.fromkeys(choose())
