"""Owns where the nodes of a graph stand: in layers, so that every edge leads down.

The steps are those of Sugiyama, Tagawa and Toda (1981): layers by the longest path, points for
long edges to bend at, an order within the layers that crosses few edges (medians, as Gansner et
al. 1993 have it), and places within them. The last is exact: the least squares of the distances
to the neighbours, under the condition that nothing overlaps, by pooling adjacent violators.
Nothing is random: equal graphs look equal.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

DependencyType = Literal["success", "failure", "completion"]

SWEEPS: Final = 4
"""How often the order of the layers is looked at, downwards and upwards in turn."""

MOST_BENDS: Final = 1500
"""Points at which edges bend; what would need more of them runs straight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A task in a graph; ``state`` is None where nothing has run yet."""

    id: str
    label: str
    state: str | None = None
    note: str = ""
    href: str | None = None
    critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``source`` comes before ``target``."""

    source: str
    target: str
    type: DependencyType = "success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes in any order that stays, and edges between them, without a cycle."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The measures of a drawing, in pixels or in characters."""

    width: Callable[[Node], float]
    gap: float
    bend: float  # the width that an edge takes where it passes a layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The middle of each node by id, its layer, and for each edge the middles it passes by.

    ``layers`` are the ids from left to right; those without any edge stand in the last ones.
    ``ways`` go with the edges of the graph (those that join two nodes of it), from the source to
    the target: (layer, middle). ``work`` counts the steps that it took.
    """

    middles: Mapping[str, float]
    layers: Sequence[Sequence[str]]
    ways: Sequence[tuple[Edge, Sequence[tuple[int, float]]]]
    width: float
    work: int


@dataclass(slots=True)
class _Net:
    """The graph with its bends: points are numbers, the first ones are the nodes."""

    layer_of: list[int]
    widths: list[float]
    up: list[list[int]] = field(default_factory=list)
    down: list[list[int]] = field(default_factory=list)
    work: int = 0

    def add(self, layer: int, width: float) -> int:
        self.layer_of.append(layer)
        self.widths.append(width)
        self.up.append([])
        self.down.append([])
        return len(self.layer_of) - 1

    def join(self, upper: int, lower: int) -> None:
        self.down[upper].append(lower)
        self.up[lower].append(upper)


def lay_out(graph: Graph, sizes: Sizes) -> Layout:
    """Where everything stands."""
    nodes = {one.id: one for one in graph.nodes}
    edges = [
        one
        for one in dict.fromkeys((e.source, e.target, e.type) for e in graph.edges)
        if one[0] in nodes and one[1] in nodes and one[0] != one[1]
    ]
    known = [Edge(source=source, target=target, type=type_) for source, target, type_ in edges]
    depths = _depths_of(nodes, known)
    joined = {one for edge in known for one in (edge.source, edge.target)}
    net = _Net([], [])
    number = {one: net.add(depths[one], sizes.width(nodes[one])) for one in nodes if one in joined}
    trails = _bend(net, number, known, sizes.bend)
    layers = _in_layers(net)
    layers = _ordered(net, layers)
    places = _placed(net, layers, sizes.gap)
    ids = list(number)
    named = [[ids[one] for one in layer if one < len(ids)] for layer in layers]
    middles = {one: places[at] for one, at in number.items()}
    alone = [one for one in nodes if one not in joined]
    edge_of_all = max((places[p] + net.widths[p] / 2 for p in range(len(places))), default=0.0)
    rows, wide = _rows(alone, nodes, sizes, middles, edge_of_all)
    ways = [
        (edge, [(net.layer_of[point], places[point]) for point in trail])
        for edge, trail in zip(known, trails, strict=True)
    ]
    return Layout(
        middles=middles,
        layers=[*named, *rows],
        ways=ways,
        width=max(edge_of_all, wide),
        work=net.work + len(nodes) + len(known),
    )


def _depths_of(nodes: Iterable[str], edges: Sequence[Edge]) -> dict[str, int]:
    """How many nodes come before each on the longest way; those on a cycle come last."""
    after: dict[str, list[str]] = {one: [] for one in nodes}
    waiting = dict.fromkeys(after, 0)
    for edge in edges:
        after[edge.source].append(edge.target)
        waiting[edge.target] += 1
    depths = dict.fromkeys(after, 0)
    ready = [one for one, count in waiting.items() if count == 0]
    for one in ready:  # which grows
        for other in after[one]:
            depths[other] = max(depths[other], depths[one] + 1)
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    deepest = max(depths.values(), default=0)
    stuck = [one for one, count in waiting.items() if count > 0]
    return depths | {one: deepest + 1 + at for at, one in enumerate(stuck)}


def _bend(
    net: _Net, number: Mapping[str, int], edges: Sequence[Edge], width: float
) -> list[list[int]]:
    """The points that each edge passes; short edges get theirs first."""
    trails: list[list[int]] = [[number[e.source], number[e.target]] for e in edges]
    left = MOST_BENDS
    spans = [net.layer_of[b] - net.layer_of[a] for a, b in trails]
    for at in sorted(range(len(edges)), key=lambda i: (abs(spans[i]), i)):
        (source, target), span = trails[at], spans[at]
        if 1 < span <= left + 1:
            left -= span - 1
            first = net.layer_of[source]
            bends = [net.add(first + step, width) for step in range(1, span)]
            trails[at] = [source, *bends, target]
        for upper, lower in pairwise(trails[at]):
            if net.layer_of[lower] - net.layer_of[upper] == 1:
                net.join(upper, lower)
    return trails


