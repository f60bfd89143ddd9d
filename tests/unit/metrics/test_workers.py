"""Workers of one server that share a directory: a scrape of one tells of all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

WORKER = Path(__file__).with_name("worker.py")


def worker(number: int) -> subprocess.Popen[str]:
    """A process that runs so many executions."""
    return subprocess.Popen(
        [sys.executable, str(WORKER), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_counters_and_gauges_of_two_workers_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with worker(2) as first, worker(3) as second:
        for one in (first, second):
            assert one.stdout is not None
            assert one.stdout.readline() == "ran\n"
        told, _ = first.communicate("\n")
        second.communicate("\n")
    assert (first.returncode, second.returncode) == (0, 0)
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parse(told):
        for sample in family.samples:
            name = sample.name.removeprefix("advanced_scheduler_")
            found.setdefault(name, {})[tuple(sample.labels.values())] = sample.value
    assert sum(found["executions_finished_total"].values()) == 5
    assert found["executions_started_total"] == {("normal", "works"): 5.0}
    assert found["execution_duration_seconds_count"] == {("works",): 5.0}
    assert found["concurrency_limit"] == {(): 8.0}
    assert found["executions_running"] == {(): 0.0}
    assert ("normal", "ready") in found["queue_depth"], "what all share is read as ever"
    assert found["store_errors_total"][("scrape",)] == 0
