"""S59: health says within 5 s what is wrong, and within 5 s that it is over; asked in two ways."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

import httpx

from advanced_scheduler import AdvancedTaskScheduler, ScheduleOptions, TaskStatus
from advanced_scheduler.config import Settings
from tests.scenarios import checks
from tests.scenarios.clusters import Clusters
from tests.scenarios.harness import SCALED, Cluster, waited
from tests.scenarios.node import WATCH_SECONDS
from tests.support.servers import PostgresServer, RedisServer, Server

PROMISED: Final = 5.0  # seconds
OUTAGE: Final = 4.0  # seconds: after attempts at 0, 1 and 3, a pause of the longest kind
ANSWERED: Final = 1.0 + 1.0  # seconds: a report comes within one, and a busy machine adds to it
PLAIN: Final = {name: Settings.model_fields[name].default for name in SCALED}
"""The settings as they come, since what is promised in seconds is promised for these."""
TASKS: Final = "tests.scenarios.health_tasks"
WORDS: Final = {"healthy": (200, "pass"), "degraded": (200, "warn"), "unhealthy": (503, "fail")}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, how it ends, and what health is to say in between; it lasts so long."""

    name: str
    reason: str
    begin: Callable[[], object]
    end: Callable[[], object]
    status: str = "degraded"
    seconds: float = 0.0


@dataclass
class Watch:
    """One node, asked in its own process ten times a second, and over HTTP."""

    cluster: Cluster
    client: httpx.Client
    promised: float
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def goes_through(self, fault: Fault) -> None:
        """Take down what health did not say in time."""
        began = time.monotonic()
        self._expect(fault.begin, fault.status, fault.reason, f"{fault.name}: told of")
        time.sleep(max(began + fault.seconds - time.monotonic(), 0))
        self._expect(fault.end, "healthy", "", f"{fault.name}: over")

    def _expect(self, do: Callable[[], object], status: str, reason: str, what: str) -> None:
        do()
        since = time.time()
        if not waited(lambda: self._says(since, status, reason), self.promised):
            last = self.cluster.lines("health")[-1]
            self.wrong.append(f"{what}? {last['status']} {last['reasons']}, {self.report()}")

    def _says(self, since: float, status: str, reason: str) -> bool:
        time.sleep(WATCH_SECONDS)
        last = self.cluster.lines("health")[-1]
        if last["at"] < since or (last["status"], reason in str(last["reasons"])) != (status, True):
            return False
        code, told = self.report()
        return (
            (code, told["status"]) == WORDS[status]
            and told["health"] == status
            and reason in str(told["reasons"])
        )

    def report(self) -> tuple[int, dict[str, Any]]:
        """The code and the content of ``/health``."""
        began = time.monotonic()
        answer = self.client.get("/health")
        self.slowest = max(self.slowest, time.monotonic() - began)
        told: dict[str, Any] = answer.json()
        return answer.status_code, told


def beside(fault: Fault, *more: Callable[[], object]) -> Fault:
    """The same, and what happens as soon as it has begun."""

    def begin() -> None:
        for one in (fault.begin, *more):
            one()

    return replace(fault, begin=begin)


def of_locks(scheduler: AdvancedTaskScheduler, server: Server) -> list[Fault]:
    """Killed and silent, while somebody needs a lock."""
    reason, need = "lock server does not answer", partial(scheduler.schedule_task, "guarded")
    return [
        beside(Fault("locks killed", reason, server.kill, server.start), need),
        beside(Fault("locks hang", reason, server.pause, server.resume), need),
    ]


def of_store(cluster: Cluster, scheduler: AdvancedTaskScheduler, server: Server) -> Iterator[Fault]:
    """Killed and silent, while something ends and something is due, each to be counted once."""
    ways = (server.kill, server.start, OUTAGE), (server.pause, server.resume, 0.0)
    for begin, end, seconds in ways:
        ends = cluster.folder / begin.__name__
        begun = scheduler.schedule_task("wait_for", str(ends))
        cluster.until(partial(cluster.starts, begun))
        soon = ScheduleOptions(at=datetime.now(UTC) + timedelta(seconds=1))
        scheduler.schedule_task("note", options=soon)
        name, reason = f"store {begin.__name__}", "store does not answer"
        fault = Fault(name, reason, begin, end, "unhealthy", seconds)
        yield beside(fault, ends.touch)


def of_tasks(cluster: Cluster, scheduler: AdvancedTaskScheduler) -> list[Fault]:
    """What tasks do to a node, and what no node does for a task."""
    ids: list[str] = []

    def start(task_id: str, *args: Any) -> None:
        ids.append(scheduler.schedule_task(task_id, *args))
        cluster.until(lambda: cluster.row(ids[-1]).status is not TaskStatus.PENDING)

    faults = []
    for task_id, reason in (("block", "event loop"), ("overstay", "threads still run")):
        end = cluster.folder / task_id
        faults.append(Fault(task_id, reason, partial(start, task_id, str(end)), end.touch))
    return [
        *faults,
        Fault(
            "queue not drained",
            "due, and nobody takes them",
            lambda: ids.append(scheduler.schedule_task("stranger")),
            lambda: scheduler.cancel_task(ids[-1]),
        ),
    ]


