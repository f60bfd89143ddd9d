"""Owns the sign of each state, which stands beside its colour and its word."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ICONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "pending": "○",
        "running": "▶",
        "completed": "✓",
        "retrying": "↻",
        "failed": "✕",
        "cancelled": "■",
        "skipped": "⤼",
    }
)
"""By the words of ``TaskStatus``, in the order in which a run goes through them."""


def icon(state: str | None) -> str:
    """The sign of a state; a dot for what has none."""
    return ICONS.get(state or "", "·")
