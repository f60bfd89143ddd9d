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

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Where to; it is made if need be.")]


@commands.callback()
def main() -> None:
    """The dashboard and the alerts for Grafana and Prometheus."""


@commands.command()
@reported()
def export(folder: Folder, output: Output = Format.TABLE) -> None:
    """Write dashboard, alerts, provisioning and a compose file, over what is there of that name."""
    from ..grafana import export as write

    try:
        written = [str(path) for path in write(folder)]
    except OSError as error:
        raise CommandFailed(f"{folder} cannot be written: {error.strerror}") from error
    Printer(output).show({"written": written}, "\n".join(written))
