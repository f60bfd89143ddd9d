"""The graph of the tasks, and of a run along it, as text."""

from __future__ import annotations

import shutil
from typing import Any

from ..api.svg import Edge, Graph, Node, dot, mermaid, text
from .asked import Drawing


def graph_of_tasks(found: dict[str, Any]) -> Graph:
    """What ``/workflows/graph`` answered."""
    return Graph(
        nodes=[
            Node(id=one["id"], label=one["name"], critical=one["critical"])
            for one in found["nodes"]
        ],
        edges=[Edge(**one) for one in found["edges"]],
    )


def graph_of_run(found: dict[str, Any]) -> Graph:
    """What ``/workflows/{id}`` answered."""
    return Graph(
        nodes=[
            Node(
                id=one["task_id"],
                label=one["task_id"],
                state=one["status"],
                critical=one.get("critical", False),  # which a service of before does not tell
            )
            for one in found["items"]
        ],
        edges=[Edge(**edge) for one in found["items"] for edge in one["upstream"]],
    )


def drawn(graph: Graph, drawing: Drawing) -> str:
    """The lines of a graph."""
    if drawing is Drawing.MERMAID:
        return mermaid(graph).rstrip()
    if drawing is Drawing.DOT:
        return dot(graph).rstrip()
    return text(graph, shutil.get_terminal_size().columns).rstrip()
