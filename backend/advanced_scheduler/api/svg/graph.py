"""Owns the picture of a workflow: boxes in layers, and edges that tell what they wait for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from .layout import Graph, Layout, Node, Sizes, lay_out
from .markup import Markup, clipped, linked, number, picture, tag
from .states import icon

WIDTH: Final = 190.0
HEIGHT: Final = 44.0
_GAP: Final = 28.0
_BEND: Final = 12.0
_STEP: Final = HEIGHT + 52.0  # from layer to layer
_MARGIN: Final = 12.0
_LETTERS: Final = 21

SIZES: Final = Sizes(width=lambda _: WIDTH, gap=_GAP, bend=_BEND)


def draw(graph: Graph, label: str) -> Markup:
    """The graph from top to bottom; each node tells its name and state, and is a link if it can.

    Classes: ``node`` with its state and ``critical``, ``edge`` with its type and ``critical``.
    """
    layout = lay_out(graph, SIZES)
    nodes = {one.id: one for one in graph.nodes}
    width = max(layout.width, WIDTH) + 2 * _MARGIN
    height = max(len(layout.layers), 1) * _STEP - (_STEP - HEIGHT) + 2 * _MARGIN
    edges = [_edge(layout, at, nodes) for at in range(len(layout.ways))]
    boxes = [
        _node(nodes[one], layout.middles[one], depth)
        for depth, layer in enumerate(layout.layers)
        for one in layer
    ]
    return picture(
        label,
        tag("defs", *(_arrow(one) for one in ("success", "failure", "completion"))),
        tag("g", *edges, class_="edges"),
        tag("g", *boxes, class_="nodes"),
        class_="graph",
        width=width,
        height=height,
        links=any(one.href is not None for one in graph.nodes),
    )


def _arrow(type_: str) -> Markup:
    return tag(
        "marker",
        tag("path", d="M0 0 8 4 0 8z", class_=f"tip {type_}"),
        id=f"tip-{type_}",
        markerWidth=8,
        markerHeight=8,
        refX=7,
        refY=4,
        orient="auto",
        markerUnits="userSpaceOnUse",
    )


def _edge(layout: Layout, at: int, nodes: dict[str, Node]) -> Markup:
    edge, way = layout.ways[at]
    source, target = nodes[edge.source], nodes[edge.target]
    critical = " critical" if source.critical and target.critical and len(way) == 2 else ""
    return tag(
        "path",
        tag("title", f"{target.label} waits for {edge.type} of {source.label}"),
        d=_path(way),
        class_=f"edge {edge.type}{critical}",
        marker_end=f"url(#tip-{edge.type})",
    )


def _path(way: Sequence[tuple[int, float]]) -> str:
    """Curves from the lower side of the source to the upper side of the target."""
    last = len(way) - 1
    points = [
        (
            x + _MARGIN,
            layer * _STEP + _MARGIN + (HEIGHT if at == 0 else 0 if at == last else HEIGHT / 2),
        )
        for at, (layer, x) in enumerate(way)
    ]
    said = [f"M{number(points[0][0])} {number(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = number((y + to_y) / 2)
        said.append(f"C{number(x)} {middle} {number(to_x)} {middle} {number(to_x)} {number(to_y)}")
    return "".join(said)


def _node(node: Node, middle: float, layer: int) -> Markup:
    x, y = middle - WIDTH / 2 + _MARGIN, layer * _STEP + _MARGIN
    word = node.state or ("" if node.note else "not run")
    said = ", ".join(filter(None, (node.label, word, node.note)))
    second = " · ".join(filter(None, (word, node.note)))
    classes = f"node {node.state or 'idle'}" + (" critical" if node.critical else "")
    return linked(
        node.href,
        tag("title", said),
        tag(
            "g",
            tag("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=6, class_="box"),
            tag("rect", x=x, y=y, width=30, height=HEIGHT, rx=6, class_="flag"),
            tag("text", icon(node.state), x=x + 15, y=y + 28, text_anchor="middle", class_="sign"),
            tag("text", clipped(node.label, _LETTERS), x=x + 38, y=y + 19, class_="name"),
            tag("text", clipped(second, _LETTERS + 2), x=x + 38, y=y + 35, class_="note"),
            class_=classes,
        ),
        label=said,
    )
