"""Four workers of gunicorn, each with the scheduler inside: a schedule of every second, 30 s."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler.models import TaskExecution, TaskStatus, Tick, TickOutcome
from tests.support.journal import Entry
from tests.support.servers import fresh_schema
from tests.support.waiting import eventually
from tests.web.farm import Farm, runs

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.skipif(os.name != "posix", reason="gunicorn needs POSIX"),
]

SECOND = timedelta(seconds=1)
RUNS = 30.0  # seconds, of which a worker is killed in the middle
CONTROL_RUNS = 4.0
VARIANTS = ("preloaded, on SQLite", "loaded by each worker, on PostgreSQL")


@dataclass(frozen=True, kw_only=True)
class Story:
    """What became of a farm whose worker ``killed`` was killed in the midst of ``nap``."""

    killed: int
    nap: dict[str, Any]
    workers: set[int]
    """Those of the beginning and those of the end."""
    at_the_end: int
    exit_code: int
    log: str
    starts: list[Entry]
    ends: list[Entry]
    ticks: list[Tick]
    rows: list[TaskExecution]


def story_of(farm: Farm) -> Story:
    with closing(farm):
        farm.until_ready()
        workers = farm.pids()
        time.sleep(RUNS / 2)
        nap = farm.post("/naps?seconds=3")["execution_id"]
        killed = eventually(lambda: farm.lines("start", nap), what="a worker naps")[0]["pid"]
        os.kill(killed, signal.SIGKILL)
        time.sleep(RUNS / 2)
        at_the_end = farm.pids()
        status = farm.get(f"/naps/{nap}")
        exit_code = farm.terminate()
    ticks, rows = farm.stored()
    return Story(
        killed=killed,
        nap=status,
        workers=workers | at_the_end,
        at_the_end=len(at_the_end),
        exit_code=exit_code,
        log=farm.log.read_text(),
        starts=farm.lines("start"),
        ends=farm.lines("end"),
        ticks=ticks,
        rows=rows,
    )


def runs_of_broken(farm: Farm) -> Counter[datetime]:
    with closing(farm):
        farm.until_ready()
        time.sleep(CONTROL_RUNS)
        farm.terminate()
    _, rows = farm.stored()
    return Counter(row.scheduled_time for row in rows)


@dataclass(frozen=True)
class Stories:
    """All that runs at the same time, since most of it is waiting."""

    by_variant: dict[str, Story]
    runs_of_broken: Counter[datetime]


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Stories]:
    def farm(name: str, store: str | None = None, **options: Any) -> Farm:
        folder: Path = tmp_path_factory.mktemp(name)
        return Farm(folder, store or f"sqlite:///{folder}/jobs.db", **options)

    with fresh_schema(postgres_url) as schema, ThreadPoolExecutor() as threads:
        broken = threads.submit(runs_of_broken, farm("broken", app="broken", workers=2))
        told = [
            threads.submit(story_of, farm("preloaded", workers=4, preload=True)),
            threads.submit(story_of, farm("loaded", schema, workers=4)),
        ]
        by_variant = {name: one.result() for name, one in zip(VARIANTS, told, strict=True)}
        yield Stories(by_variant, broken.result())


@pytest.fixture(params=VARIANTS)
def story(request: pytest.FixtureRequest, stories: Stories) -> Story:
    return stories.by_variant[request.param]


def test_the_ledger_has_each_second_once(story: Story) -> None:
    instants = [tick.instant for tick in story.ticks]
    assert instants == [instants[0] + SECOND * n for n in range(len(instants))]
    assert len(instants) >= RUNS


def test_a_second_that_did_not_run_has_a_reason(story: Story) -> None:
    idle = [tick for tick in story.ticks if tick.outcome is not TickOutcome.FIRED]
    assert all(tick.reason for tick in idle)
    assert len(idle) < len(story.ticks) / 4, "a busy machine is one thing, this another"


def test_each_second_that_ran_has_one_execution(story: Story) -> None:
    fired = {
        tick.instant: tick.execution_id for tick in story.ticks if tick.outcome is TickOutcome.FIRED
    }
    rows = [row for row in story.rows if row.task_id == "note"]
    assert {row.scheduled_time: row.execution_id for row in rows} == fired
    assert len(rows) == len(fired)


def test_each_execution_runs_once_whichever_worker_takes_it(story: Story) -> None:
    ends = Counter(line["execution"] for line in story.ends if line["pid"] != story.killed)
    assert max(ends.values()) == 1
    done = {row.execution_id for row in story.rows if row.status is TaskStatus.COMPLETED}
    assert {line["execution"] for line in story.ends} == done
    left = [row for row in story.rows if row.status is not TaskStatus.COMPLETED]
    assert [row.status for row in left] in ([], [TaskStatus.PENDING]), "of the last second"
    assert len({line["pid"] for line in story.ends}) >= 2


def test_what_a_killed_worker_ran_is_taken_up_by_another(story: Story) -> None:
    naps = [line for line in story.starts if line["task"] == "nap"]
    assert [line["attempt"] for line in naps] == [1, 2]
    assert naps[1]["pid"] != story.killed
    assert story.nap["status"] == TaskStatus.COMPLETED.value
    assert story.at_the_end == 4


def test_a_graceful_end_leaves_nothing_running(story: Story) -> None:
    assert story.exit_code == 0
    assert not [pid for pid in story.workers if runs(pid)]
    assert "Traceback" not in story.log


def test_control_workers_that_do_not_compare_double_a_second(stories: Stories) -> None:
    assert max(stories.runs_of_broken.values()) > 1
