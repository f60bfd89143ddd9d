"""Owns small Python environments: folders with distributions, as an installer leaves them."""

from __future__ import annotations

import base64
import csv
import hashlib
import shutil
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path


def install(site: Path, name: str, files: Mapping[str, str], version: str = "1.0") -> Path:
    """Put a distribution into ``site``; answers its RECORD, which lists ``files`` by path."""
    info = site / f"{name}-{version}.dist-info"
    for path, text in files.items():
        _write(site / path, text)
    _write(info / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    _write(info / "INSTALLER", "tests\n")
    paths = [*files, f"{info.name}/METADATA", f"{info.name}/INSTALLER"]
    record = info / "RECORD"
    with record.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerows((path, *_fingerprint(site / path)) for path in paths)
        rows.writerow((f"{info.name}/RECORD", "", ""))
    return record


def copy_of(name: str, site: Path) -> None:
    """Copy a distribution that is really installed here, with its RECORD, into ``site``."""
    files = distribution(name).files
    assert files, f"{name} has no RECORD"
    for path in files:
        source = Path(str(path.locate()))
        if ".." not in path.parts and source.exists():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, site / path)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _fingerprint(path: Path) -> tuple[str, int]:
    content = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"sha256={digest}", len(content)
