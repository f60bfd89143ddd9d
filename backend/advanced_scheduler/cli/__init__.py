"""The command line ``advanced-scheduler``; each command imports what it needs when it is run."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments of this process name, and exit with its code."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        sys.exit("typer is missing: pip install 'advanced-scheduler[cli]'")
    app(prog_name="advanced-scheduler")
