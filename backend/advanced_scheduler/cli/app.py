"""The tree of commands."""

from __future__ import annotations

import typer

from . import database
from .doctor import doctor

app = typer.Typer(
    help="Look after an advanced-scheduler: its database, and what is stored there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(database.commands, name="db")
app.command()(doctor)
