"""S55: a long history is trimmed in small steps, and costs those nothing that have work to do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Any

import pytest
import sqlalchemy as sa

from advanced_scheduler import AdvancedTaskScheduler, ScheduleOptions, TaskStatus
from advanced_scheduler.config import Settings
from advanced_scheduler.lifecycle import CLAIMABLE, FINAL
from advanced_scheduler.models import ExecutionFilter, TaskExecution
from advanced_scheduler.stores.base import Claim, Store
from tests.benchmarks.programs.history import fill as fill_mixed
from tests.benchmarks.programs.ours_lists import asked, opened
from tests.scenarios import breaks, checks
from tests.scenarios.clusters import SQL, STORES, Clusters, on
from tests.scenarios.harness import PATIENT, SCALED, Cluster, waited
from tests.scenarios.tasks import definition, doze, note

ROWS = 50_000
MANY = 1_000_000
LISTED = 20_000
KEPT = 1_000
STEP = 200  # rows that one delete may take
GRACE = 1.0  # seconds
HOUR = timedelta(hours=1)
BATCH = 5_000


def fill(store: Store, count: int) -> None:
    """Executions that ended one millisecond after the other, up to an hour ago."""
    first = datetime.now(UTC) - HOUR - count * timedelta(milliseconds=1)
    for begin in range(0, count, BATCH):
        rows = [
            TaskExecution(
                execution_id=f"old-{number:07}",
                task_id="note",
                task_name="note",
                status=TaskStatus.COMPLETED,
                scheduled_time=first,
                started_time=first,
                completed_time=first + number * timedelta(milliseconds=1),
                attempt=1,
                fence=1,
            )
            for number in range(begin, min(begin + BATCH, count))
        ]
        assert all(store.add(rows))


@dataclass(frozen=True, slots=True)
class Step:
    """One call of ``prune``."""

    limit: int
    deleted: int
    seconds: float


def watched(store: Store) -> list[Step]:
    """Each call of ``prune`` that the store gets from now on."""
    steps: list[Step] = []
    prune = store.prune

    def pruning(**asked: Any) -> int:
        began = time.monotonic()
        deleted = prune(**asked)
        steps.append(Step(asked["limit"], deleted, time.monotonic() - began))
        return deleted

    vars(store)["prune"] = pruning
    return steps


def trimmed(cluster: Cluster) -> list[str]:
    limits = {"history_limit": Settings().history_limit, "history_grace_seconds": GRACE}
    settings = Settings(**SCALED | PATIENT | limits)
    scheduler = AdvancedTaskScheduler(store=cluster.store_url, settings=settings)
    for one in (note, doze):
        scheduler.register_task(definition(one))
    fill(scheduler.store, ROWS)
    later = ScheduleOptions(at=datetime.now(UTC) + HOUR)
    delayed = scheduler.schedule_task_many("note", [(n,) for n in range(50)], options=later)
    steps = watched(scheduler.store)
    with scheduler.running():
        running = scheduler.schedule_task("doze", 2.0)
        recent = scheduler.schedule_task_many("note", [(n,) for n in range(100)])
        cluster.until(lambda: cluster.ends(running))
        waited(lambda: sum(one.deleted for one in steps) >= ROWS + 101 - KEPT, timeout=40)
    longest = max((one.seconds for one in steps), default=0.0)
    print(f"{cluster.store_url.partition(':')[0]}: the longest delete took {longest:.3f} s")
    rows = {row.execution_id for row in scheduler.store.find(ExecutionFilter(limit=10 * KEPT))}
    left = ended(scheduler.store)
    told = {
        f"{KEPT} to be kept, not {left}": left == KEPT,
        "the newest to be kept": {*recent, running} <= rows,
        "the delayed ones to be left": {*delayed} <= rows,
        "small steps": all(one.limit <= STEP and one.deleted <= STEP for one in steps),
        "all others to go": sum(one.deleted for one in steps) == ROWS + 101 - KEPT,
    }
    scheduler.close()
    return [*checks.unmet(told), *checks.done_once(cluster, [*recent, running])]


def ended(store: Store) -> int:
    return sum(store.counts(FINAL).values())


@on(*STORES)
def test_a_node_trims_the_history_to_its_limit_in_small_steps(cluster: Cluster) -> None:
    assert Settings().history_limit == KEPT
    assert trimmed(cluster) == []


def test_control_a_history_that_grows_is_seen(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply("no-trimming", monkeypatch.setattr)
    monkeypatch.setattr(f"{__name__}.waited", lambda check, timeout: check())
    monkeypatch.setattr(f"{__name__}.ROWS", 2 * KEPT)
    assert any("to be kept, not" in one for one in trimmed(cluster))


@on(*STORES)
def test_pages_follow_one_another_through_the_whole_history(cluster: Cluster) -> None:
    fill(cluster.store, 2_500)
    seen: list[str] = []
    page = cluster.store.find(ExecutionFilter(limit=400))
    while page:
        seen += [row.execution_id for row in page]
        page = cluster.store.find(ExecutionFilter(limit=400, cursor=seen[-1]))
    assert seen == [f"old-{number:07}" for number in reversed(range(2_500))]


@contextmanager
def statements(store: Any) -> Iterator[list[tuple[str, Any]]]:
    """Each statement of the block, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note_it(_db: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        seen.append((text, parameters))

    engine = store._dialect.engine
    sa.event.listen(engine, "before_cursor_execute", note_it)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note_it)