def _in_layers(net: _Net) -> list[list[int]]:
    """The points of each layer, those of one way together: depth first from the top."""
    layers: list[list[int]] = [[] for _ in range(max(net.layer_of, default=-1) + 1)]
    seen: set[int] = set()
    for root in sorted(range(len(net.layer_of)), key=lambda one: (net.layer_of[one], one)):
        stack = [root]
        while stack:
            one = stack.pop()
            net.work += 1
            if one not in seen:
                seen.add(one)
                layers[net.layer_of[one]].append(one)
                stack += reversed(net.down[one])
    return layers


def _ordered(net: _Net, layers: list[list[int]]) -> list[list[int]]:
    """The order with the fewest crossings of all that were tried."""
    best, least = layers, _crossings(net, layers)
    for sweep in range(SWEEPS):
        if least == 0:
            break
        layers = _swept(net, layers, downwards=sweep % 2 == 0)
        crossings = _crossings(net, layers)
        if crossings < least:
            best, least = layers, crossings
    return best


def _swept(net: _Net, layers: list[list[int]], *, downwards: bool) -> list[list[int]]:
    """Each layer in the order of the medians of the one that was sorted before it."""
    layers = list(layers)
    order = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
    beside = net.up if downwards else net.down
    for at in order:
        before = {one: i for i, one in enumerate(layers[at - 1 if downwards else at + 1])}
        keys = {
            one: _median([before[n] for n in beside[one]], i) for i, one in enumerate(layers[at])
        }
        net.work += sum(len(beside[one]) + 1 for one in layers[at])
        layers[at] = sorted(layers[at], key=keys.__getitem__)
    return layers


def _median(places: list[int], own: int) -> float:
    """Between the two in the middle, nearer to the side that is denser."""
    places.sort()
    middle = len(places) // 2
    if not places:
        return own
    if len(places) % 2 == 1:
        return places[middle]
    low, high = places[middle - 1], places[middle]
    left, right = low - places[0], places[-1] - high
    if left + right == 0:
        return (low + high) / 2
    return (low * right + high * left) / (left + right)


def _crossings(net: _Net, layers: Sequence[Sequence[int]]) -> int:
    count = 0
    for upper, lower in pairwise(layers):
        at = {one: i for i, one in enumerate(lower)}
        ends: list[int] = []  # of the edges so far, sorted
        for one in upper:
            mine = [at[other] for other in net.down[one]]
            count += sum(len(ends) - bisect_right(ends, end) for end in mine)
            net.work += len(mine)
            for end in mine:
                insort(ends, end)
    return count


def _placed(net: _Net, layers: Sequence[Sequence[int]], gap: float) -> list[float]:
    """The middle of each point, near to its neighbours; the leftmost thing begins at 0."""
    places = [0.0] * len(net.layer_of)
    for layer in layers:
        x = 0.0
        for one in layer:
            places[one] = x + net.widths[one] / 2
            x += net.widths[one] + gap
        middle = (x - gap) / 2
        for one in layer:
            places[one] -= middle
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            _settle(net, layer, places, gap, net.up if downwards else net.down)
    left = min((places[one] - net.widths[one] / 2 for one in range(len(places))), default=0.0)
    return [one - left for one in places]


def _settle(
    net: _Net, layer: Sequence[int], places: list[float], gap: float, beside: Sequence[list[int]]
) -> None:
    """Move the points of a layer as near to their neighbours as the order and the gaps allow.

    Taking the room that a point needs off its wish makes the condition "in order", for which
    pooling adjacent violators finds the least squares.
    """
    room, offsets = 0.0, []
    for at, one in enumerate(layer):
        if at:
            room += (net.widths[layer[at - 1]] + net.widths[one]) / 2 + gap
        offsets.append(room)
    pools: list[tuple[float, int]] = []  # (sum of wishes, how many)
    for one, offset in zip(layer, offsets, strict=True):
        near = beside[one]
        wish = sum(places[other] for other in near) / len(near) if near else places[one]
        pool = (wish - offset, 1)
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            before = pools.pop()
            pool = (before[0] + pool[0], before[1] + pool[1])
            net.work += 1
        pools.append(pool)
        net.work += len(near) + 1
    settled = [total / count for total, count in pools for _ in range(count)]
    for one, place, offset in zip(layer, settled, offsets, strict=True):
        places[one] = place + offset


def _rows(
    alone: Sequence[str],
    nodes: Mapping[str, Node],
    sizes: Sizes,
    middles: dict[str, float],
    wide: float,
) -> tuple[list[list[str]], float]:
    """Nodes without edges in rows below the others, not much wider than those."""
    widths = [sizes.width(nodes[one]) + sizes.gap for one in alone]
    most = max(wide, max(widths, default=0.0) * max(4, round(len(alone) ** 0.5)))
    rows: list[list[str]] = []
    x = most
    for one, width in zip(alone, widths, strict=True):
        if x + width > most + sizes.gap:
            rows.append([])
            x = 0.0
        rows[-1].append(one)
        middles[one] = x + (width - sizes.gap) / 2
        x += width
        wide = max(wide, x - sizes.gap)
    return rows, wide
