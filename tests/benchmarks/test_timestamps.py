"""How late jobs run, at the rate of an animation, and whether five runs fit where they should."""

from __future__ import annotations

from tests.benchmarks.measuring import RUNS, limit, median, ours

FRAMES = 120
FRAME_MS = 16.7


def test_lateness_of_timestamps() -> None:
    figures = [ours("ours_timestamps.py", FRAMES) for _ in range(RUNS)]
    limit(f"{FRAMES} timestamps, 60 per second, p50", median(figures, "p50_ms"), "ms", 5)
    limit(f"{FRAMES} timestamps, 60 per second, p99", median(figures, "p99_ms"), "ms", FRAME_MS)


def test_five_runs_at_a_tenth_of_a_second() -> None:
    figures = [ours("ours_interval.py", 5) for _ in range(RUNS)]
    limit("5 runs, one each 0.1 s, from add_interval_job", median(figures, "last_ms"), "ms", 600)
