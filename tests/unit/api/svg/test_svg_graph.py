"""Workflows as pictures and as text."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advanced_scheduler.api.svg import (
    DependencyType,
    Edge,
    Graph,
    Node,
    dot,
    draw,
    lay_out,
    mermaid,
    text,
)
from advanced_scheduler.api.svg.graph import HEIGHT, SIZES, WIDTH

from . import pictures

TYPES: Sequence[DependencyType] = get_args(DependencyType)


def graph(edges: str, nodes: str = "") -> Graph:
    """``a>b a!c a?d``: success, failure and completion."""
    pairs = [
        (one[0], one[2], {">": "success", "!": "failure"}.get(one[1])) for one in edges.split()
    ]
    names = dict.fromkeys([*(name for a, b, _ in pairs for name in (a, b)), *nodes.split()])
    kinds: dict[str | None, DependencyType] = {
        "success": "success",
        "failure": "failure",
        None: "completion",
    }
    return Graph(
        nodes=[Node(id=name, label=name) for name in names],
        edges=[Edge(source=a, target=b, type=kinds[kind]) for a, b, kind in pairs],
    )


def random_graph(seed: int, count: int, reach: int) -> Graph:
    """Each node waits for one or two of those shortly before it."""
    dice = random.Random(seed)
    edges = [
        Edge(
            source=f"t{dice.randrange(max(0, one - reach), one)}",
            target=f"t{one}",
            type=dice.choice(TYPES),
        )
        for one in range(1, count)
        for _ in range(dice.choice((1, 1, 2)))
    ]
    return Graph(nodes=[Node(id=f"t{one}", label=f"t{one}") for one in range(count)], edges=edges)


@st.composite
def graphs(draw_: st.DrawFn) -> Graph:
    count = draw_(st.integers(1, 14))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.sampled_from(TYPES))
    edges = [
        Edge(source=str(min(a, b)), target=str(max(a, b)), type=kind)
        for a, b, kind in draw_(st.lists(pairs, max_size=30))
    ]
    return Graph(nodes=[Node(id=str(one), label=f"n{one}") for one in range(count)], edges=edges)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_node_overlaps_another_and_every_edge_leads_down(one: Graph) -> None:
    layout = lay_out(one, SIZES)
    assert sorted(name for layer in layout.layers for name in layer) == sorted(
        node.id for node in one.nodes
    )
    for layer in layout.layers:
        for left, right in pairwise(layer):
            assert layout.middles[right] - layout.middles[left] >= WIDTH + SIZES.gap - 0.01
    for middle in layout.middles.values():
        assert WIDTH / 2 - 0.01 <= middle <= layout.width - WIDTH / 2 + 0.01
    depth = {name: at for at, layer in enumerate(layout.layers) for name in layer}
    for edge, way in layout.ways:
        assert [way[0][0], way[-1][0]] == [depth[edge.source], depth[edge.target]]
        assert all(upper < lower for (upper, _), (lower, _) in pairwise(way))
    pictures.read(draw(one, "a graph"))
    assert text(one, 10_000)


def test_a_layer_is_the_longest_way_to_a_node() -> None:
    layout = lay_out(graph("a>b b>c a>d c>d"), SIZES)
    assert layout.layers == [["a"], ["b"], ["c"], ["d"]]


def test_the_order_in_the_layers_crosses_no_edge_where_it_need_not() -> None:
    layout = lay_out(graph("a>x b>y c>z a>u b>v c>w"), SIZES)
    order = [one for one in layout.layers[1] if one in "xyz"]
    assert order == [{"a": "x", "b": "y", "c": "z"}[one] for one in layout.layers[0]]


def test_a_chain_stands_in_one_line() -> None:
    layout = lay_out(graph("a>b b>c a>d"), SIZES)
    assert layout.middles["b"] == pytest.approx(layout.middles["c"])


def test_nodes_without_edges_stand_in_rows_below() -> None:
    many = Graph(nodes=[Node(id=f"{one}", label=f"{one}") for one in range(60)], edges=[])
    layout = lay_out(many, SIZES)
    assert len(layout.layers) > 5
    assert layout.width < 10 * (WIDTH + SIZES.gap)


def test_equal_graphs_look_equal() -> None:
    assert draw(random_graph(7, 80, 20), "x") == draw(random_graph(7, 80, 20), "x")
    assert text(random_graph(7, 20, 5), 500) == text(random_graph(7, 20, 5), 500)


def test_500_nodes_cost_a_few_steps_for_each() -> None:
    one = random_graph(1, 500, 40)
    assert lay_out(one, SIZES).work < 60 * (len(one.nodes) + len(one.edges))


def test_edges_across_very_many_layers_run_straight_and_cost_no_more() -> None:
    chain = [Edge(source=f"t{one}", target=f"t{one + 1}") for one in range(499)]
    far = [Edge(source="t0", target=f"t{one}") for one in range(2, 500)]
    nodes = [Node(id=f"t{one}", label=f"t{one}") for one in range(500)]
    layout = lay_out(Graph(nodes=nodes, edges=[*chain, *far]), SIZES)
    assert layout.work < 100_000
    assert len(layout.layers) == 500


def test_edges_to_unknown_nodes_and_cycles_do_no_harm() -> None:
    odd = Graph(
        nodes=[Node(id=one, label=one) for one in "abc"],
        edges=[
            *(Edge(source=a, target=b) for a, b in ("ab", "bc", "cb", "aa")),
            Edge(source="a", target="gone"),
        ],
    )
    assert sorted(one for layer in lay_out(odd, SIZES).layers for one in layer) == ["a", "b", "c"]
    pictures.read(draw(odd, "odd"))
    assert "gone" not in mermaid(odd)


def test_a_node_has_its_state_as_colour_icon_and_word_and_is_a_link() -> None:
    one = Graph(
        nodes=[
            Node(id="a", label="extract", state="failed", href="../executions/1", critical=True),
            Node(id="b", label="load"),
        ],
        edges=[Edge(source="a", target="b", type="failure")],
    )
    root = pictures.read(draw(one, "Workflow of 2 tasks"))
    assert root.attrib["aria-label"] == "Workflow of 2 tasks"
    (failed,) = pictures.of_class(root, "failed")
    assert "critical" in failed.attrib["class"].split()
    assert {"✕", "extract", "failed", "load", "not run"} <= set(pictures.texts(root))
    assert pictures.links(root) == ["../executions/1"]
    assert root.attrib["role"] == "group"  # what is in an image cannot be reached
    assert "load waits for failure of extract" in pictures.titles(root)
    (edge,) = pictures.of_class(root, "edge")
    assert "failure" in edge.attrib["class"].split()


def test_a_graph_without_links_is_an_image() -> None:
    assert pictures.read(draw(graph("a>b"), "x")).attrib["role"] == "img"


def test_an_edge_begins_and_ends_at_the_boxes() -> None:
    root = pictures.read(draw(graph("a>b"), "x"))
    (edge,) = pictures.of_class(root, "edge")
    numbers = [float(one) for one in re.findall(r"[\d.]+", edge.attrib["d"])]
    boxes = [float(one.attrib["y"]) for one in pictures.of_class(root, "box")]
    assert numbers[1] == boxes[0] + HEIGHT
    assert numbers[-1] == boxes[1]


def test_hostile_names_stay_text() -> None:
    one = Graph(
        nodes=[
            Node(
                id=pictures.HOSTILE,
                label=pictures.HOSTILE,
                note=pictures.HOSTILE,
                href=pictures.HOSTILE,
            )
        ],
        edges=[],
    )
    picture = draw(one, pictures.HOSTILE)
    pictures.read(picture)
    assert "<script" not in picture
    for said in (text(one, 500), mermaid(one), dot(one)):
        assert "\x1b" not in said
        assert "\x00" not in said
    assert '"' not in mermaid(one).split('["')[1].split('"]')[0]


def test_the_text_for_a_terminal() -> None:
    assert text(graph("a>b a>c b>d c>d")) == (
        "      ┌───────┐\n"
        "      │ · a   │\n"
        "      └───────┘\n"
        "    ┌─────┴─────┐\n"
        "    ▼           ▼\n"
        "┌───────┐   ┌───────┐\n"
        "│ · b   │   │ · c   │\n"
        "└───────┘   └───────┘\n"
        "    └─────┐     │\n"
        "          ├─────┘\n"
        "          ▼\n"
        "      ┌───────┐\n"
        "      │ · d   │\n"
        "      └───────┘\n"
    )


def test_arrows_of_the_text_tell_what_they_wait_for() -> None:
    said = text(graph("a>b a!c a?d"))
    assert {"▼", "✕", "▽"} <= set(said)


def test_where_the_text_would_be_too_wide_it_is_a_list() -> None:
    assert text(graph("a>b a!c b>d"), 20) == (
        "  1  · a\n  2  · b  ← a\n  2  · c  ← a (failure)\n  3  · d  ← b\n"
    )
    assert text(Graph(nodes=[], edges=[])) == ""


def test_mermaid_and_dot() -> None:
    one = Graph(
        nodes=[Node(id="a", label='the "first"', state="completed"), Node(id="b", label="b")],
        edges=[Edge(source="a", target="b", type="completion")],
    )
    assert mermaid(one) == (
        'flowchart TD\n  n0["the #quot;first#quot;"]:::completed\n  n1["b"]\n'
        "  n0 -..->|completion| n1\n"
    )
    assert dot(one) == (
        "digraph workflow {\n  node [shape=box];\n"
        '  "a" [label="the \\"first\\" ✓"];\n  "b" [label="b"];\n'
        '  "a" -> "b" [style=dotted];\n}\n'
    )
