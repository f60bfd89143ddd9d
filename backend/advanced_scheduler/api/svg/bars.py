"""Owns the pictures of executions in time: a timeline, a Gantt chart, a grid and a strip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .markup import Markup, clipped, clock, lasting, linked, percent, picture, tag
from .states import icon

_LEAST: Final = 0.012
"""The share of the width that even the shortest bar has."""

_ROW: Final = 34
_FOOT: Final = 20
_CELL: Final = 20
_GUTTER: Final = 176
_LETTERS: Final = 24  # of a name in the gutter


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of the life of an execution; ``state`` is also its CSS class."""

    state: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A task of a run; without a start it has not begun, without an end it goes on."""

    label: str
    state: str
    start: datetime | None
    end: datetime | None
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What became of a task in a run; the state None: it was not part of it."""

    state: str | None
    href: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A run of a grid: its name, and a cell for each task."""

    label: str
    cells: Sequence[Cell]
    href: str | None = None


def timeline(spans: Sequence[Span], label: str) -> Markup:
    """The states of one execution, side by side, each as wide as it lasted.

    Where some are too short to be seen beside the others they are drawn a little wider.
    """
    shares = _shares([(one.end - one.start).total_seconds() for one in spans])
    parts: list[Markup] = []
    at = 0.0
    for one, share in zip(spans, shares, strict=True):
        lasted = lasting((one.end - one.start).total_seconds())
        said = f"{one.state}: {lasted}"
        bar = tag(
            "rect",
            x=percent(at),
            width=percent(share),
            y=18,
            height=22,
            class_=f"bar {one.state}",
        )
        words = [tag("title", said), bar]
        if share > 0.12:
            middle = percent(at + share / 2)
            words.append(_text(f"{icon(one.state)} {one.state}", middle, 12, "middle"))
            words.append(_text(lasted, middle, 55, "middle"))
        parts.append(tag("g", *words))
        at += share
    return picture(label, *parts, class_="timeline", height=62)


def gantt(rows: Sequence[Row], now: datetime, label: str) -> Markup:
    """A row for each task, from when it began until it ended, or ``now``."""
    begun = [one.start for one in rows if one.start is not None]
    first = min(begun, default=now)
    last = max((one.end or now for one in rows if one.start is not None), default=now)
    whole = max((last - first).total_seconds(), 0.001)
    height = _ROW * len(rows) + _FOOT
    parts = [
        tag("line", x1=percent(share), x2=percent(share), y1=0, y2=height - 14, class_="rule")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    parts += [_gantt_row(one, _ROW * at, first, whole, now) for at, one in enumerate(rows)]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        moment = first + timedelta(seconds=whole * share)
        parts.append(
            clock(
                moment,
                "%H:%M:%S",
                x=percent(share),
                y=height - 3,
                text_anchor=anchor,
                class_="tick",
            )
        )
    return picture(label, *parts, class_="gantt", height=height, links=_has_link(rows))


def _gantt_row(row: Row, y: float, first: datetime, whole: float, now: datetime) -> Markup:
    name = f"{icon(row.state)} {clipped(row.label, 48)}"
    if row.start is None:
        said = f"{row.label}: {row.state}, not begun"
        return linked(row.href, tag("title", said), _text(name, "0", y + 13, "start", "label"))
    end = row.end or now
    lasted = (end - row.start).total_seconds()
    said = f"{row.label}: {row.state}, {lasting(lasted)}"
    start = (row.start - first).total_seconds() / whole
    share = max(min(lasted / whole, 1 - start), _LEAST)
    start = min(start, 1 - share)
    bar = tag(
        "rect",
        x=percent(start),
        width=percent(share),
        y=y + 18,
        height=10,
        rx=2,
        class_=f"bar {row.state}",
    )
    anchor = "start" if start < 0.6 else "end"
    place = percent(start if anchor == "start" else start + share)
    words = _text(f"{name} · {lasting(lasted)}", place, y + 13, anchor, "label")
    return linked(row.href, tag("title", said), bar, words)


def grid(tasks: Sequence[str], runs: Sequence[Slice], label: str) -> Markup:
    """A row for each task and a column for each run, the oldest first as they are given."""
    head = 22
    width, height = _GUTTER + _CELL * len(runs), head + _CELL * len(tasks)
    parts = [
        tag(
            "text",
            tag("title", task),
            clipped(task, _LETTERS),
            x=0,
            y=head + _CELL * at + 14,
            class_="label",
        )
        for at, task in enumerate(tasks)
    ]
    for column, run in enumerate(runs):
        x = _GUTTER + _CELL * column
        sign = tag("text", "▾", x=x + 8, y=head - 8, text_anchor="middle", class_="label")
        parts.append(linked(run.href, tag("title", run.label), sign, label=run.label))
        for row, cell in enumerate(run.cells):
            if cell.state is not None:
                parts.append(_cell(cell, x, head + _CELL * row, f"{tasks[row]}, {run.label}"))
    links = _has_link([*runs, *(cell for run in runs for cell in run.cells)])
    return picture(label, *parts, class_="grid-chart", width=width, height=height, links=links)


def _cell(cell: Cell, x: float, y: float, where: str) -> Markup:
    said = f"{where}: {cell.state}" + (f", {cell.title}" if cell.title else "")
    return linked(
        cell.href,
        tag("title", said),
        tag("rect", x=x, y=y, width=16, height=16, rx=3, class_=f"bar {cell.state}"),
        tag("text", icon(cell.state), x=x + 8, y=y + 12, text_anchor="middle", class_="sign"),
        label=said,
    )


def strip(cells: Sequence[Cell], label: str) -> Markup:
    """The last runs of a task as small signs, the oldest first as they are given."""
    parts = [
        _cell(cell, _CELL * at, 0, f"run {at + 1} of {len(cells)}") for at, cell in enumerate(cells)
    ]
    width = max(_CELL * len(cells) - 4, 1)
    return picture(label, *parts, class_="strip", width=width, height=16, links=_has_link(cells))


def _has_link(parts: Sequence[Row | Cell | Slice]) -> bool:
    return any(one.href is not None for one in parts)


def _shares(seconds: Sequence[float]) -> list[float]:
    """The part of the whole that each has, none of them too small to be seen."""
    whole = sum(seconds) or 1.0
    drawn = [max(one / whole, _LEAST) for one in seconds]
    return [one / sum(drawn) for one in drawn]


def _text(words: str, x: str, y: float, anchor: str, class_: str = "tick") -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_)
