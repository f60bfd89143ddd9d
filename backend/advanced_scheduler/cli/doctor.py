"""``advanced-scheduler doctor``: what is stored, and this build could not run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from .lazy import alone
from .options import printing
from .outcome import Exit
from .output import Block, Printer, Table
from .sources import App, EnvFile, StoreUrl, scheduler_at, store_at, use_env_file

if TYPE_CHECKING:
    from ..engine.doctor import Diagnosis
    from ..stores.base import Store


@printing
def doctor(
    printer: Printer, store: StoreUrl = None, app: App = None, env_file: EnvFile = None
) -> None:
    """Compare what waits in the store with this build; exit with 1 if something is lacking.

    A check for your own CI, before a deploy. Nothing is run, and nothing is changed: what the
    application schedules while it is imported, is not stored.
    """
    from ..clock import SystemClock
    from ..engine.doctor import diagnose

    use_env_file(env_file)
    scheduler = None if app is None else scheduler_at(app)
    tasks = None if scheduler is None else scheduler.task_definitions.values()
    asked: str | Store | None = store
    if asked is None and scheduler is not None:
        asked = scheduler.asked_store
    with store_at(asked) as target:
        found = diagnose(target, tasks, clock=SystemClock())
    _show(found, printer)
    if found.findings:
        raise typer.Exit(Exit.FAILED)


def _show(found: Diagnosis, printer: Printer) -> None:
    facts = {
        "executions": found.executions,
        "schedules": found.schedules,
        "tasks": found.tasks,
        "revision": None if found.revisions is None else found.revisions.current,
        "skew_seconds": None if found.skew_seconds is None else round(found.skew_seconds, 3),
        "time_zones": found.time_zones,
    }
    findings = [asdict(one) for one in found.findings]
    rows = [(one.kind, one.id, one.count, one.problem) for one in found.findings]
    said: Block = Table(("kind", "id", "count", "problem"), rows) if rows else "nothing is lacking"
    told = {
        "executions that wait or run": found.executions,
        "schedules": found.schedules,
        "registered tasks": "not compared" if found.tasks is None else found.tasks,
        "tables at revision": facts["revision"],
        "clock ahead by": _ahead(found.skew_seconds),
        "time zones from": found.time_zones,
    }
    printer.show({"ok": not findings, **facts, "findings": findings}, told, said)
    if found.tasks is None and printer.for_people:
        typer.echo("tasks and arguments were not compared: give --app MODULE:NAME", err=True)


def _ahead(skew_seconds: float | None) -> str:
    """How far the clock of this machine is from the server's, where that has one."""
    return "the store has no clock" if skew_seconds is None else f"{skew_seconds:.3f} s"


commands = alone(doctor)
