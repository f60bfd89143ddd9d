"""How the scheduler says how it is."""

from __future__ import annotations

import asyncio
import json
from urllib.request import urlopen

from advanced_scheduler import AdvancedTaskScheduler, ManualClock, TaskPriority


def fails() -> None:
    raise RuntimeError("boom")


def test_the_report_has_the_keys_of_the_document(clock: ManualClock) -> None:
    scheduler = AdvancedTaskScheduler(clock=clock, max_concurrent_tasks=3)
    empty = scheduler.get_health_status()
    assert (empty["status"], empty["success_rate"]) == ("healthy", 100.0)

    scheduler.schedule_task(len, [])
    scheduler.schedule_task(fails)
    queued = scheduler.get_health_status()["queue_stats"]
    assert queued["total_queued"] == 2
    assert queued["by_priority"][TaskPriority.NORMAL.name] == 2

    asyncio.run(scheduler.run_due())
    health = scheduler.get_health_status()
    assert health["success_rate"] == 50.0
    assert health["metrics"]["tasks_executed"] == 2
    assert health["metrics"]["tasks_succeeded"] == health["metrics"]["tasks_failed"] == 1
    assert health["running_tasks"] == 0
    assert health["max_concurrent_tasks"] == 3
    assert health["queue_stats"]["total_queued"] == 0
    (error,) = health["recent_errors"]
    assert "boom" in error["error"]
    assert {"uptime_seconds", "average_execution_time", "lock_success_rate"} <= set(health)
    scheduler.close()


def test_metrics_and_probes_are_served_over_http() -> None:
    scheduler = AdvancedTaskScheduler()
    server = scheduler.serve_metrics(port=0)
    with scheduler.running():
        scheduler.result(scheduler.schedule_task(len, []), timeout=10)
        with urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
            text = answer.read().decode()
        with urlopen(f"http://127.0.0.1:{server.port}/health/live") as answer:
            assert answer.status == 200
        with urlopen(f"http://127.0.0.1:{server.port}/health") as answer:
            assert json.load(answer)["success_rate"] == 100.0
    assert "advanced_scheduler_executions_finished_total{" in text
    scheduler.close()