def truthful(
    cluster: Cluster,
    locks: Server,
    store: Server | None = None,
    broken: str | None = None,
    promised: float = PROMISED,
) -> list[str]:
    """Without a ``store`` of its own, some of the faults."""
    cluster.redis_url = locks.url
    cluster.node("a", broken=broken, watched=True, settings=PLAIN, tasks=f"{TASKS}:serve")
    (served,) = cluster.lines("served")
    with httpx.Client(base_url=served["url"], timeout=30) as client:
        return watched(Watch(cluster, client, promised), locks, store)


def watched(watch: Watch, locks: Server, store: Server | None) -> list[str]:
    """What is not as promised."""
    cluster = watch.cluster
    scheduler = cluster.scheduler(f"{TASKS}:register")
    before = watch.report()
    some_of_everything(scheduler)
    for fault in chain(
        of_locks(scheduler, locks)[: 1 if store is None else 2],
        [] if store is None else of_store(cluster, scheduler, store),
        of_tasks(cluster, scheduler),
    ):
        watch.goes_through(fault)
    cluster.until_ended(timeout=PROMISED)
    waited(lambda: not miscounted(watch, scheduler), watch.promised)
    told = {
        f"a report within a second, not {watch.slowest:.1f} s": watch.slowest < ANSWERED,
        f"a report before the first execution, not {before}": is_of_nothing(*before),
    }
    return [
        *watch.wrong,
        *checks.unmet(told),
        *checks.invariants(cluster),
        *miscounted(watch, scheduler),
    ]


def is_of_nothing(code: int, report: dict[str, Any]) -> bool:
    """All is well, and no rate was divided by zero."""
    rates = report["success_rate"], report["lock_success_rate"], report["average_execution_time"]
    return (code, report["status"], rates) == (200, "pass", (100.0, 100.0, 0.0))


def some_of_everything(scheduler: AdvancedTaskScheduler) -> None:
    """Four that succeed (one by its retry), one that fails, and one that is cancelled."""
    scheduler.schedule_task_many("note", [()] * 3)
    scheduler.schedule_task("flaky", 1)
    scheduler.schedule_task("flaky", 9)
    later = ScheduleOptions(at=datetime.now(UTC) + timedelta(hours=1))
    scheduler.cancel_task(scheduler.schedule_task("note", options=later))


def miscounted(watch: Watch, scheduler: AdvancedTaskScheduler) -> list[str]:
    """I10: what node and canceller have counted is what rows and journal say."""
    cluster = watch.cluster
    rows = Counter(row.status for row in cluster.rows().values())
    starts = [line["execution"] for line in cluster.starts()]
    succeeded, failed = len(cluster.ends()), rows[TaskStatus.FAILED]
    expected = {
        "tasks_executed": rows[TaskStatus.COMPLETED] + failed,
        "tasks_succeeded": succeeded,
        "tasks_failed": failed,
        "tasks_retried": len(starts) - len({*starts}),
        "tasks_cancelled": rows[TaskStatus.CANCELLED],
    }
    here = scheduler.get_health_status()["metrics"]
    report = watch.report()[1]
    counted = {name: report["metrics"][name] + here[name] for name in expected}
    rate = 100 * succeeded / (succeeded + failed)
    told = {
        f"I10: counters of {expected}, not {counted}": counted == expected,
        f"I10: a rate of {rate} %, not {report['success_rate']}": report["success_rate"] == rate,
        f"I10: something of each, unlike {expected}": all(expected.values()),
    }
    return checks.unmet(told)


def redis_in(folder: Path, stack: ExitStack) -> Server:
    """A server that belongs to this test."""
    folder.mkdir()
    server = RedisServer(folder)
    stack.callback(server.kill)
    return server.start()


def test_what_is_wrong_is_told_and_so_is_its_end(
    clusters: Clusters, private_postgres: PostgresServer, tmp_path: Path
) -> None:
    controls = {"tells-nothing": 1.0, "tells-for-ever": 2.5}  # it never comes: no need to wait
    with ExitStack() as stack:
        locks = {one: redis_in(tmp_path / one, stack) for one in ("locks", *controls)}
        runs = {
            one: partial(truthful, clusters.new(), locks[one], broken=one, promised=promised)
            for one, promised in controls.items()
        }
        on_servers = clusters.on(private_postgres)
        runs["servers"] = partial(truthful, on_servers, locks["locks"], private_postgres)
        found = clusters.at_once(runs)
    assert found.keys() == {*controls}, found
    names = ("locks killed", "block", "overstay", "queue not drained")
    for name in names:
        assert any(f"{name}: told of" in one for one in found["tells-nothing"]), found
        assert any(f"{name}: over" in one for one in found["tells-for-ever"]), found
    assert any("I10" in one for one in found["tells-nothing"]), found
    assert not any("I10" in one for one in found["tells-for-ever"]), found
