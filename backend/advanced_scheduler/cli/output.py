"""What commands print: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import typer

from ..clock import SystemClock
from .harmless import harmless

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Cell = Callable[[Mapping[str, Any]], object]


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under titles; the first column is never broken."""

    titles: Sequence[str]
    rows: Sequence[Sequence[object]]


Block = Table | Mapping[str, object] | str
"""A table, names with their values, or a line."""

STYLES: Final[Mapping[str, str]] = {
    "running": "blue",
    "completed": "green",
    "alive": "green",
    "active": "green",
    "retrying": "yellow",
    "draining": "yellow",
    "paused": "yellow",
    "failed": "red",
    "stale": "red",
    "cancelled": "bright_black",
    "skipped": "magenta",
}
"""The colours of words that are cells."""


@dataclass(frozen=True, slots=True)
class Printer:
    """Prints documents in one format; ``plain`` has neither colours nor lines."""

    format: Format = Format.TABLE
    plain: bool = False

    def show(self, document: Any, *blocks: Block) -> None:
        """Print a document: as it is for programs, as ``blocks`` for people."""
        if self.format is Format.JSON:
            typer.echo(harmless(json.dumps(document, indent=2, ensure_ascii=False)))
        elif self.format is Format.YAML:
            import yaml

            text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
            typer.echo(text.removesuffix("...\n"), nl=False)
        else:
            for one in blocks:
                self._block(one)

    def next(self, document: Any, *blocks: Block) -> None:
        """Print one of many documents: a line of JSON, or one part of a YAML stream."""
        if self.format is Format.JSON:
            typer.echo(harmless(json.dumps(document, ensure_ascii=False)))
            return
        if self.format is Format.YAML:
            typer.echo("---")
        self.show(document, *blocks)

    @property
    def for_people(self) -> bool:
        """Whether it prints blocks."""
        return self.format is Format.TABLE

    def console(self) -> Console:
        """Rich's terminal, on stdout."""
        from rich.console import Console

        return Console(markup=False, highlight=False, emoji=False, no_color=self.plain or None)

    def _block(self, block: Block) -> None:
        if isinstance(block, Table) and sys.stdout.isatty():
            self.console().print(boxed(block))
        else:
            typer.echo(plain(block))


def plain(block: Block) -> str:
    """A block as lines, none of them broken."""
    if isinstance(block, str):
        return harmless(block)
    return "\n".join(aligned(block) if isinstance(block, Table) else _facts(block))


def columns(items: Iterable[Mapping[str, Any]], **cells: str | Cell) -> Table:
    """A table of items: each column has a title and a key of the items, or a function of them."""
    readers = [
        (lambda item, key=cell: item[key]) if isinstance(cell, str) else cell
        for cell in cells.values()
    ]
    titles = [title.replace("_", " ") for title in cells]
    return Table(titles, [[read(item) for read in readers] for item in items])


def boxed(table: Table) -> RenderableType:
    """A table of Rich, which breaks what is long to fit the terminal."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for number, title in enumerate(table.titles):
        made.add_column(title, no_wrap=number == 0, overflow="fold")
    for row in table.rows:
        made.add_row(*(Text(said(one), style=STYLES.get(said(one), "")) for one in row))
    return made


def aligned(table: Table) -> list[str]:
    """A table as plain lines: its titles, and a line for each row."""
    rows = [list(table.titles), *([said(one) for one in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def said(value: object) -> str:
    """A value in a cell: on one line, nothing for None."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(said, value)) or "-"
    if isinstance(value, Mapping):
        return harmless(json.dumps(value, ensure_ascii=False))
    return harmless(" ".join(str(value).split()))


def ago(key: str) -> Cell:
    """A column of times as they are from now: ``3 min ago``, ``in 2 h``."""

    def cell(item: Mapping[str, Any]) -> str:
        return "-" if item[key] is None else from_now(datetime.fromisoformat(item[key]))

    return cell


def seconds(key: str) -> Cell:
    """A column of durations."""
    return lambda item: "-" if item[key] is None else spoken(item[key])


def from_now(instant: datetime) -> str:
    """How far from now an instant is."""
    distance = (instant - SystemClock().now()).total_seconds()
    return f"in {spoken(distance)}" if distance > 0 else f"{spoken(-distance)} ago"


def spoken(duration: float) -> str:
    """Seconds as people say them: ``12 ms``, ``3.2 s``, ``5 min``, ``2 h``, ``4 d``."""
    if duration < 1:
        return f"{duration * 1000:.0f} ms"
    for limit, size, unit in ((10, 1, ""), (120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if duration < limit:
            return f"{duration / size:.0f} {unit}" if unit else f"{duration:.1f} s"
    return f"{duration / 86_400:.0f} d"


def _facts(facts: Mapping[str, object]) -> list[str]:
    width = max(map(len, facts))
    return [
        f"{name.replace('_', ' '):{width}}  {'none' if value is None else said(value)}"
        for name, value in facts.items()
    ]
