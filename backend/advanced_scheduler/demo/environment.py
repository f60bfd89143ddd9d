"""Finds what is installed in a Python environment, and what was recorded about it."""

from __future__ import annotations

import base64
import csv
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

_IN_A_VENV: Final = (
    "lib/python3*/site-packages",
    "lib64/python3*/site-packages",
    "Lib/site-packages",
)


class DamagedRecord(ValueError):
    """A RECORD file that cannot be understood."""


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One row of a RECORD: ``path`` relative to the folder, SHA-256 in hex if it has one."""

    path: str
    digest: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution in ``folder``, and how many files and bytes have a recorded hash."""

    folder: str
    name: str
    version: str
    files: int = 0
    size: int = 0
    recorded: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it."""
        return self.folder, self.name, self.version


def site_folders(environment: Path | None) -> list[str]:
    """The site-packages of a virtual environment, or the folder itself; None: where we run.

    Raises ``ConfigurationError`` for a folder in which nothing is installed.
    """
    if environment is None:
        paths = sysconfig.get_paths()
        candidates = [Path(paths["purelib"]), Path(paths["platlib"])]
    else:
        inside = (found for pattern in _IN_A_VENV for found in sorted(environment.glob(pattern)))
        candidates = list(inside) or [environment]
    # lib64 is often a link to lib, and both are often the same folder
    folders = list(dict.fromkeys(str(path.resolve()) for path in candidates))
    if not any(next(_discover(folder), None) for folder in folders):
        raise ConfigurationError(
            f"nothing is installed in {', '.join(folders)}; "
            "give a virtual environment or a site-packages folder"
        )
    return folders


def installed(folder: str) -> list[Installed]:
    """Every distribution in the folder, by name, each once."""
    found = {one.key: one for one in (_describe(folder, each) for each in _discover(folder))}
    return sorted(found.values(), key=lambda one: one.name.lower())


def recorded_files(folder: str, name: str, version: str) -> list[RecordedFile]:
    """The RECORD of one distribution.

    Raises ``DamagedRecord``, and ``LookupError`` if the distribution is not there any more.
    """
    for found in distributions(name=name, path=[folder]):
        if found.version == version:
            return list(_rows(found))
    raise LookupError(f"{name} {version} is not in {folder} any more")


def all_recorded_paths(folder: str) -> Iterator[str]:
    """Every path that some RECORD in the folder lists; those that are damaged list nothing."""
    for found in _discover(folder):
        try:
            yield from [row.path for row in _rows(found)]
        except DamagedRecord:
            continue


def _discover(folder: str) -> Iterator[Distribution]:
    for found in distributions(path=[folder]):
        metadata = found.metadata
        # What an interrupted installation leaves behind may have neither.
        if "Name" in metadata and "Version" in metadata:
            yield found


def _describe(folder: str, found: Distribution) -> Installed:
    name, version = found.metadata["Name"], found.version
    try:
        hashed = [row for row in _rows(found) if row.digest is not None]
    except DamagedRecord:
        return Installed(folder, name, version)  # to be verified all the same, which then says so
    if not hashed:
        return Installed(folder, name, version, recorded=False)
    return Installed(folder, name, version, len(hashed), sum(row.size for row in hashed))


def _rows(found: Distribution) -> Iterator[RecordedFile]:
    # Not ``found.files``: from Python 3.12 on it leaves out the files that are missing.
    try:
        text = found.read_text("RECORD") or ""
        for row in csv.reader(text.splitlines()):
            if row:
                path, digest, size = row
                yield RecordedFile(path, _hex(digest), int(size or 0))
    except (ValueError, csv.Error) as error:
        raise DamagedRecord(
            f"the RECORD of {found.metadata['Name']} is damaged: {error}"
        ) from error


def _hex(recorded: str) -> str | None:
    algorithm, _, digest = recorded.partition("=")
    if algorithm != "sha256":
        return None
    return base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
