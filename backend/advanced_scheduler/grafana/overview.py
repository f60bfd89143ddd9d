"""The dashboard "Overview" as a JSON document of Grafana."""

from __future__ import annotations

from typing import Any

from .panels import DATASOURCE, PREFIX, laid_out
from .rows import all_rows


def overview() -> dict[str, Any]:
    """The document, of schema version 39: Grafana 10.4 and later."""
    return {
        "uid": "advanced-scheduler",
        "title": "Advanced scheduler: overview",
        "description": "Executions, queue, failures, locks and nodes of advanced-scheduler.",
        "tags": ["advanced-scheduler"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": _variables()},
        "panels": laid_out(all_rows()),
    }


def _variables() -> list[dict[str, Any]]:
    build, started = f"{PREFIX}_build_info", f"{PREFIX}_executions_started_total"
    source = {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "includeAll": False,
        "multi": False,
    }
    return [
        source,
        _variable("job", "Job", f"label_values({build}, job)"),
        _variable("instance", "Node", f'label_values({build}{{job=~"$job"}}, instance)'),
        _variable("task", "Task", f'label_values({started}{{job=~"$job"}}, task)'),
    ]


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": f"variable-{name}"},
        "hide": 0,
        "refresh": 2,
        "sort": 1,
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }
