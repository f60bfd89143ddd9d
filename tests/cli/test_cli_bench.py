"""``advanced-scheduler bench``."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.cli.app import app


def test_it_measures_a_store_and_leaves_nothing_there(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/jobs.db"
    scheduler = AdvancedTaskScheduler(store=store)
    waiting = scheduler.schedule_task(len, "abc")
    words = ["bench", "--store", store, "--executions", "100", "--slots", "5", "-o", "json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    measured = json.loads(done.stdout)
    assert (measured["executions"], measured["slots"]) == (100, 5)
    assert min(measured["run_per_second"], measured["accepted_per_second"]) > 0
    assert 0 <= measured["pick_up_p50_ms"] <= measured["pick_up_p99_ms"]
    assert [row.execution_id for row in scheduler.executions()] == [waiting]
    status = scheduler.get_task_status(waiting)
    assert status is not None
    assert status["status"] == "pending"
    scheduler.close()
