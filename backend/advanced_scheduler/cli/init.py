"""``advanced-scheduler init``: a first application, to be changed."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from .lazy import alone
from .options import printing
from .outcome import CommandFailed, Exit
from .output import Printer

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it is made if need be.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


@printing
def init(printer: Printer, folder: Folder = Path(), force: Force = False) -> None:
    """Write jobs.py, with a few tasks, and scheduler.env, with the settings, into a folder."""
    texts = {
        one.name: one.read_text("utf-8")
        for one in files(__package__).joinpath("first").iterdir()
        if one.name.endswith((".py", ".env"))
    }
    there = [name for name in sorted(texts) if (folder / name).exists()]
    if there and not force:
        raise CommandFailed(
            f"{folder} has {' and '.join(there)} already; --force writes over them", Exit.CONFLICT
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(texts.items()):
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be written: {error.strerror}") from error
    written = [str(folder / name) for name in sorted(texts)]
    enter = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    printer.show({"written": written}, *written, f"next: {enter}{_NEXT}")


_NEXT: Final = "advanced-scheduler run --app jobs:scheduler --env-file scheduler.env"

commands = alone(init)
