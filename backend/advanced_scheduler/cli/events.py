"""``advanced-scheduler events``: what happens, as it happens."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from .lazy import alone
from .options import Session, asking
from .outcome import CommandFailed, Exit
from .output import Format, Printer, said

_FIRST = ("task_id", "schedule_id", "execution_id", "status")


@asking
def events(
    session: Session,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="Without --follow: end after so many.")
    ] = 1,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Such as execution.finished; or several."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Only of this task.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
) -> None:
    """Wait for the next event on any node and print it; with --follow, every one."""
    printer = Printer(Format.JSON, session.printer.plain) if as_json else session.printer
    left = limit
    with session.client.lines("/events", type=types, task_id=task) as lines:
        for one in told(lines):
            if one is None:
                typer.echo("some events were missed", err=True)
                continue
            printer.next(one, _line(one))
            sys.stdout.flush()
            left -= 1
            if not follow and left == 0:
                return
    raise CommandFailed("the service ended the stream", Exit.UNREACHABLE)


def told(lines: Iterable[str]) -> Iterator[dict[str, Any] | None]:
    """The envelopes in a stream of server-sent events; None where some were lost."""
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield None if kind == "resync" else json.loads(value)


def _line(event: dict[str, Any]) -> str:
    time = datetime.fromisoformat(event["time"]).astimezone()
    data = event["data"]
    first = [said(data[name]) for name in _FIRST if data.get(name) is not None]
    rest = [
        f"{name}={said(value)}"
        for name, value in data.items()
        if name not in _FIRST and value is not None
    ]
    return " ".join([f"{time:%H:%M:%S.%f}"[:-3], f"{event['type']:<19}", *first, *rest])


commands = alone(events)
