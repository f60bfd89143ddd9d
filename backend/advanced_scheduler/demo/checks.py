"""Compares the files of an environment with what was recorded about them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NotRequired, TypedDict

from .environment import all_recorded_paths, recorded_files

# Files that no RECORD lists although nobody did anything wrong.
_EXPECTED: Final = (
    ("*.dist-info/INSTALLER", "the installer's own note"),
    ("*.dist-info/REQUESTED", "the installer's own note"),
    ("*.dist-info/direct_url.json", "the installer's own note"),
    ("*.dist-info/uv_cache.json", "the installer's own note"),
    ("*.egg-info", "metadata of a distribution without a RECORD"),
    ("*.egg-info/*", "metadata of a distribution without a RECORD"),
    ("*.egg-link", "an editable installation"),
    ("__editable__*", "an editable installation"),
    ("easy-install.pth", "an editable installation"),
    ("_virtualenv.p*", "written by virtualenv"),
    ("distutils-precedence.pth", "the import hook of setuptools"),
    ("README.txt", "written when Python was installed"),
)

_START_UP: Final = "Python runs its import lines at every start"


class Finding(TypedDict):
    """A file that is not as recorded; ``expected`` and ``actual`` are SHA-256 in hex."""

    path: str
    distribution: NotRequired[str]
    expected: NotRequired[str]
    actual: NotRequired[str]
    why: NotRequired[str]


class Verification(TypedDict):
    """What became of the recorded files of one distribution."""

    distribution: str
    version: str
    files: int
    bytes: int
    altered: list[Finding]
    missing: list[Finding]
    unreadable: list[Finding]


class Unrecorded(TypedDict):
    """Files that no RECORD lists: those that should not be there, and those that may."""

    unrecorded: list[Finding]
    expected: list[Finding]


def verify_files(
    folder: str, name: str, version: str, stopped: Callable[[], bool] = lambda: False
) -> Verification:
    """Hash every file of the distribution that has a recorded SHA-256.

    Ends early once ``stopped()``. Raises ``DamagedRecord`` and ``LookupError`` as
    ``recorded_files`` does; a file that cannot be read is a finding.
    """
    verdict = Verification(
        distribution=name, version=version, files=0, bytes=0, altered=[], missing=[], unreadable=[]
    )
    for row in recorded_files(folder, name, version):
        if row.digest is None:
            continue
        if stopped():
            break
        found = Finding(path=row.path, distribution=name)
        try:
            actual = _sha256(Path(folder, row.path))
        except (FileNotFoundError, NotADirectoryError):
            verdict["missing"].append(found)
        except OSError as error:
            verdict["unreadable"].append({**found, "why": str(error)})
        else:
            verdict["files"] += 1
            verdict["bytes"] += row.size
            if actual != row.digest:
                verdict["altered"].append({**found, "expected": row.digest, "actual": actual})
    return verdict


def find_unrecorded(folders: list[str]) -> Unrecorded:
    """The files in the folders that no RECORD lists; byte code caches do not count."""
    found = Unrecorded(unrecorded=[], expected=[])
    recorded = {
        os.path.normpath(Path(folder, path))
        for folder in folders
        for path in all_recorded_paths(folder)
    }
    for folder in folders:
        for path in sorted(_files_below(folder)):
            if str(path) in recorded:
                continue
            relative = _as_text(path.relative_to(folder))
            if why := _expected(relative):
                found["expected"].append({"path": relative, "why": why})
            elif relative.endswith(".pth") and "/" not in relative:
                found["unrecorded"].append({"path": relative, "why": _START_UP})
            else:
                found["unrecorded"].append({"path": relative})
    return found


def _sha256(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would have us wait for ever
        raise OSError(f"{path} is not a regular file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_below(folder: str) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            if not (name.endswith(".pyc") and Path(parent).name == "__pycache__"):
                yield Path(parent, name)


def _as_text(path: Path) -> str:
    """With forward slashes; bytes that are no UTF-8 are escaped, since no JSON could hold them."""
    return os.fsencode(path.as_posix()).decode(errors="backslashreplace")


def _expected(path: str) -> str | None:
    return next((why for pattern, why in _EXPECTED if fnmatch(path, pattern)), None)
