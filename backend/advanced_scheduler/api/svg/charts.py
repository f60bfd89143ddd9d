"""Owns the charts of numbers: throughput, sparklines and histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from .markup import Markup, clock, lasting, number, percent, picture, tag

OUTCOMES: Final = ("completed", "skipped", "cancelled", "failed", "timed_out")
"""Bottom to top: what went wrong stands on top of what went right."""

_PLOT: Final = 120.0  # pixels of the bars; above and below them is room for text
_HEAD: Final = 18.0
_FOOT: Final = 18.0
_LINE: Final = 14.0  # of text
_WIDTH: Final = 1000  # of the inner picture, which is stretched


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One step of time: executions finished per second by outcome, and times in seconds."""

    time: datetime
    finished: Mapping[str, float] = field(default_factory=dict)
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A bar of a histogram: up to ``limit`` seconds (None: no limit) there were ``count``."""

    limit: float | None
    count: int


def throughput(samples: Sequence[Sample], label: str = "Finished per second") -> Markup:
    """Bars stacked by outcome (left scale) with lines of p50 and p95 (right scale)."""
    top = nice(max((sum(one.finished.values()) for one in samples), default=0))
    times = [t for one in samples for t in (one.p50, one.p95) if t is not None]
    longest = nice(max(times, default=0))
    height = _HEAD + _PLOT + _FOOT
    parts = [*_scale(top, longest if times else None)]
    inner = [_stack(one, at, len(samples), top) for at, one in enumerate(samples)]
    for name in ("p50", "p95"):
        inner += _line([getattr(one, name) for one in samples], longest, name)
    parts.append(_stretched(inner, _HEAD, _PLOT))
    if samples:
        parts += _times([one.time for one in samples], height)
    return picture(label, *parts, class_="chart throughput", height=height)


def sparkline(values: Sequence[float | None], label: str, *, height: float = 28) -> Markup:
    """A small line with the area below it; None is a gap."""
    top = max((one for one in values if one is not None), default=0) or 1
    inner: list[Markup] = []
    for run in _runs(values, top, height - 4):
        first, last = run[0].split(",")[0], run[-1].split(",")[0]
        ends = f"{last},{number(height)} {first},{number(height)}"
        inner.append(tag("polygon", points=f"{' '.join(run)} {ends}", class_="area"))
        inner.append(_polyline(run, "line"))
    return picture(label, _stretched(inner, 0, height), class_="chart sparkline", height=height)


def histogram(
    levels: Sequence[Level], label: str, *, p50: float | None, p95: float | None
) -> Markup:
    """How long executions took: a bar for each level, p50 and p95 as its marks."""
    top = max((one.count for one in levels), default=0) or 1
    head = 2 * _LINE + 4
    height = head + _PLOT + _FOOT
    parts: list[Markup] = []
    for at, one in enumerate(levels):
        tall = _PLOT * one.count / top
        said = "longer" if one.limit is None else f"up to {lasting(one.limit)}"
        start, wide = at / len(levels), 1 / len(levels)
        bar = tag(
            "rect",
            tag("title", f"{said}: {one.count}"),
            x=percent(start + wide * 0.06),
            width=percent(wide * 0.88),
            y=head + _PLOT - tall,
            height=tall,
            class_="bar",
        )
        middle = percent(start + wide / 2)
        parts.append(bar)
        if one.limit is not None and at % max(len(levels) // 6, 1) == 0:
            parts.append(_text(lasting(one.limit), middle, height - 4, anchor="middle"))
    for line, (name, seconds) in enumerate((("p95", p95), ("p50", p50))):
        if seconds is not None and levels:
            parts += _mark(levels, name, seconds, _LINE * (line + 1))
    return picture(label, *parts, class_="chart histogram", height=height)


def nice(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, where a scale may end; 1 for nothing."""
    if not 0 < value < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _stack(sample: Sample, at: int, count: int, top: float) -> Markup:
    wide, y = _WIDTH / count, _PLOT
    bars: list[Markup] = []
    said = [f"{sample.time:%H:%M:%S}"]
    for outcome in OUTCOMES:
        rate = sample.finished.get(outcome, 0.0)
        if rate <= 0:
            continue
        tall = _PLOT * rate / top
        y -= tall
        said.append(f"{outcome.replace('_', ' ')} {rate:.3g}/s")
        bars.append(
            tag("rect", x=at * wide, y=y, width=wide * 0.9, height=tall, class_=f"bar {outcome}")
        )
    said += [
        f"{name} {lasting(seconds)}"
        for name, seconds in (("p50", sample.p50), ("p95", sample.p95))
        if seconds is not None
    ]
    shade = tag("rect", x=at * wide, y=0, width=wide, height=_PLOT, class_="hover")
    return tag("g", tag("title", " · ".join(said)), shade, *bars)


