"""Builds Grafana panels as plain dicts, and lays them out in rows of 24 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from string import ascii_uppercase
from typing import Any, Final, Literal, TypeAlias

PREFIX: Final = "advanced_scheduler"
COLUMNS: Final = 24
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WHERE: Final = 'job=~"$job",instance=~"$instance"'
"""What every selector of ours says, so that the variables above the dashboard hold for it."""

Kind: TypeAlias = Literal["stat", "timeseries", "table", "heatmap"]
Format: TypeAlias = Literal["time_series", "table", "heatmap"]


@dataclass(frozen=True)
class Query:
    """One expression of PromQL; ``legend`` names its series by their labels."""

    expression: str
    legend: str = "__auto"
    format: Format = "time_series"


@dataclass(frozen=True)
class Panel:
    """One panel; ``unit`` is Grafana's word for it, ``help`` says what to make of it."""

    title: str
    help: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)
    thresholds: Sequence[tuple[float, str]] = ()
    decimals: int | None = None


@dataclass(frozen=True)
class Row:
    """Panels under a heading that can be folded away."""

    title: str
    panels: Sequence[Panel]


def metric(name: str, **labels: str) -> str:
    """The selector of one of our metrics; a label's value says its operator too: ``=~"a|b"``."""
    more = "".join(f",{label}{value}" for label, value in labels.items())
    return f"{PREFIX}_{name}{{{WHERE}{more}}}"


def rate(name: str, by: str = "", **labels: str) -> str:
    """Per second, over all nodes."""
    return f"sum{_by(by)} (rate({metric(name, **labels)}[$__rate_interval]))"


def cluster(name: str, by: str = "", **labels: str) -> str:
    """A gauge of the whole cluster, which every node tells: any of them will do."""
    return f"max{_by(by)} ({metric(name, **labels)})"


def quantiles(name: str, *wanted: float, by: str = "", **labels: str) -> list[Query]:
    """Quantiles of a histogram, one series each (and for each value of ``by``)."""
    grouped = f"le,{by}" if by else "le"
    buckets = f"sum by ({grouped}) (rate({metric(f'{name}_bucket', **labels)}[$__rate_interval]))"
    legend = f" {{{{{by}}}}}" if by else ""
    return [
        Query(f"histogram_quantile({one}, {buckets})", f"p{round(one * 100)}{legend}")
        for one in wanted
    ]


def laid_out(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The panels as Grafana wants them, from left to right and downwards, none on another."""
    found: list[dict[str, Any]] = []
    numbers, top = count(1), 0
    for row in rows:
        found.append(_heading(row, next(numbers), top))
        top += 1
        left = height = 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                left, top = 0, top + height
                height = 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            found.append({"id": next(numbers), "gridPos": place, **_panel(panel)})
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return found


def _by(label: str) -> str:
    return f" by ({label})" if label else ""


def _heading(row: Row, number: int, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
    told = {"id": number, "type": "row", "title": row.title, "gridPos": place}
    return {**told, "collapsed": False, "panels": []}


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.help,
        "datasource": DATASOURCE,
        "targets": [_target(one, number) for number, one in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _overrides(panel)},
        "options": _OPTIONS[panel.kind],
        **({"transformations": _TABLE} if panel.kind == "table" else {}),
    }


def _target(query: Query, number: int) -> dict[str, Any]:
    instant = query.format == "table"
    return {
        "refId": ascii_uppercase[number],
        "datasource": DATASOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "instant": instant,
        "range": not instant,
        "format": query.format,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    below = "green" if panel.thresholds else "text"
    steps: list[dict[str, Any]] = [{"color": below, "value": None}]
    steps += [{"color": colour, "value": value} for value, colour in panel.thresholds]
    told: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if panel.decimals is not None:
        told["decimals"] = panel.decimals
    if panel.kind == "timeseries":
        told["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 40 if panel.stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
    return told


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    return [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
        }
        for name, colour in panel.colours.items()
    ]


_TABLE: Final = [
    {
        "id": "organize",
        "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}},
    }
]
_OPTIONS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
        "wideLayout": True,
    },
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
    "heatmap": {
        "calculate": False,
        "cellGap": 1,
        "color": {
            "exponent": 0.5,
            "fill": "dark-orange",
            "mode": "scheme",
            "reverse": False,
            "scale": "exponential",
            "scheme": "Oranges",
            "steps": 64,
        },
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": "s"},
    },
}
