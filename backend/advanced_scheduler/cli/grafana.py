"""``advanced-scheduler grafana``: the dashboard and the alerts, to be loaded elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .lazy import group
from .options import Output
from .outcome import CommandFailed, reported
from .output import Format, Printer

commands = group("The dashboard and the alerts for Grafana and Prometheus.")

Force = Annotated[bool, typer.Option("--force", help="Write over files that were changed.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it is made if need be.")]


@commands.callback()
def main() -> None:
    """The dashboard and the alerts for Grafana and Prometheus."""


@commands.command()
@reported()
def export(folder: Folder, force: Force = False, output: Output = Format.TABLE) -> None:
    """Write dashboard, alerts, provisioning and a compose file; what you have changed is kept."""
    from ..grafana import export as write

    try:
        done, left = write(folder, force=force)
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be written: {error.strerror}") from error
    written, kept = [str(path) for path in done], [str(path) for path in left]
    told = [*written, *(f"kept {path}: it was changed; --force writes over it" for path in kept)]
    Printer(output).show({"written": written, "kept": kept}, *told)
