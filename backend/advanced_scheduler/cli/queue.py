"""``advanced-scheduler queue``: what waits, by priority; to pause it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .asked import Priority, given
from .lazy import ShowGroup, group
from .options import Session, asking
from .output import Block, columns, seconds
from .waiting import Every, Watch, watch

commands = group("What waits, by priority; to pause it.", cls=ShowGroup, no_args_is_help=False)

Queue = Annotated[str | None, typer.Option("--queue", help="Only this queue.")]
Lane = Annotated[Priority | None, typer.Option("--priority", help="Only this priority.")]


@commands.command()
@asking
def show(session: Session, watching: Watch = False, every: Every = 2.0) -> None:
    """The five lanes: what is meant where no command is named."""
    session.tell_of_memory()

    def look() -> tuple[Any, Sequence[Block]]:
        found = session.client.get("/queue")
        return found, _blocks(found)

    if watching:
        watch(session, look, every)
    document, blocks = look()
    session.printer.show(document, *blocks)


@commands.command()
@asking
def pause(session: Session, queue: Queue = None, priority: Lane = None) -> None:
    """Start nothing of a queue or a priority, or nothing at all, on any node."""
    session.done(session.client.post("/queue/pause", _asked(queue, priority)))


@commands.command()
@asking
def resume(session: Session, queue: Queue = None, priority: Lane = None) -> None:
    """Take back just that pause."""
    session.done(session.client.post("/queue/resume", _asked(queue, priority)))


def _asked(queue: str | None, priority: str | None) -> dict[str, Any]:
    return given({"queue": queue, "priority": priority}) or {"everything": True}


def _blocks(found: dict[str, Any]) -> list[Block]:
    lanes = columns(
        found["lanes"],
        lane="priority",
        state=lambda one: "paused" if found["paused"] or one["paused"] else "active",
        waiting="waiting",
        ready="ready",
        delayed="delayed",
        blocked="blocked",
        retrying="retrying",
        oldest=seconds("oldest_age"),
    )
    return [lanes, {"running": found["running"], "paused": paused_in(found)}]


def paused_in(found: dict[str, Any]) -> list[str]:
    """What is paused, by the answer to GET queue."""
    if found["paused"]:
        return ["everything"]
    lanes = [f"priority {one['priority']}" for one in found["lanes"] if one["paused"]]
    return lanes + [f"queue {one}" for one in found["paused_queues"]]
