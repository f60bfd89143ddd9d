"""How a command ends: one line for an error, and the exit code that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import typer

from .. import errors
from .harmless import harmless


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


class CommandFailed(Exception):
    """Ends a command with one line on stderr and this exit code."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code: Final = code


_CODES: Final[tuple[tuple[type[Exception], Exit], ...]] = (
    (errors.StoreUnavailable, Exit.UNREACHABLE),
    (errors.LockUnavailable, Exit.UNREACHABLE),
    (errors.ExecutionNotFound, Exit.NOT_FOUND),
    (errors.TaskNotRegistered, Exit.NOT_FOUND),
    (errors.TaskAlreadyRegistered, Exit.CONFLICT),
    (errors.TaskInUse, Exit.CONFLICT),
    (errors.SchedulerStateError, Exit.CONFLICT),
    (ValueError, Exit.USAGE),  # every setting, argument or trigger that cannot work
    (errors.SchedulerError, Exit.FAILED),
)


def code_of(error: Exception) -> Exit:
    """What a command exits with that met this error."""
    if isinstance(error, CommandFailed):
        return error.code
    return next(code for kind, code in _CODES if isinstance(error, kind))


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the package raises on purpose into one line on stderr and an exit code."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (CommandFailed, errors.SchedulerError) as error:
        typer.echo(harmless(f"error: {' '.join(str(error).split())}"), err=True)
        raise typer.Exit(code_of(error)) from None
