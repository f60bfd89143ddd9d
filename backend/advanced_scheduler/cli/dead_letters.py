"""``advanced-scheduler dead``: what failed for good, by task and kind of error."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .client import path_of
from .lazy import group
from .options import Session, Yes, asking, confirm
from .outcome import CommandFailed, Exit
from .output import ago, columns

commands = group("What failed for good, by task and kind of error.")

Groups = Annotated[
    list[str] | None, typer.Argument(metavar="[GROUP]...", help="Ids of groups, see `dead list`.")
]
All = Annotated[bool, typer.Option("--all", help="All groups.")]


@commands.command("list")
@asking
def list_groups(session: Session) -> None:
    """The groups, the largest first."""
    session.tell_of_memory()
    page = session.client.get("/dead-letters")
    table = columns(
        page["items"],
        group="id",
        task="task_id",
        error="error_type",
        count="count",
        last=ago("last_seen"),
        sample="sample_error",
    )
    session.printer.show(page, table)
    if not page["complete"] and session.printer.for_people:
        typer.echo("there are older ones, which were not looked at", err=True)


@commands.command()
@asking
def retry(session: Session, groups: Groups = None, every: All = False, yes: Yes = False) -> None:
    """Run each of a group again, and take it off the list; with --all it asks first."""
    wanted = _wanted(session, groups, every=every)
    if every and wanted:
        confirm(f"Run again what failed in {_counted(len(wanted))}?", yes=yes)
    _act(session, "retry", wanted)


@commands.command()
@asking
def discard(session: Session, groups: Groups = None, every: All = False, yes: Yes = False) -> None:
    """Delete each of a group."""
    wanted = _wanted(session, groups, every=every)
    if wanted:
        confirm(f"Delete what failed in {_counted(len(wanted))}?", yes=yes)
    _act(session, "discard", wanted)


def _wanted(session: Session, groups: list[str] | None, *, every: bool) -> list[str]:
    if every is bool(groups):
        raise CommandFailed("give ids of groups, or --all", Exit.USAGE)
    if groups:
        return groups
    return [one["id"] for one in session.client.get("/dead-letters")["items"]]


def _act(session: Session, action: str, groups: list[str]) -> None:
    done: dict[str, Any] = {
        "action": action,
        "dry_run": False,
        "matched": 0,
        "changed": 0,
        "created": [],
        "refused": {},
    }
    for one in groups:
        answer = session.client.post(path_of("dead-letters", one, action))
        done["matched"] += answer["matched"]
        done["changed"] += answer["changed"]
        done["created"] += answer["created"]
        done["refused"] |= answer["refused"]
    past = {"retry": "run again", "discard": "deleted"}[action]
    counted = "1 execution" if done["changed"] == 1 else f"{done['changed']} executions"
    session.printer.show(done, f"{counted} {past}")
    if refused := done["refused"]:
        first, why = next(iter(refused.items()))
        raise CommandFailed(f"{len(refused)} refused, as {first}: {why}")


def _counted(number: int) -> str:
    return "1 group" if number == 1 else f"{number} groups"
