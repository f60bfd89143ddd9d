"""``advanced-scheduler key``: the keys that open a service."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from ..clock import SystemClock
from .asked import given, seconds_of
from .client import path_of
from .lazy import group
from .options import Session, Yes, asking, confirm
from .output import ago, columns

commands = group("The keys that open a service.")


class ScopeName(StrEnum):
    """What a key may do; each includes those before it."""

    READ = "read"
    RUN = "run"
    WRITE = "write"
    ADMIN = "admin"


@commands.command("list")
@asking
def list_keys(session: Session) -> None:
    """The keys, without themselves."""
    page = session.client.get("/keys")
    table = columns(
        page["items"],
        id="id",
        name="name",
        scopes="scopes",
        created=ago("created_time"),
        expires=ago("expires_time"),
    )
    session.printer.show(page, table)


@commands.command()
@asking
def create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is for.")],
    scope: Annotated[
        list[ScopeName] | None,
        typer.Option("--scope", help="Each includes those before it; default: read."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DURATION", help="Such as 90d.")
    ] = None,
) -> None:
    """Make a key; it is told here, and never again."""
    until = None
    if expires is not None:
        until = (SystemClock().now() + timedelta(seconds=seconds_of(expires))).isoformat()
    asked = {"name": name, "scopes": scope or [ScopeName.READ], "expires_time": until}
    made = session.client.post("/keys", given(asked))
    session.printer.show(made, made["key"])


@commands.command()
@asking
def revoke(
    session: Session,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a key, see `key list`.")],
    yes: Yes = False,
) -> None:
    """Let it open nothing more, at once, on all processes."""
    if not yes:
        known = [one["id"] for one in session.client.get("/keys")["items"]]
        alone = known == [key_id]
        last = " It is the last: then this machine is let in without any." if alone else ""
        confirm(f"Revoke key {key_id}?{last}", yes=yes)
    answer = session.client.delete(path_of("keys", key_id))
    session.done(answer)
    if answer["warning"] and session.printer.for_people:
        typer.echo(f"warning: {answer['warning']}", err=True)
