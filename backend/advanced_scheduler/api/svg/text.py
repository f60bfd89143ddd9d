"""Owns the same graph as text: boxes for a terminal, Mermaid, and DOT."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from .layout import DependencyType, Graph, Layout, Node, Sizes, lay_out
from .markup import clean, clipped
from .states import icon

_TIPS: Final[Mapping[DependencyType, str]] = {"success": "▼", "failure": "✕", "completion": "▽"}
_PORTS: Final[Mapping[DependencyType, int]] = {"success": 0, "failure": 2, "completion": -2}
_UP, _RIGHT, _DOWN, _LEFT = 1, 2, 4, 8
_LINES: Final = " ╵╶└╷│┌├╴┘─┴┐┤┬┼"  # by the sides from which something comes
_BOX: Final = 3  # lines
_LETTERS: Final = 24

_ARROWS: Final[Mapping[DependencyType, str]] = {
    "success": "-->",
    "failure": "-.->|failure|",
    "completion": "-..->|completion|",
}
_STROKES: Final[Mapping[DependencyType, str]] = {
    "success": "solid",
    "failure": "dashed",
    "completion": "dotted",
}


def text(graph: Graph, width: int = 100) -> str:
    """The graph in boxes and lines; as a list, where that would be wider than ``width``.

    An arrow ▼ waits for success, ✕ for failure, ▽ for either.
    """
    layout = lay_out(graph, Sizes(width=_wide, gap=3, bend=1))
    if not graph.nodes:
        return ""
    if layout.width > width:
        return _listed(graph, layout)
    return _Canvas(graph, layout).drawn()


def mermaid(graph: Graph) -> str:
    """A flowchart of Mermaid, with a class for each state."""
    names = _names(graph)
    lines = ["flowchart TD"]
    for one in graph.nodes:
        label = clipped(one.label, 200).replace("#", "#35;").replace('"', "#quot;")
        label = label.replace("<", "#lt;").replace(">", "#gt;").replace("`", "#96;")
        lines.append(f'  {names[one.id]}["{label}"]' + (f":::{one.state}" if one.state else ""))
    lines += [
        f"  {names[one.source]} {_ARROWS[one.type]} {names[one.target]}"
        for one in graph.edges
        if one.source in names and one.target in names
    ]
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """A digraph of Graphviz."""
    lines = ["digraph workflow {", "  node [shape=box];"]
    for one in graph.nodes:
        state = f" {icon(one.state)}" if one.state else ""
        bold = ", penwidth=2" if one.critical else ""
        lines.append(f"  {_quoted(one.id)} [label={_quoted(one.label + state)}{bold}];")
    lines += [
        f"  {_quoted(one.source)} -> {_quoted(one.target)} [style={_STROKES[one.type]}];"
        for one in graph.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _names(graph: Graph) -> dict[str, str]:
    return {one.id: f"n{at}" for at, one in enumerate(graph.nodes)}


def _quoted(words: str) -> str:
    return json.dumps(clean(words), ensure_ascii=False)


def _label(node: Node) -> str:
    return f"{icon(node.state)} {clipped(node.label, _LETTERS)}"


def _wide(node: Node) -> float:
    return max(len(_label(node)) + 4, 9) // 2 * 2 + 1  # odd, so that there is a middle


def _listed(graph: Graph, layout: Layout) -> str:
    """A line for each node, below those it waits for, which it names."""
    nodes = {one.id: one for one in graph.nodes}
    before: defaultdict[str, list[str]] = defaultdict(list)
    for edge, _ in layout.ways:
        kind = "" if edge.type == "success" else f" ({edge.type})"
        before[edge.target].append(clipped(nodes[edge.source].label, _LETTERS) + kind)
    lines: list[str] = []
    for depth, layer in enumerate(layout.layers):
        for one in layer:
            needs = f"  ← {', '.join(before[one])}" if before[one] else ""
            lines.append(f"{depth + 1:>3}  {_label(nodes[one])}{needs}")
    return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Wire:
    """What leaves one port of one layer: down, aside, and down again to each of its ends."""

    source: int
    ends: dict[int, str] = field(default_factory=dict)  # column -> what stands at its end
    track: int = 0

    @property
    def low(self) -> int:
        return min(self.source, *self.ends)

    @property
    def high(self) -> int:
        return max(self.source, *self.ends)


class _Canvas:
    """Characters by line and column."""

    def __init__(self, graph: Graph, layout: Layout) -> None:
        self._nodes = {one.id: one for one in graph.nodes}
        self._layout = layout
        self._sides: defaultdict[tuple[int, int], int] = defaultdict(int)
        self._letters: dict[tuple[int, int], str] = {}

    def drawn(self) -> str:
        """The whole text."""
        wires = self._wires()
        line = 0
        for depth, layer in enumerate(self._layout.layers):
            for one in layer:
                self._box(self._nodes[one], line)
            passing = wires[depth]
            tracks = _tracked(passing)
            self._pass_by(depth, line)
            line += _BOX
            for wire in passing:
                self._wire(wire, line, line + tracks)
            line += tracks + 1 if passing else 0
        return self._written(line)

    def _wires(self) -> list[list[_Wire]]:
        """The wires below each layer; edges of one kind from one node are one wire."""
        found: list[dict[tuple[float, int], _Wire]] = [{} for _ in self._layout.layers]
        for edge, way in self._layout.ways:
            port = _PORTS[edge.type]
            last = len(way) - 1
            for at, ((depth, x), (_, to_x)) in enumerate(pairwise(way)):
                start = int(x) + (port if at == 0 else 0)
                arrives = at + 1 == last
                end = int(to_x) + (port if arrives else 0)
                key = (start, port if at == 0 else 9)
                wire = found[depth].setdefault(key, _Wire(start))
                wire.ends[end] = _TIPS[edge.type] if arrives else "│"
        return [list(one.values()) for one in found]

    def _box(self, node: Node, line: int) -> None:
        wide = int(_wide(node))
        left = int(self._layout.middles[node.id]) - wide // 2
        heavy = node.critical
        across, down = ("━", "┃") if heavy else ("─", "│")
        corners = "┏┓┗┛" if heavy else "┌┐└┘"
        rows = (
            corners[0] + across * (wide - 2) + corners[1],
            down + f" {_label(node)} ".ljust(wide - 2) + down,
            corners[2] + across * (wide - 2) + corners[3],
        )
        for at, row in enumerate(rows):
            for column, letter in enumerate(row):
                self._letters[line + at, left + column] = letter

    def _pass_by(self, depth: int, line: int) -> None:
        """Edges that pass this layer beside its boxes."""
        for _, way in self._layout.ways:
            for layer, x in way[1:-1]:
                if layer == depth:
                    for at in range(_BOX):
                        self._letters.setdefault((line + at, int(x)), "│")

    def _wire(self, wire: _Wire, top: int, bottom: int) -> None:
        track = top + wire.track
        self._sides[top, wire.source] |= _UP
        self._down(wire.source, top, track)
        for column in range(wire.low, wire.high):
            self._sides[track, column] |= _RIGHT
            self._sides[track, column + 1] |= _LEFT
        for column, tip in wire.ends.items():
            self._down(column, track, bottom)
            self._letters[bottom, column] = tip

    def _down(self, column: int, first: int, last: int) -> None:
        for line in range(first, last):
            self._sides[line, column] |= _DOWN
            self._sides[line + 1, column] |= _UP

    def _written(self, lines: int) -> str:
        left = min((column for _, column in self._letters), default=0)
        high = max((column for _, column in self._letters), default=0)
        rows = []
        for line in range(lines):
            row = [
                self._letters.get((line, column)) or _LINES[self._sides.get((line, column), 0)]
                for column in range(left, high + 1)
            ]
            rows.append("".join(row).rstrip())
        return "\n".join(rows).rstrip("\n") + "\n"


def _tracked(wires: Sequence[_Wire]) -> int:
    """Give each wire a line on which it runs aside; answers how many lines there are.

    A wire that leaves where another one arrives runs above it, so that the two do not touch.
    """
    done: list[_Wire] = []
    waiting = sorted(wires, key=lambda one: (one.low, one.high))
    while waiting:
        free = [one for one in waiting if not any(_above(two, one) for two in waiting)]
        wire = free[0] if free else waiting[0]
        waiting.remove(wire)
        least = max((one.track + 1 for one in done if _above(one, wire)), default=0)
        taken = {one.track for one in done if one.low <= wire.high and wire.low <= one.high}
        wire.track = next(at for at in range(least, least + len(taken) + 1) if at not in taken)
        done.append(wire)
    return max((one.track for one in wires), default=0) + 1


def _above(one: _Wire, other: _Wire) -> bool:
    return one is not other and one.source in other.ends and other.source != one.source
