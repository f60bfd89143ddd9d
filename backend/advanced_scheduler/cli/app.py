"""The tree of commands."""

from __future__ import annotations

from typing import ClassVar

import typer

from .lazy import LazyGroup


class Commands(LazyGroup):
    """Every command with its module and its line in the help."""

    modules: ClassVar = {
        "task": ("tasks", "Tasks: what can be run, and to run it."),
        "exec": ("executions", "Executions: to see, to cancel, to run again."),
        "node": ("nodes", "The nodes of the cluster."),
        "db": ("database", "The tables of a store and their revisions."),
        "grafana": ("grafana", "The dashboard and the alerts for Grafana and Prometheus."),
        "doctor": ("doctor", "What is stored, and this build could not run."),
        "version": ("version", "Which version this is."),
    }


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: Rich would double the time that it takes
)


@app.callback()
def main() -> None:
    """Look after an advanced-scheduler: its tasks, its queue, its nodes, its store."""
