"""``advanced-scheduler lock``: the locks of tasks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .client import path_of
from .lazy import group
from .options import Session, Yes, asking, confirm
from .outcome import CommandFailed, Exit
from .output import columns, seconds, spoken

commands = group("The locks of tasks.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The id of the task that takes it.")]


@commands.command("list")
@asking
def list_locks(session: Session) -> None:
    """The locks of the tasks that need one."""
    page = session.client.get("/locks")
    table = columns(
        page["items"],
        name="task_id",
        held="held",
        ttl=seconds("ttl"),
        fence="fence",
        waiting="waiting",
        node="node",
        holder="holder",
    )
    session.printer.show(page, table)
    session.tell_of_tasks()


@commands.command()
@asking
def ttl(session: Session, name: Name) -> None:
    """How long it is still held unless its holder renews it."""
    found = _lock(session, name)
    session.printer.show(found, spoken(found["ttl"]) if found["held"] else "free")


@commands.command()
@asking
def release(
    session: Session,
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Said because its holder may still be at work.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Take it from its holder, who may still be at work: its result will not count."""
    if not force:
        raise CommandFailed(
            "a lock is released by its holder; --force takes it away, though the holder may "
            "still be at work",
            Exit.USAGE,
        )
    found = _lock(session, name)
    holder = found["holder"] or "somebody"
    confirm(f"Take the lock {name} from {holder}, who may still be at work?", yes=yes)
    session.done(session.client.post(path_of("locks", name, "release")))


def _lock(session: Session, name: str) -> dict[str, Any]:
    for one in session.client.get("/locks")["items"]:
        if one["task_id"] == name:
            found: dict[str, Any] = one
            return found
    session.tell_of_tasks()
    raise CommandFailed(f"no lock {name!r}", Exit.NOT_FOUND)
