"""Owns the deletion of old files below a directory; no link and no race leads it outside."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from ..clock import Clock
from ..errors import InvalidArguments
from ..models import LONGEST

logger = logging.getLogger(__name__)

DEEPEST: Final = 100
"""How many directories inside each other are looked into; each holds a file descriptor open."""

# A name that became a link meanwhile is refused, and one that became a pipe does not block.
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was deleted: how many files (with links), empty directories, and bytes in the files.

    ``errors`` is how many could not be looked into or deleted; ``first_error`` says of one why.
    """

    files: int = 0
    directories: int = 0
    bytes: int = 0
    errors: int = 0
    first_error: str | None = None


def delete_files(directory: str | os.PathLike[str], *, max_age: timedelta, clock: Clock) -> Removed:
    """Delete the files below ``directory`` that were last changed more than ``max_age`` ago.

    Sub-directories that are older as well, and empty by then, go too; ``directory`` itself
    stays. A link is never followed: an old one is deleted, and what it leads to is not touched.
    Pipes, sockets, devices, and what is mounted below stay. What cannot be deleted is counted.
    Raises ``InvalidArguments`` for what ``checked_directory`` refuses, a directory that is not
    there or cannot be read, and an age that is negative or over 100 years.
    """
    path = checked_directory(directory)
    if not timedelta(0) <= max_age <= timedelta(seconds=LONGEST):
        raise InvalidArguments(f"max_age={max_age!r} must be from 0 to 100 years")
    with _opened(path) as top:
        _refuse_protected(path, os.fstat(top))
        sweep = _Sweep((clock.now() - max_age).timestamp(), os.fstat(top).st_dev)
        sweep.clear(top, str(path))
    return Removed(
        files=sweep.files,
        directories=sweep.directories,
        bytes=sweep.bytes,
        errors=sweep.errors,
        first_error=sweep.first_error,
    )


def checked_directory(directory: object) -> Path:
    """The path of a directory whose files may be deleted; it need not be there yet.

    Raises ``InvalidArguments`` for an empty text, a relative path, one with "..", a link, "/",
    and the home directory with all that it lies in.
    """
    text = os.fspath(directory) if isinstance(directory, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise InvalidArguments(f"directory={directory!r} must be the path of a directory")
    path = Path(text)
    if not path.is_absolute() or ".." in path.parts or "\0" in text:
        raise InvalidArguments(
            f"directory={text!r} must be an absolute path without '..', such as '/tmp/uploads'"
        )
    if (found := _seen(path, follow_symlinks=False)) is None:
        return path
    if stat.S_ISLNK(found.st_mode):
        raise InvalidArguments(f"directory={text!r} is a link; name the directory itself")
    if not stat.S_ISDIR(found.st_mode):
        raise InvalidArguments(f"directory={text!r} is not a directory; name the one above it")
    _refuse_protected(path, found)
    return path


def _refuse_protected(path: Path, found: os.stat_result) -> None:
    """By what it is and not by its name: one directory can have many names."""
    for home in _homes():
        for kept in (home, *home.parents):
            if (seen := _seen(kept)) and os.path.samestat(found, seen):
                raise InvalidArguments(
                    f"directory={str(path)!r} is refused: it is /, the home directory or above it"
                )


def _homes() -> Iterator[Path]:
    """By the environment, and by the list of users: a container may lack either."""
    yield Path("/")
    with suppress(RuntimeError):
        yield Path.home()
    with suppress(KeyError):
        yield Path(pwd.getpwuid(os.getuid()).pw_dir)


def _seen(path: Path, *, follow_symlinks: bool = True) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow_symlinks)
    except OSError:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        top = os.open(path, _OPEN)
    except OSError as error:
        raise InvalidArguments(
            f"directory={str(path)!r} cannot be cleaned: {error.strerror}"
        ) from error
    try:
        yield top
    finally:
        os.close(top)


class _Sweep:
    """One pass: what was changed before ``cutoff`` (Unix seconds) on ``device`` goes."""

    def __init__(self, cutoff: float, device: int) -> None:
        self._cutoff = cutoff
        self._device = device
        self.files = self.directories = self.bytes = self.errors = 0
        self.first_error: str | None = None

    def clear(self, folder: int, shown: str, depth: int = 1) -> None:
        """Delete below the open directory ``folder``; names count in it, whatever became of it."""
        with os.scandir(folder) as entries:
            for entry in entries:
                where = f"{shown}/{entry.name}"
                try:
                    self._visit(folder, entry, where, depth)
                except FileNotFoundError:
                    pass  # somebody else was faster
                except OSError as error:
                    self._failed(where, error.strerror or str(error))

    def _visit(self, folder: int, entry: os.DirEntry[str], where: str, depth: int) -> None:
        found = entry.stat(follow_symlinks=False)
        old = found.st_mtime < self._cutoff
        if stat.S_ISDIR(found.st_mode):
            if found.st_dev != self._device:
                return
            if depth >= DEEPEST:
                self._failed(where, f"more than {DEEPEST} directories inside each other")
                return
            self._descend(folder, entry.name, where, depth)
            if old:
                self._remove_if_empty(folder, entry.name)
        elif old and (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            os.unlink(entry.name, dir_fd=folder)
            self.files += 1
            self.bytes += found.st_size

    def _descend(self, folder: int, name: str, where: str, depth: int) -> None:
        inner = os.open(name, _OPEN, dir_fd=folder)
        try:
            self.clear(inner, where, depth + 1)
        finally:
            os.close(inner)

    def _remove_if_empty(self, folder: int, name: str) -> None:
        try:
            os.rmdir(name, dir_fd=folder)
            self.directories += 1
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise

    def _failed(self, where: str, why: str) -> None:
        self.errors += 1
        reason = f"{where!r} stays: {why}"  # a name may be no text, or have lines
        self.first_error = self.first_error or reason
        logger.warning("%s", reason)
