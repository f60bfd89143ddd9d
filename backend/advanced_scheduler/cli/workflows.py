"""``advanced-scheduler dag``: the graph of the tasks, and the runs along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import CircularDependency
from .asked import Drawing, document
from .client import path_of
from .lazy import group
from .options import Cursor, Limit, Session, Yes, asking, confirm, printing
from .outcome import CommandFailed, Exit
from .output import Block, Format, Printer, ago, columns, seconds
from .sources import scheduler_at
from .waiting import FINAL, Every, watch

if TYPE_CHECKING:
    from ..scheduler import AdvancedTaskScheduler

commands = group("The graph of the tasks, and the runs along it.")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, see `dag list`.")]


@commands.command("list")
@asking
def list_runs(session: Session, limit: Limit = 20, cursor: Cursor = None) -> None:
    """Runs, the latest first."""
    session.tell_of_memory()
    page = session.client.get("/workflows", limit=limit, cursor=cursor)
    table = columns(
        page["items"],
        id="id",
        status="status",
        tasks="tasks",
        created=ago("created_time"),
        states=_states,
    )
    session.printer.show(page, table)
    session.more(page)


@commands.command()
@asking
def show(
    session: Session,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Default: the tasks themselves.")
    ] = None,
    drawing: Annotated[Drawing, typer.Option("--format", "-f")] = Drawing.ASCII,
) -> None:
    """The graph of the tasks, or one run along it, drawn in text."""
    from .graphs import drawn, graph_of_run, graph_of_tasks

    if run_id is None:
        found = session.client.get("/workflows/graph")
        graph = graph_of_tasks(found)
        session.tell_of_tasks()
    else:
        found = session.client.get(path_of("workflows", run_id))
        graph = graph_of_run(found)
    if drawing is Drawing.JSON:
        Printer(Format.JSON).show(found)
        return
    blocks: list[Block] = [drawn(graph, drawing)]
    if run_id is not None and drawing is Drawing.ASCII:
        blocks += ["", _tasks_of(found)]
    session.printer.show(found, *blocks)


@commands.command()
@asking
def run(
    session: Session,
    tasks: Annotated[list[str], typer.Argument(metavar="TASK...", help="Ids of tasks.")],
    json: Annotated[
        str | None, typer.Option("--json", metavar="ARGS", help='By task: {"load": {"day": 1}}.')
    ] = None,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Wait for its end; exit with 1 if it failed.")
    ] = False,
    every: Every = 1.0,
) -> None:
    """Run tasks together, each after those that it depends on."""
    asked = {"tasks": tasks, "arguments": {} if json is None else document(json, "--json")}
    started = session.client.post("/workflows", asked)
    _go_on(session, started, watching=watching, every=every)


@commands.command()
@asking
def retry(
    session: Session,
    run_id: RunId,
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Wait for its end; exit with 1 if it failed.")
    ] = False,
    every: Every = 1.0,
) -> None:
    """Run again what did not complete."""
    started = session.client.post(path_of("workflows", run_id, "retry"))
    _go_on(session, started, watching=watching, every=every)


@commands.command()
@asking
def cancel(session: Session, run_id: RunId, yes: Yes = False) -> None:
    """Cancel what has not ended."""
    found = session.client.get(path_of("workflows", run_id))
    left = sum(one["status"] not in FINAL for one in found["items"])
    if left:
        confirm(f"Cancel {left} of the {len(found['items'])} tasks of run {run_id}?", yes=yes)
    session.done(session.client.post(path_of("workflows", run_id, "cancel")))


@commands.command()
@printing
def validate(
    printer: Printer,
    app: Annotated[
        str,
        typer.Option("--app", metavar="MODULE:NAME", help="Where your AdvancedTaskScheduler is."),
    ],
) -> None:
    """Exit with 1 if dependencies lead in a circle, or to a task that nobody registers."""
    try:
        scheduler = scheduler_at(app)
    except CircularDependency as error:
        raise CommandFailed(str(error)) from error
    problems = _unknown(scheduler)
    tasks = len(scheduler.task_definitions)
    lines = problems or [f"{tasks} tasks, no circle"]
    printer.show({"ok": not problems, "tasks": tasks, "problems": problems}, *lines)
    if problems:
        raise typer.Exit(Exit.FAILED)


def _unknown(scheduler: AdvancedTaskScheduler) -> list[str]:
    known = scheduler.task_definitions
    return [
        f"task {one.task_id!r} depends on {other.task_id!r}, which nobody registers"
        for one in known.values()
        for other in one.dependencies
        if other.task_id not in known
    ]


def _go_on(session: Session, started: dict[str, Any], *, watching: bool, every: float) -> None:
    if not watching:
        session.printer.show(started, started["workflow_id"])
        return
    from .graphs import drawn, graph_of_run

    path = path_of("workflows", started["workflow_id"])

    def look() -> tuple[Any, Sequence[Block]]:
        found = session.client.get(path)
        return found, [drawn(graph_of_run(found), Drawing.ASCII), _tasks_of(found)]

    last = watch(
        session,
        look,
        every,
        until=lambda found: all(one["status"] in FINAL for one in found["items"]),
    )
    if last["status"] != "completed":
        raise typer.Exit(Exit.FAILED)


def _tasks_of(found: dict[str, Any]) -> Block:
    return columns(
        found["items"],
        execution="execution_id",
        task="task_id",
        status="status",
        took=seconds("duration"),
        reason="reason",
    )


def _states(run: Any) -> list[str]:
    return [f"{number} {name}" for name, number in run["counts"].items()]
