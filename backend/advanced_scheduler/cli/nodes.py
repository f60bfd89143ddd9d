"""``advanced-scheduler node``: the nodes of the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from .client import path_of
from .lazy import group
from .options import Session, Yes, asking, confirm
from .output import ago, columns

commands = group("The nodes of the cluster.")

NodeId = Annotated[str, typer.Argument(metavar="ID", help="The id of a node, see `node list`.")]


@commands.command("list")
@asking
def list_nodes(session: Session) -> None:
    """The nodes that run, or were killed lately."""
    page = session.client.get("/nodes")
    table = columns(
        page["items"],
        id="id",
        state="state",
        slots=lambda one: f"{one['slots_used']}/{one['slots']}",
        seen=ago("seen_time"),
        version="version",
        queues=lambda one: one["queues"] or "all",
    )
    session.printer.show(page, table)


@commands.command()
@asking
def drain(session: Session, node_id: NodeId) -> None:
    """Let it start nothing more, and end what it runs."""
    session.done(session.client.post(path_of("nodes", node_id, "drain")))


@commands.command()
@asking
def resume(session: Session, node_id: NodeId) -> None:
    """Let a node that drains go on."""
    session.done(session.client.post(path_of("nodes", node_id, "resume")))


@commands.command()
@asking
def forget(session: Session, node_id: NodeId, yes: Yes = False) -> None:
    """Show a dead node no more."""
    confirm(f"Forget node {node_id}?", yes=yes)
    session.done(session.client.delete(path_of("nodes", node_id)))
