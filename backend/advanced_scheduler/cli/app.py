"""The tree of commands."""

from __future__ import annotations

from typing import ClassVar

import typer

from .lazy import LazyGroup


class Commands(LazyGroup):
    """Every command with its module and its line in the help."""

    modules: ClassVar = {
        "demo": ("demo", "See it work: an audit, the dashboard, a cluster."),
        "run": ("run", "A node in the foreground, with the service if you like."),
        "serve": ("serve", "The service and the dashboard, without a node."),
        "task": ("tasks", "Tasks: what can be run, and to run it."),
        "exec": ("executions", "Executions: to see, to cancel, to run again."),
        "schedule": ("schedules", "Schedules: to see, to make, to edit, to preview."),
        "dag": ("workflows", "The graph of the tasks, and the runs along it."),
        "queue": ("queue", "What waits, by priority; to pause it."),
        "dead": ("dead_letters", "What failed for good, by task and kind of error."),
        "lock": ("locks", "The locks of tasks."),
        "node": ("nodes", "The nodes of the cluster."),
        "events": ("events", "What happens, as it happens."),
        "audit": ("audit", "Who did what."),
        "health": ("health", "Probes, as exit codes."),
        "metrics": ("metrics", "The metrics, as Prometheus reads them."),
        "openapi": ("openapi", "The description of REST."),
        "key": ("keys", "The keys that open a service."),
        "db": ("database", "The tables of a store and their revisions."),
        "grafana": ("grafana", "The dashboard and the alerts for Grafana and Prometheus."),
        "init": ("init", "A first application: tasks and a settings file."),
        "top": ("top", "What happens now, on one screen."),
        "config": ("config", "The settings in effect, and whether they work."),
        "bench": ("bench", "How fast it is here, on a store."),
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
