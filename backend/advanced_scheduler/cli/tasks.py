"""``advanced-scheduler task``: what can be run, and to run it."""

from __future__ import annotations

from typing import Annotated

import typer

from .asked import Priority, arguments, given, instant_of, seconds_of
from .client import path_of
from .lazy import group
from .options import Cursor, Json, Limit, Session, asking
from .outcome import CommandFailed, Exit
from .output import ago, columns, seconds
from .waiting import wait_for

commands = group("Tasks: what can be run, and to run it.")


TaskId = Annotated[str, typer.Argument(metavar="TASK", help="The id of a task, see `task list`.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be given several times.")]


@commands.command("list")
@asking
def list_tasks(session: Session, limit: Limit = 100, cursor: Cursor = None) -> None:
    """Tasks by id."""
    page = session.client.get("/tasks", limit=limit, cursor=cursor)
    table = columns(
        page["tasks"],
        id="id",
        status="status",
        priority="priority",
        kind="kind",
        next=ago("next_execution"),
        tags="tags",
    )
    session.printer.show(page, table)
    session.more(page)
    session.tell_of_tasks()


@commands.command()
@asking
def show(session: Session, task_id: TaskId) -> None:
    """One task: its definition, and how it has been doing."""
    found = session.client.get(path_of("tasks", task_id))
    parameters = columns(
        found["signature"], parameter="name", type="type", required="required", default="default"
    )
    facts = {
        "id": found["id"],
        "name": found["name"],
        "function": f"{found['module_id']}.{found['function_name']}",
        "about": found["description"],
        "status": found["status"],
        "priority": found["priority"],
        "after": [f"{one['task_id']} ({one['type']})" for one in found["dependencies"]],
        "retry": _retry(found["retry"]),
        "timeout": found["timeout"],
        "lock": found["require_lock"],
        "schedules": found["schedules"],
        "next": found["next_execution"],
        "last": found["last_execution"],
        "recent": found["recent"],
        "success": None if found["success_rate"] is None else f"{found['success_rate']:.1f} %",
        "p50": seconds("p50_seconds")(found),
        "p95": seconds("p95_seconds")(found),
    }
    session.printer.show(found, facts, *([parameters] if found["signature"] else []))


@commands.command()
@asking
def run(
    session: Session,
    task_id: TaskId,
    *,
    json: Json = None,
    priority: Annotated[Priority | None, typer.Option()] = None,
    queue: Annotated[str | None, typer.Option(help="Another queue than its own.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not before, such as 2030-01-01T12:00Z.")
    ] = None,
    after: Annotated[
        str | None, typer.Option("--in", metavar="DURATION", help="Not before, such as 10m.")
    ] = None,
    unique: Annotated[
        str | None, typer.Option(metavar="KEY", help="One execution of this key at a time.")
    ] = None,
    tag: Tags = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for its end; exit with 1 if it failed.")
    ] = False,
    progress: Annotated[
        bool, typer.Option("--progress", help="The same, and show how far it is.")
    ] = False,
) -> None:
    """Run it once, as soon as a node is free."""
    if at is not None and after is not None:
        raise CommandFailed("give --at or --in, not both", Exit.USAGE)
    asked = {
        **arguments(json),
        "priority": priority,
        "queue": queue,
        "at": None if at is None else instant_of(at),
        "delay": None if after is None else seconds_of(after),
        "unique": unique,
        "tags": tag,
    }
    started = session.client.post(path_of("tasks", task_id, "execute"), given(asked))
    if wait or progress:
        wait_for(session, started["execution_id"], progress=progress)
    else:
        session.printer.show(started, started["execution_id"])


@commands.command()
@asking
def pause(session: Session, task_id: TaskId) -> None:
    """Let none of its schedules fire."""
    session.done(session.client.post(path_of("tasks", task_id, "pause")))


@commands.command()
@asking
def resume(session: Session, task_id: TaskId) -> None:
    """Let its schedules go on."""
    session.done(session.client.post(path_of("tasks", task_id, "resume")))


def _retry(policy: dict[str, object] | None) -> str | None:
    if policy is None:
        return None
    return "{strategy}, {max_attempts} attempts, {initial_delay} to {max_delay} s".format(**policy)