def _scale(top: float, longest: float | None) -> list[Markup]:
    """Lines at the half and the whole, what they mean at the left, and at the right."""
    parts: list[Markup] = []
    for share in (0.5, 1.0):
        y = _HEAD + _PLOT * (1 - share)
        parts.append(tag("line", x1="0", x2="100%", y1=y, y2=y, class_="rule"))
        parts.append(_text(f"{top * share:g}/s", "0", y - 4))
        if longest is not None:
            parts.append(_text(lasting(longest * share), "100%", y - 4, anchor="end"))
    base = _HEAD + _PLOT
    parts.append(tag("line", x1="0", x2="100%", y1=base, y2=base, class_="base"))
    return parts


def _times(times: Sequence[datetime], height: float) -> list[Markup]:
    marks = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    return [
        clock(
            times[round(share * (len(times) - 1))],
            x=percent(share),
            y=height - 4,
            text_anchor=anchor,
            class_="tick",
        )
        for share, anchor in marks
    ]


def _mark(levels: Sequence[Level], name: str, seconds: float, y: float) -> list[Markup]:
    """A line from its words down through the bars; the words, on the line ``y``, touch no bar."""
    at = next(
        (i for i, one in enumerate(levels) if one.limit is None or seconds <= one.limit),
        len(levels) - 1,
    )
    x = percent((at + 0.5) / len(levels))
    line = tag("line", x1=x, x2=x, y1=y - 8, y2=2 * _LINE + 4 + _PLOT, class_=f"line {name}")
    place = "start" if at < len(levels) / 2 else "end"
    said = f"{name} {lasting(seconds)}"
    aside = f"\N{NO-BREAK SPACE}{said}" if place == "start" else f"{said}\N{NO-BREAK SPACE}"
    return [line, _text(aside, x, y, anchor=place)]


def _line(values: Sequence[float | None], top: float, class_: str) -> list[Markup]:
    return [_polyline(run, f"line {class_}") for run in _runs(values, top, _PLOT)]


def _runs(values: Sequence[float | None], top: float, height: float) -> list[list[str]]:
    """The points of each stretch without a gap."""
    wide = _WIDTH / max(len(values), 1)
    runs: list[list[str]] = []
    for known, group in groupby(enumerate(values), key=lambda pair: pair[1] is not None):
        if known:
            points = [
                f"{number((at + 0.5) * wide)},{number(height * (1 - (value or 0) / top) + 2)}"
                for at, value in group
            ]
            runs.append(points if len(points) > 1 else points * 2)
    return runs


def _polyline(points: Sequence[str], class_: str) -> Markup:
    return tag(
        "polyline", points=" ".join(points), class_=class_, vector_effect="non-scaling-stroke"
    )


def _stretched(children: Sequence[Markup], y: float, height: float) -> Markup:
    """An inner picture as wide as the outer one, whose units are thousandths of that."""
    return tag(
        "svg",
        *children,
        y=y,
        width="100%",
        height=height,
        viewBox=f"0 0 {_WIDTH} {number(height)}",
        preserveAspectRatio="none",
    )


def _text(words: str, x: str, y: float, *, anchor: str = "start") -> Markup:
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_="tick")
