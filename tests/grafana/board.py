"""Owns reading the dashboard and the alerts: their panels, expressions and metrics."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "grafana"
PREFIX: Final = "advanced_scheduler_"

_SELECTOR: Final = re.compile(rf"\b({PREFIX}\w+)(?:\{{([^}}]*)\}})?")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED: Final = re.compile(r"\bby \(([^)]*)\)")


class Expression(NamedTuple):
    """PromQL, and where it stands."""

    where: str
    text: str

    def __str__(self) -> str:
        return self.where


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without the headings of rows."""
    return [one for one in dashboard()["panels"] if one["type"] != "row"]


def dashboard() -> dict[str, Any]:
    """The dashboard as it is committed."""
    found: dict[str, Any] = json.loads((FOLDER / "overview.json").read_text("utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts as they are committed."""
    read = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def expressions() -> list[Expression]:
    """All of them, with the variables of Grafana filled in."""
    return [
        *(
            Expression(f"{panel['title']}, {target['refId']}", filled(target["expr"]))
            for panel in panels()
            for target in panel["targets"]
        ),
        *(Expression(rule["alert"], rule["expr"]) for rule in rules()),
    ]


def filled(expression: str) -> str:
    """The expression as Grafana sends it, with everything chosen."""
    return (
        expression.replace("$__rate_interval", "10s")
        .replace('"$job"', '".+"')
        .replace('"$instance"', '".+"')
        .replace('"$task"', '".+"')
    )


def selected(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that it is selected or grouped by."""
    grouped = {
        label.strip() for found in _GROUPED.findall(expression) for label in found.split(",")
    }
    for name, where in _SELECTOR.findall(expression):
        yield name, set(_LABEL.findall(re.sub(r'"[^"]*"', '""', where))) | grouped
