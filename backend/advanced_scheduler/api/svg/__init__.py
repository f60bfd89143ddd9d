"""Pictures of what the scheduler does: pure functions from plain values to SVG, or to text.

Nothing here asks a store or knows a framework. Colours are CSS classes named for the states;
no picture has an inline style, so that the strictest Content-Security-Policy shows them all.
Charts are as wide as what holds them, and their text keeps its size.
"""

from __future__ import annotations

from .bars import Cell, Row, Slice, Span, gantt, grid, strip, timeline
from .charts import Level, Sample, histogram, sparkline, throughput
from .graph import draw
from .layout import DependencyType, Edge, Graph, Layout, Node, lay_out
from .markup import Markup, lasting
from .states import ICONS, icon
from .text import dot, mermaid, text

__all__ = [
    "ICONS",
    "Cell",
    "DependencyType",
    "Edge",
    "Graph",
    "Layout",
    "Level",
    "Markup",
    "Node",
    "Row",
    "Sample",
    "Slice",
    "Span",
    "dot",
    "draw",
    "gantt",
    "grid",
    "histogram",
    "icon",
    "lasting",
    "lay_out",
    "mermaid",
    "sparkline",
    "strip",
    "text",
    "throughput",
    "timeline",
]
