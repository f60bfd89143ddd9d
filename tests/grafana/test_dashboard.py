"""The dashboard and the alerts: made by the package, drawn well, about metrics that exist."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from advanced_scheduler.grafana import export, files
from tests.grafana.board import FOLDER, PREFIX, Expression, expressions, panels, selected
from tests.unit.metrics.test_series import FAMILIES

OF_PROMETHEUS = {"job", "instance"}
ON_A_STARTED_NODE = {"last_tick_timestamp_seconds": ("gauge", set[str]())}


def test_what_is_committed_is_what_the_package_makes() -> None:
    committed = {
        path.relative_to(FOLDER).as_posix(): path.read_text("utf-8")
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    hint = "`advanced-scheduler grafana export grafana` makes them anew"
    assert committed == files(), hint


def test_an_export_writes_every_file_again(tmp_path: Path) -> None:
    export(tmp_path)
    written, kept = export(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == set(files())
    assert kept == []


def test_an_export_keeps_what_somebody_has_changed(tmp_path: Path) -> None:
    export(tmp_path)
    changed = tmp_path / "prometheus.yml"
    changed.write_text("mine")
    assert export(tmp_path)[1] == [changed]
    assert changed.read_text() == "mine"
    assert export(tmp_path, force=True)[1] == []
    assert changed.read_text() != "mine"


@pytest.mark.parametrize("expression", expressions(), ids=str)
def test_an_expression_is_promql(expression: Expression) -> None:
    assert promql_parser.parse(expression.text).prettify()


@pytest.mark.parametrize("expression", expressions(), ids=str)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression: Expression) -> None:
    known = _samples()
    asked = list(selected(expression.text))
    assert asked
    for name, labels in asked:
        assert name in known, f"no metric {name}"
        assert labels <= known[name] | _beside(asked, known) | OF_PROMETHEUS, name


def test_panels_lie_beside_each_other_within_24_columns() -> None:
    places = [(one["title"], one["gridPos"]) for one in panels()]
    assert len(places) > 25
    for title, place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24, title
    for (one, first), (other, second) in combinations(places, 2):
        assert not _overlap(first, second), f"{one} lies on {other}"


def test_panels_have_numbers_titles_and_words_of_their_own() -> None:
    assert len({one["id"] for one in panels()}) == len(panels())
    assert len({one["title"] for one in panels()}) == len(panels())
    assert all(one["description"].endswith((".", "?")) for one in panels())


def _samples() -> dict[str, set[str]]:
    """The labels of each sample, as Prometheus names them."""
    known: dict[str, set[str]] = {}
    for name, (kind, labels) in {**FAMILIES, **ON_A_STARTED_NODE}.items():
        full = PREFIX + name
        if kind == "counter":
            known[f"{full}_total"] = labels
        elif kind == "histogram":
            known[f"{full}_bucket"] = labels
            known[f"{full}_sum"] = known[f"{full}_count"] = labels - {"le"}
        else:
            known[full] = labels
    return known


def _beside(asked: list[tuple[str, set[str]]], known: dict[str, set[str]]) -> set[str]:
    """The labels of the other metrics of an expression: it may group by theirs."""
    if len(asked) == 1:
        return set()
    return set[str]().union(*(known.get(name, set()) for name, _ in asked))


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )
