"""What the health report is made of, before, during and after a run."""

from __future__ import annotations

import asyncio
import random

from advanced_scheduler.health import is_ready
from advanced_scheduler.models import ScheduleOptions, TaskPriority
from tests.support.definitions import nothing
from tests.support.waiting import eventually_async
from tests.unit.engine.kit import add_task, faulty, scheduler


def test_the_report_has_the_keys_of_the_document() -> None:
    target = scheduler()
    report = target.get_health_status()
    assert set(report) >= {
        "status", "uptime_seconds", "metrics", "success_rate", "average_execution_time",
        "lock_success_rate", "recent_errors", "queue_stats", "parked", "ledger_gaps",
        "running_tasks",
        "max_concurrent_tasks", "reasons",
    }  # fmt: skip
    assert set(report["queue_stats"]) == {"total_queued", "by_priority"}
    assert (report["running_tasks"], report["max_concurrent_tasks"]) == (0, 10)


async def test_what_waits_and_runs_is_counted() -> None:
    target = scheduler(limit=1)
    gate = asyncio.Event()
    add_task(target, gate.wait)
    target.schedule_task("job")
    target.schedule_task("job", options=ScheduleOptions(priority=TaskPriority.LOW))
    await target.start()
    await eventually_async(lambda: target.running_tasks == 1)
    report = target.get_health_status()
    assert (report["running_tasks"], report["queue_stats"]["total_queued"]) == (1, 1)
    assert report["queue_stats"]["by_priority"]["LOW"] == 1
    gate.set()
    await target.stop()
    assert target.get_health_status()["running_tasks"] == 0


async def test_an_engine_that_runs_well_is_healthy() -> None:
    target = scheduler()
    add_task(target, nothing)
    await target.start()
    target.schedule_task("job")
    await eventually_async(lambda: target.get_health_status()["metrics"]["tasks_succeeded"] == 1)
    await eventually_async(lambda: target.get_health_status()["status"] == "healthy")
    facts = target.health_facts()
    assert (facts.started, facts.draining, facts.timer_alive) == (True, False, True)
    await target.stop()
    assert not target.health_facts().started


async def test_a_store_that_is_away_is_unhealthy_and_the_report_still_comes() -> None:
    store = faulty()
    target = scheduler(store.face)
    await target.start()
    store.break_down()
    report = target.get_health_status()
    assert report["status"] == "unhealthy"
    assert any("down" in reason for reason in report["reasons"])
    assert report["queue_stats"]["total_queued"] == 0
    store.come_back()
    await eventually_async(lambda: target.get_health_status()["status"] == "healthy")
    await target.stop()


async def test_a_store_that_takes_no_writes_is_unhealthy_though_it_can_be_read() -> None:
    store = faulty()
    target = scheduler(store.face, renewal_seconds=0.05)
    await target.start()
    await eventually_async(lambda: target.get_health_status()["status"] == "healthy")
    store.at_random(random.Random(1), before=1.0, verbs=["save_record"])
    await eventually_async(lambda: target.get_health_status()["status"] == "unhealthy")
    (reason,) = is_ready(target.health_facts())
    assert "save_record was not done" in reason
    store.calm()
    await eventually_async(lambda: target.get_health_status()["status"] == "healthy")
    await target.stop()


def test_a_store_that_goes_away_between_two_questions_spoils_no_report() -> None:
    store = faulty()
    target = scheduler(store.face)
    store.fail("counts")
    assert target.get_health_status()["queue_stats"]["total_queued"] == 0


async def test_facts_can_be_had_without_a_call_to_any_server() -> None:
    store = faulty(blocking=True)
    target = scheduler(store.face)
    before = store.calls["ping"]
    target.health_facts(ask=False)
    assert store.calls["ping"] == before
