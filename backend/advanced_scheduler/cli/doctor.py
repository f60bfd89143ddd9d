"""``advanced-scheduler doctor``: what is stored, and this build could not run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .outcome import Exit, reported
from .output import Format, Output, show_facts, show_json, show_table
from .sources import StoreUrl, scheduler_at, store_at

if TYPE_CHECKING:
    from ..engine.doctor import Diagnosis
    from ..stores.base import Store

App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:NAME",
        help="Where your AdvancedTaskScheduler is; its tasks are compared with what is stored.",
        show_default=False,
    ),
]


@reported()
def doctor(store: StoreUrl = None, app: App = None, output: Output = Format.TABLE) -> None:
    """Compare what waits in the store with this build; exit with 1 if something is lacking.

    A check for your own CI, before a deploy. Nothing is run, and nothing is changed: what the
    application schedules while it is imported, is not stored.
    """
    from ..clock import SystemClock
    from ..engine.doctor import diagnose

    scheduler = None if app is None else scheduler_at(app)
    tasks = None if scheduler is None else scheduler.task_definitions.values()
    asked: str | Store | None = store
    if asked is None and scheduler is not None:
        asked = scheduler.asked_store
    with store_at(asked) as target:
        found = diagnose(target, tasks, clock=SystemClock())
    _show(found, output)
    if found.findings:
        raise typer.Exit(Exit.FAILED)


def _show(found: Diagnosis, output: Format) -> None:
    revision = None if found.revisions is None else found.revisions.current
    facts = {
        "executions": found.executions,
        "schedules": found.schedules,
        "tasks": found.tasks,
        "revision": revision,
        "skew_seconds": None if found.skew_seconds is None else round(found.skew_seconds, 3),
        "time_zones": found.time_zones,
    }
    if output is Format.JSON:
        findings = [asdict(one) for one in found.findings]
        show_json({"ok": not findings, **facts, "findings": findings})
        return
    show_facts(facts)
    if found.tasks is None:
        typer.echo("tasks and arguments were not compared: give --app MODULE:NAME", err=True)
    if found.findings:
        rows = [(one.kind, one.id, one.count, one.problem) for one in found.findings]
        show_table(("kind", "id", "count", "problem"), rows)
    else:
        typer.echo("nothing is lacking")
