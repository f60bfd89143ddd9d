"""Owns the journal: what task bodies themselves wrote down, outside the library.

A line is a JSON object, written by one ``os.write`` to a file opened with O_APPEND: lines of
several processes never mix, and what was written survives SIGKILL.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, TypeAlias

Entry: TypeAlias = dict[str, Any]
"""The fields of one line; always ``at`` (seconds since 1970) and ``pid``."""


def append(path: str | Path, **fields: Any) -> None:
    """Add one line of ``fields`` (JSON values) and of ``at`` and ``pid``, unless given."""
    entry = {"at": time.time(), "pid": os.getpid(), **fields}
    line = json.dumps(entry).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(descriptor, line)
    finally:
        os.close(descriptor)
    assert written == len(line), f"{path}: wrote {written} of {len(line)} bytes"


def read(path: str | Path) -> list[Entry]:
    """All lines, oldest first; none when nobody has written yet."""
    try:
        written = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    whole, _, _ = written.rpartition(b"\n")  # a line may be in the middle of being written
    return [json.loads(line) for line in whole.splitlines()]
