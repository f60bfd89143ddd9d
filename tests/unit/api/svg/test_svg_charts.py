"""Charts, timelines and grids as pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from advanced_scheduler.api.svg import (
    Cell,
    Level,
    Markup,
    Row,
    Sample,
    Slice,
    Span,
    gantt,
    grid,
    histogram,
    sparkline,
    strip,
    throughput,
    timeline,
)
from advanced_scheduler.api.svg.charts import nice
from advanced_scheduler.api.svg.markup import lasting

from . import pictures

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_bars_are_stacked_without_a_gap_and_what_failed_is_on_top() -> None:
    root = pictures.read(
        throughput(
            [Sample(time=NOON, finished={"failed": 1.0, "completed": 3.0}, p50=0.2, p95=1.5)]
        )
    )
    done, failed = (
        next(pictures.of_class(root, "completed")),
        next(pictures.of_class(root, "failed")),
    )
    assert float(done.attrib["height"]) == pytest.approx(3 * float(failed.attrib["height"]))
    top, low = float(failed.attrib["y"]), float(done.attrib["y"])
    assert top + float(failed.attrib["height"]) == pytest.approx(low)
    assert low + float(done.attrib["height"]) == pytest.approx(120)
    assert pictures.titles(root) == [
        "12:00:00 · completed 3/s · failed 1/s · p50 200 ms · p95 1.5 s"
    ]
    assert {"5/s", "2.5/s", "2 s", "12:00"} <= set(pictures.texts(root))


def test_times_carry_the_instant_for_a_script_that_knows_the_zone() -> None:
    samples = [Sample(time=at(60 * one)) for one in range(3)]
    root = pictures.read(throughput(samples))
    told = [one.attrib["data-time"] for one in root.iter() if "data-time" in one.attrib]
    assert told == [at(60 * one).isoformat() for one in range(3)]


def test_a_line_stops_where_nothing_is_known() -> None:
    samples = [Sample(time=at(one), p50=p50) for one, p50 in enumerate([1.0, 2.0, None, 1.0])]
    root = pictures.read(throughput(samples))
    first, second = pictures.of_class(root, "p50")
    assert len(first.attrib["points"].split()) == 2
    assert len(set(second.attrib["points"].split())) == 1


@pytest.mark.parametrize(
    "picture",
    [
        throughput([]),
        sparkline([], "none"),
        sparkline([None, None], "none"),
        sparkline([0.0, 0.0], "idle"),
        histogram([], "none", p50=None, p95=None),
        strip([], "none"),
        timeline([], "none"),
        timeline([Span(state="pending", start=NOON, end=NOON)], "at once"),
        gantt([], NOON, "none"),
        grid([], [], "none"),
    ],
)
def test_nothing_is_a_picture_too(picture: Markup) -> None:
    assert pictures.read(picture).attrib["aria-label"]


def test_a_histogram_marks_the_levels_of_its_percentiles() -> None:
    levels = [Level(limit=0.1, count=8), Level(limit=1, count=2), Level(limit=None, count=1)]
    root = pictures.read(histogram(levels, "How long", p50=0.05, p95=70))
    bars = list(pictures.of_class(root, "bar"))
    assert [float(one.attrib["height"]) for one in bars] == [120.0, 30.0, 15.0]
    assert pictures.titles(root) == ["up to 100 ms: 8", "up to 1 s: 2", "longer: 1"]
    marks = {
        one.attrib["class"]: pictures.share(one.attrib["x1"])
        for one in pictures.of_class(root, "line")
    }
    assert marks["line p50"] == pytest.approx(1 / 6, abs=1e-3)
    assert marks["line p95"] == pytest.approx(5 / 6, abs=1e-3)


def test_a_timeline_fills_the_width_and_hides_nothing() -> None:
    spans = [
        Span(state="pending", start=at(0), end=at(1)),
        Span(state="running", start=at(1), end=at(1000)),
        Span(state="completed", start=at(1000), end=at(1000)),
    ]
    root = pictures.read(timeline(spans, "States"))
    bars = list(pictures.of_class(root, "bar"))
    for left, right in pairwise(bars):
        end = pictures.share(left.attrib["x"]) + pictures.share(left.attrib["width"])
        assert pictures.share(right.attrib["x"]) == pytest.approx(end, abs=2e-4)
    last = bars[-1].attrib
    assert pictures.share(last["x"]) + pictures.share(last["width"]) == pytest.approx(1, abs=2e-4)
    assert min(pictures.share(one.attrib["width"]) for one in bars) > 0.01
    assert pictures.titles(root) == ["pending: 1 s", "running: 16 m 39 s", "completed: 0 ms"]


def test_a_gantt_chart_ends_now_where_a_task_has_not_ended() -> None:
    rows = [
        Row(label="a", state="completed", start=at(0), end=at(30), href="../executions/1"),
        Row(label="b", state="running", start=at(30), end=None),
        Row(label="c", state="pending", start=None, end=None),
    ]
    root = pictures.read(gantt(rows, at(120), "Run 1"))
    first, second = pictures.of_class(root, "bar")
    assert pictures.share(first.attrib["width"]) == pytest.approx(0.25)
    assert pictures.share(second.attrib["x"]) == pytest.approx(0.25)
    assert pictures.share(second.attrib["width"]) == pytest.approx(0.75)
    assert pictures.titles(root) == [
        "a: completed, 30 s",
        "b: running, 1 m 30 s",
        "c: pending, not begun",
    ]
    assert pictures.links(root) == ["../executions/1"]


def test_bars_of_a_gantt_chart_stay_inside_however_short() -> None:
    rows = [
        Row(label="long", state="completed", start=at(0), end=at(10_000)),
        Row(label="short", state="completed", start=at(10_000), end=at(10_000)),
    ]
    for bar in pictures.of_class(pictures.read(gantt(rows, at(10_000), "x")), "bar"):
        end = pictures.share(bar.attrib["x"]) + pictures.share(bar.attrib["width"])
        assert end <= 1.0001
        assert pictures.share(bar.attrib["width"]) > 0.01


def test_a_grid_has_a_cell_for_each_task_of_each_run() -> None:
    runs = [
        Slice(
            label="run 1",
            href="?run=1",
            cells=[Cell(state="completed", href="../executions/1"), Cell(state=None)],
        ),
        Slice(
            label="run 2", cells=[Cell(state="failed", title="ValueError"), Cell(state="skipped")]
        ),
    ]
    root = pictures.read(grid(["a", "b"], runs, "Runs by tasks"))
    places = {(one.attrib["x"], one.attrib["y"]) for one in pictures.of_class(root, "bar")}
    assert len(places) == 3
    assert [one.text for one in pictures.of_class(root, "sign")] == ["✓", "✕", "⤼"]
    assert "a, run 2: failed, ValueError" in pictures.titles(root)
    assert pictures.links(root) == ["?run=1", "../executions/1"]


def test_a_strip_is_as_wide_as_its_runs() -> None:
    root = pictures.read(strip([Cell(state="completed")] * 20, "Last 20 runs"))
    assert len(list(pictures.of_class(root, "completed"))) == 20
    assert root.attrib["viewBox"] == "0 0 396 16"


@pytest.mark.parametrize("hostile", [pictures.HOSTILE])
def test_hostile_names_stay_text(hostile: str) -> None:
    cell = Cell(state="failed", title=hostile, href=hostile)
    row = Row(label=hostile, state="failed", start=NOON, end=None, href=hostile)
    for picture in (
        gantt([row], at(1), hostile),
        grid([hostile], [Slice(label=hostile, cells=[cell])], hostile),
        strip([cell], hostile),
        timeline([Span(state="running", start=NOON, end=at(1))], hostile),
    ):
        pictures.read(picture)
        assert "<script" not in picture


@pytest.mark.parametrize(
    ("value", "end"), [(0, 1), (0.3, 0.5), (1, 1), (1.1, 2), (51, 100), (2e-5, 2e-5)]
)
def test_a_scale_ends_at_a_round_number(value: float, end: float) -> None:
    assert nice(value) == pytest.approx(end)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 ms"),
        (0.0123, "12 ms"),
        (3.42, "3.4 s"),
        (320, "5 m 20 s"),
        (12_000, "3 h 20 m"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert lasting(seconds) == words