def plan(store: Any, text: str, parameters: Any) -> str:
    """How the database would run a statement."""
    with store._dialect.engine.connect() as db:
        explain = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
        found = db.exec_driver_sql(explain + text, parameters).all()
    return "\n".join(str(row[-1]) for row in found)


def everyday(store: Store) -> Sequence[Callable[[], object]]:
    """What nodes ask all the time, and the pages of a list."""
    now = datetime.now(UTC)
    claim = Claim(node="n", limit=10, now=now, lease_until=now + HOUR)
    finished = frozenset({TaskStatus.COMPLETED})
    return [
        lambda: store.exchange([], claim),
        lambda: store.expired(now, 200),
        lambda: store.stranded(now, 200),
        lambda: store.counts(CLAIMABLE),
        store.waiting_tasks,
        store.next_due,
        lambda: store.newest(["note"]),
        lambda: store.find(ExecutionFilter(limit=50)),
        lambda: store.find(ExecutionFilter(limit=50, cursor="old-0010000")),
        lambda: store.find(ExecutionFilter(limit=50, task_id="note", cursor="old-0010000")),
        lambda: store.find(ExecutionFilter(limit=50, statuses=finished, cursor="old-0010000")),
        lambda: store.prune(keep=KEPT, before=now, older_than=now - 9 * HOUR, limit=STEP),
    ]


@on(*SQL)
def test_nothing_that_nodes_ask_walks_through_the_history(cluster: Cluster) -> None:
    store: Any = cluster.store
    fill(store, ROWS)
    if cluster.store_url.startswith("postgresql"):  # which does so by itself, after a while
        store._write(lambda db: db.exec_driver_sql("ANALYZE"))
    for ask in everyday(store):
        with statements(store) as seen:
            ask()
        for text, parameters in seen:
            if not text.lstrip().upper().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
                continue
            steps = plan(store, text, parameters)
            walks = [
                one
                for one in steps.splitlines()
                if one.strip() == "SCAN executions" or "Seq Scan on executions" in one
            ]
            assert not walks, f"{text}\n{steps}"


@on(*SQL)
def test_no_list_walks_through_the_history(cluster: Cluster) -> None:
    scheduler = opened(cluster.store_url)
    store: Any = scheduler.store
    fill_mixed(store, LISTED)
    for name, ask in asked(scheduler, LISTED).items():
        with statements(store) as seen:
            ask()
        for text, parameters in seen:
            if text.lstrip().upper().startswith(("SELECT", "WITH")):
                skips = "OFFSET" in text.upper() and parameters[-1] != 0  # SQLite is told of none
                assert not skips, f"{name}: {text}"
                steps = plan(store, text, parameters)
                assert "SCAN executions\n" not in f"{steps}\n", f"{name}: {text}\n{steps}"
                assert "Seq Scan on executions" not in steps, f"{name}: {text}\n{steps}"
    scheduler.close()


def claims(store: Store, rounds: int = 200) -> float:
    """The 95th percentile of the seconds that a claim of one takes, beside 100 that wait."""
    seconds = []
    for number in range(rounds):
        now = datetime.now(UTC)
        row = TaskExecution(
            execution_id=f"new-{number}", task_id="note", task_name="note", scheduled_time=now
        )
        store.add([row])
        began = time.monotonic()
        claim = Claim(node="n", limit=1, now=datetime.now(UTC), lease_until=now + HOUR)
        assert len(store.claim(claim)) == 1
        seconds.append(time.monotonic() - began)
    return quantiles(seconds, n=20)[-1]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("store", STORES)
def test_a_claim_beside_a_million_ended_rows_takes_less_than_twice_as_long(
    clusters: Clusters, store: str
) -> None:
    empty, full = clusters.new(store), clusters.new(store)
    fill(full.store, MANY)
    slow, fast = claims(full.store), claims(empty.store)
    print(f"{store}: p95 of a claim {fast * 1000:.2f} ms, {slow * 1000:.2f} ms with a million")
    assert slow < 2 * fast
    steps = watched(full.store)
    now = datetime.now(UTC)
    while full.store.prune(keep=KEPT, before=now, older_than=now - 9 * HOUR, limit=STEP):
        pass
    print(f"{store}: the longest delete took {max(one.seconds for one in steps):.3f} s")
    assert ended(full.store) == KEPT
