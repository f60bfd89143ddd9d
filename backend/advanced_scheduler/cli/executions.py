"""``advanced-scheduler exec``: executions, to see, to cancel, to run again."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .asked import query_of
from .bulk import act_on
from .client import path_of
from .lazy import group
from .options import Cursor, Limit, Session, Yes, asking
from .output import Block, Table, ago, columns, seconds
from .waiting import pause

commands = group("Executions: to see, to cancel, to run again.")

Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="KEY=VALUE",
        help="Such as status=failed, task=mail, tag=x, text=timeout, since=2h; all must hold.",
    ),
]
Status = Annotated[list[str] | None, typer.Option("--status", help="The same as status=...")]
Task = Annotated[str | None, typer.Option("--task", help="The same as task=...")]
ExecutionId = Annotated[
    str, typer.Argument(metavar="ID", help="The id of an execution, see `exec list`.")
]
ExecutionIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of executions.")
]
_LOOK = 0.5  # seconds between two looks at a log
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")]


@commands.command("list")
@asking
def list_executions(
    session: Session,
    *,
    filters: Filters = None,
    status: Status = None,
    task: Task = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> None:
    """Executions, the newest first."""
    session.tell_of_memory()
    query = query_of(filters or (), status=status, task_id=task)
    page = session.client.get("/executions", **query, limit=limit, cursor=cursor)
    session.printer.show(page, execution_table(page["executions"]))
    if not page["complete"] and session.printer.for_people:
        typer.echo(f"the search ended early; go on with --cursor {page['next_cursor']}", err=True)
    session.more(page)


def execution_table(rows: list[dict[str, Any]]) -> Table:
    """Executions in a table."""
    return columns(
        rows,
        id="id",
        task="task",
        status="status",
        attempt="attempt",
        created=ago("created_time"),
        took=seconds("duration"),
    )


@commands.command()
@asking
def show(session: Session, execution_id: ExecutionId) -> None:
    """One execution, with all that is known of it."""
    session.tell_of_memory()
    found = session.client.get(path_of("executions", execution_id))
    session.printer.show(found, *_detail(found))


@commands.command()
@asking
def logs(
    session: Session,
    execution_id: ExecutionId,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until it has ended.")
    ] = False,
) -> None:
    """What its task has logged; with --follow, each line as it comes."""
    path = path_of("executions", execution_id, "logs")
    page = session.client.get(path)
    if not follow:
        session.printer.show(page, *map(_log_line, page["lines"]))
        return
    while True:
        for one in page["lines"]:
            session.printer.next(one, _log_line(one))
        sys.stdout.flush()
        if page["ended"]:
            return
        pause(_LOOK)
        page = session.client.get(path, after=page["next_after"])


@commands.command()
@asking
def cancel(
    session: Session,
    ids: ExecutionIds = None,
    filters: Filters = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Cancel executions, and skip what depends on them."""
    act_on(session, "cancel", ids, filters, dry_run=dry_run, yes=yes)


@commands.command()
@asking
def retry(
    session: Session,
    ids: ExecutionIds = None,
    filters: Filters = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Run again what has ended, as new executions; of a --filter what failed, unless it says."""
    act_on(session, "retry", ids, filters, dry_run=dry_run, yes=yes)


def _detail(found: dict[str, Any]) -> list[Block]:
    facts = {
        "id": found["id"],
        "task": found["task"],
        "status": found["status"],
        "reason": found["reason"],
        "priority": found["priority"],
        "queue": found["queue"],
        "node": found["node"],
        "attempt": found["attempt"],
        "cause": found["cause"] or found["caused_by"],
        "scheduled": found["scheduled_time"],
        "started": found["start_time"],
        "ended": found["end_time"],
        "waited": seconds("queue_wait")(found),
        "took": seconds("duration")(found),
        "schedule": found["schedule_id"],
        "run": found["workflow_id"],
        "tags": found["tags"],
        "args": found["args"],
        "kwargs": found["kwargs"],
        "result": found["result"],
        "error": found["error"],
    }
    blocks: list[Block] = [facts]
    if found["dependencies"]:
        rows = found["dependencies"]
        blocks += ["", columns(rows, after="task_id", on="type", settled="settled")]
    if found["attempts"]:
        rows = found["attempts"]
        blocks += [
            "",
            columns(rows, attempt="attempt", node="node", ended="ended_time", error="error"),
        ]
    if found["traceback"]:
        blocks += ["", found["traceback"].rstrip()]
    return blocks


def _log_line(line: dict[str, Any]) -> str:
    return f"{line['time']} {line['level']:<7} {line['text']}"
