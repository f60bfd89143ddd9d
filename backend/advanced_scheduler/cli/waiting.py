"""Waits at the terminal: for an execution to end, for the next look at something."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .client import path_of
from .outcome import Exit
from .output import Block, Table, boxed, plain, said

if TYPE_CHECKING:
    from .options import Session

FINAL: Final = frozenset({"completed", "failed", "cancelled", "skipped"})

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show it anew until Ctrl-C.")]
Every = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")]

_FIRST, _LONGEST = 0.1, 1.0  # seconds between two looks at an execution
_never = threading.Event()


def pause(seconds: float) -> None:
    """Do nothing for so long; Ctrl-C ends it."""
    _never.wait(seconds)


def watch(
    session: Session,
    look: Callable[[], tuple[Any, Sequence[Block]]],
    every: float,
    *,
    until: Callable[[Any], bool] = lambda _: False,
) -> Any:
    """Show what ``look`` answers, again and again until it is so, or Ctrl-C; answers the last.

    On a terminal in the same place; elsewhere, and for programs, one after the other.
    """
    if not (session.printer.for_people and sys.stdout.isatty()):
        return _watch_in_lines(session, look, every, until)
    from rich.console import Group
    from rich.live import Live

    with Live(console=session.printer.console(), auto_refresh=False) as live:
        while True:
            document, blocks = look()
            shown = [boxed(one) if isinstance(one, Table) else plain(one) for one in blocks]
            live.update(Group(*shown), refresh=True)
            if until(document):
                return document
            pause(every)


def _watch_in_lines(
    session: Session,
    look: Callable[[], tuple[Any, Sequence[Block]]],
    every: float,
    until: Callable[[Any], bool],
) -> Any:
    last: Any = None
    while True:
        document, blocks = look()
        if document != last:
            session.printer.next(document, *blocks)
            sys.stdout.flush()
        if until(document):
            return document
        last = document
        pause(every)


def wait_for(session: Session, execution_id: str, *, progress: bool) -> None:
    """Print an execution when it has ended; exit with 1 unless it completed."""
    path = path_of("executions", execution_id)
    found = session.client.get(path)
    step = _FIRST
    with _shown(on=progress) as show:
        while found["status"] not in FINAL:
            show(found)
            pause(step)
            step = min(step * 1.5, _LONGEST)
            found = session.client.get(path)
    session.printer.show(found, *outcome_of(found))
    if found["status"] != "completed":
        raise typer.Exit(Exit.FAILED)


def outcome_of(found: dict[str, Any]) -> list[Block]:
    """How an execution ended, in short."""
    facts = {"id": found["id"], "status": found["status"]}
    if found["status"] == "completed":
        return [{**facts, "result": found["result"]}]
    return [{**facts, "error": found["error"] or found["reason"]}]


@contextmanager
def _shown(*, on: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Show how far an execution is: as a bar on a terminal, else as a line for each change."""
    if not on:
        yield lambda _: None
    elif not sys.stderr.isatty():
        last: list[str] = []

        def tell(found: dict[str, Any]) -> None:
            line = _progress(found)[0]
            if [line] != last:
                last[:] = [line]
                typer.echo(line, err=True)

        yield tell
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        words = TextColumn("{task.description}", markup=False)
        columns = words, BarColumn(), TaskProgressColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)

            def draw(found: dict[str, Any]) -> None:
                line, share = _progress(found)
                bar.update(task, description=line, total=share and 1.0, completed=share or 0.0)

            yield draw


def _progress(found: dict[str, Any]) -> tuple[str, float | None]:
    """In words, and as a share of 1 if the task says how far it is."""
    told = found.get("progress") or {}
    words = [found["status"], f"attempt {found['attempt']}" if found["attempt"] > 1 else ""]
    share = None
    if told.get("total"):
        share = told["done"] / told["total"]
        words.append(f"{said(told['done'])}/{said(told['total'])}")
    words.append(told.get("message") or "")
    return said(" ".join(filter(None, words))), share
