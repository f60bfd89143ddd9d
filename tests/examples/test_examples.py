"""Every example runs, by itself and as a program, and shows what it says it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import examples

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_1_a_simple_task_answers() -> None:
    assert examples.simple_task_with_priority() == "hello ada"


def test_2_the_delay_before_a_retry_grows() -> None:
    first, second = examples.retry()
    assert 0 < first < second


def test_3_the_dag_runs_in_order_and_leaves_the_alert_out() -> None:
    assert examples.dependencies() == {
        "fetch": "completed",
        "process": "completed",
        "publish": "completed",
        "alert": "skipped",
    }


def test_4_the_lock_grants_growing_fences(capsys: pytest.CaptureFixture[str]) -> None:
    fences = examples.distributed_locking()
    assert len(fences) == 3
    assert fences == sorted(set(fences))
    assert "kept in: process" in capsys.readouterr().out


def test_4_the_lock_is_on_redis_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert len(examples.distributed_locking()) == 3
    assert "kept in: redis" in capsys.readouterr().out


def test_5_cron_fires_at_every_second(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = examples.cron()[:2]
    assert first.microsecond == 0
    assert second > first
    assert (second - first) % timedelta(seconds=1) == timedelta(0)
    shown = capsys.readouterr().out
    assert "2030-03-25 09:00:00+01:00" in shown
    assert "2030-04-01 09:00:00+02:00" in shown


def test_6_the_urgent_overtake() -> None:
    assert examples.priority_queue() == ["CRITICAL", "HIGH", "NORMAL", "LOW", "BACKGROUND"]


def test_7_what_takes_too_long_is_stopped() -> None:
    errors = examples.timeout()
    assert list(errors) == ["coroutine", "thread"]
    assert all("TimeoutError" in error for error in errors.values())


def test_8_health_counts_successes_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    health = examples.health_monitoring()
    assert health["metrics"]["tasks_succeeded"] == 2
    assert health["metrics"]["tasks_failed"] == 1
    shown = capsys.readouterr().out
    assert "ZeroDivisionError" in shown
    assert 'outcome="completed"' in shown


def test_9_the_workflow_survives_bad_extracts_and_reports_the_failure() -> None:
    assert examples.complex_workflow() == {
        "orders": "completed",
        "customers": "completed",
        "transform": "completed",
        "load": "completed",
        "check": "failed",
        "tidy_up": "completed",
        "alert": "completed",
    }


def test_10_a_status_can_be_followed() -> None:
    assert examples.status_tracking() == ["pending", "running", "completed", "cancelled"]


@pytest.mark.parametrize("number", range(1, 11))
def test_an_example_runs_as_a_program(number: int) -> None:
    done = run(str(number))
    assert done.returncode == 0, done.stderr
    # Three of them show failures, which leave a line each in the log, and nothing else does.
    logged = done.stderr.splitlines()
    assert all(re.match(r"execution \S+ of task \S+ failed: ", line) for line in logged), logged
    assert bool(logged) is (number in {7, 8, 9})
    assert done.stdout.startswith(f"=== {number} ")
    assert len(done.stdout.splitlines()) > 1


def test_without_a_number_the_ten_are_listed() -> None:
    done = run()
    assert done.returncode == 0
    numbers = [line.split()[0] for line in done.stdout.splitlines()]
    assert numbers == [str(number) for number in range(1, 11)]


def test_an_unknown_number_is_refused() -> None:
    done = run("11")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'11'" in done.stderr


def test_all_runs_all(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def stand_in(number: int) -> examples.Example:
        def example() -> None:
            """Stand-in."""
            ran.append(number)

        return example

    monkeypatch.setattr(examples, "EXAMPLES", [stand_in(number) for number in range(10)])
    assert examples.main(["all"]) == 0
    assert ran == list(range(10))
