"""Keeps what tasks have said from steering the terminal that shows it."""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with control characters, and those that turn lines round, as JSON escapes.

    Line feeds and tabs stay. JSON remains the same document.
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
