"""Deletes what is too old: rows of a table, and files below a directory; in small steps."""

from __future__ import annotations

from .database import MOST_ROWS, delete_rows
from .directory import Removed, checked_directory, delete_files
from .interval import parse_interval

__all__ = [
    "MOST_ROWS",
    "Removed",
    "checked_directory",
    "delete_files",
    "delete_rows",
    "parse_interval",
]
