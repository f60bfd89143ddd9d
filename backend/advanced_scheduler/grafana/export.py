"""Owns the files that ``advanced-scheduler grafana export`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from .overview import overview


def files() -> Mapping[str, str]:
    """The text of each file by its path, the dashboards made anew."""
    found = dict(_texts(resources(__package__).joinpath("files")))
    found["overview.json"] = _json(overview())
    return dict(sorted(found.items()))


def export(folder: Path, *, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Write them into a folder; answers the paths of what was written, and of what was kept.

    A file of the same name that says something else is kept, unless ``force``.
    """
    written: list[Path] = []
    kept: list[Path] = []
    for name, text in files().items():
        path = folder / name
        if path.exists() and not force and path.read_text("utf-8", "replace") != text:
            kept.append(path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written, kept


def _texts(folder: Traversable, prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in folder.iterdir():
        name = f"{prefix}{one.name}"
        if one.is_dir():
            found += _texts(one, f"{name}/")
        else:
            found.append((name, one.read_text("utf-8")))
    return found


def _json(dashboard: Mapping[str, Any]) -> str:
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
