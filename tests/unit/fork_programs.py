"""Owns programs that fork: ``python fork_programs.py NAME STORE``; 0 if all is well.

Programs of their own, since a process that runs threads should not fork in the midst of a test.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from advanced_scheduler import AdvancedTaskScheduler, Settings, TaskDefinition
from advanced_scheduler.errors import SchedulerStateError, StoreError
from advanced_scheduler.stores import open_store, sql_sqlite
from advanced_scheduler.stores.sql_database import SqlDatabase

SECONDS = 20
QUICK = Settings(poll_seconds=0.05, auto_migrate=True)


def pid() -> int:
    """Where it runs."""
    return os.getpid()


def scheduler_on(store: str, **options: object) -> AdvancedTaskScheduler:
    """With the task ``pid``, in threads, and ``own``, in processes."""
    scheduler = AdvancedTaskScheduler(store=store, settings=QUICK, **options)  # type: ignore[arg-type]
    scheduler.register_task(TaskDefinition("pid", "Pid", pid))
    scheduler.register_task(TaskDefinition("own", "Own", pid, executor="process"))
    return scheduler


def runs(scheduler: AdvancedTaskScheduler, task: str = "pid") -> int:
    """Schedule and wait; the result."""
    answer = scheduler.result(scheduler.schedule_task(task), timeout=SECONDS)
    assert isinstance(answer, int)
    return answer


class Child:
    """A forked process that runs ``body``, and then the rest of a program that ends."""

    def __init__(self, body: Callable[[], object]) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            signal.alarm(SECONDS)
            body()
            sys.exit(0)

    def ends_well(self) -> bool:
        """Wait for it."""
        return os.waitpid(self.pid, 0)[1] == 0


@contextmanager
def told() -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """``wait`` returns in one process when ``tell`` was called in another."""
    out, into = os.pipe()
    yield lambda: os.read(out, 1), lambda: os.write(into, b"x")
    os.close(out)
    os.close(into)


def made_before(store: str) -> None:
    """Made before the fork and never started there."""
    scheduler = scheduler_on(store)
    waiting = scheduler.schedule_task("pid")

    def child() -> None:
        assert scheduler.name.endswith(f"-{os.getpid()}")
        with scheduler.running():
            assert scheduler.result(waiting, timeout=SECONDS) == os.getpid()
            assert runs(scheduler) == os.getpid()
        scheduler.close()

    assert Child(child).ends_well()
    assert scheduler.name.endswith(f"-{os.getpid()}")
    with scheduler.running():
        assert runs(scheduler) == os.getpid()
    scheduler.close()


def log_is_kept(store: str) -> None:
    """The last connection of the parent does not take the log away from the child."""
    scheduler = scheduler_on(store)
    with told() as (until_open, is_open), told() as (until_closed, is_closed):

        def child() -> None:
            scheduler.schedule_task("pid")
            is_open()
            until_closed()
            scheduler.schedule_task("pid")
            os.kill(os.getpid(), signal.SIGKILL)

        forked = Child(child)
        until_open()
        scheduler.close()
        assert Path(store.removeprefix("sqlite:///").partition("?")[0] + "-wal").exists()
        is_closed()
        assert not forked.ends_well()
    reopened = open_store(store)
    reopened.open()
    assert sum(reopened.counts().values()) == 2
    reopened.close()


def running_before(store: str) -> None:
    """Made and running before the fork, with a process of its own and a metrics server."""
    scheduler = scheduler_on(store)
    server = scheduler.serve_metrics(port=0)
    with scheduler.running():
        worker = runs(scheduler, "own")

        def child() -> None:
            assert scheduler.running_tasks == 0
            assert scheduler.get_health_status()["status"] != "unhealthy"
            scheduler.serve_metrics(port=0)
            with scheduler.running():
                runs(scheduler)
                runs(scheduler, "own")
            scheduler.close()
            sys.exit(0)  # through the block of the parent

        assert Child(child).ends_well()
        assert urllib.request.urlopen(f"{server.url}/health/live", timeout=SECONDS).status == 200
        assert runs(scheduler) == os.getpid()
        assert runs(scheduler, "own") == worker
    scheduler.close()


def port_is_free(store: str) -> None:
    """A child that lives on does not keep the port of its parent's metrics."""
    scheduler = scheduler_on(store)
    server = scheduler.serve_metrics(port=0)
    with told() as (until_over, is_over):
        child = Child(until_over)
        scheduler.close()
        with pytest.raises(URLError, match="refused"):
            urllib.request.urlopen(server.url, timeout=SECONDS)
        is_over()
        assert child.ends_well()


def host_ran_before(store: str) -> None:
    """An APScheduler of the application that ran before the fork."""
    host = BackgroundScheduler(timezone="UTC")
    host.start()
    scheduler = scheduler_on(store, apscheduler=host)

    def child() -> None:
        with pytest.raises(SchedulerStateError, match="after the fork"), scheduler.running():
            pass

    assert Child(child).ends_well()
    with scheduler.running():
        assert runs(scheduler) == os.getpid()
    host.shutdown()


def under_load(store: str) -> None:
    """Whatever the threads of the parent hold when it forks."""
    scheduler = scheduler_on(store)
    over = threading.Event()

    def load() -> None:
        while not over.is_set():
            runs(scheduler)

    def child() -> None:
        with scheduler.running():
            runs(scheduler)
        os._exit(0)

    with scheduler.running():
        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(8):
                assert Child(child).ends_well()
        finally:
            over.set()
            for thread in threads:
                thread.join()
    scheduler.close()


def in_midst_of_a_write(store: str) -> None:
    """A transaction that will not end: the child is told, and the parent goes on."""
    sql_sqlite.FORK_SECONDS = 0.05  # type: ignore[misc]
    scheduler = scheduler_on(store)
    database = scheduler.store
    assert isinstance(database, SqlDatabase)
    begun, over = threading.Event(), threading.Event()

    def write(_: object) -> None:
        begun.set()
        over.wait()

    work = threading.Thread(target=database._write, args=(write,))
    work.start()
    begun.wait()

    def child() -> None:
        with pytest.raises(StoreError, match="open the store after the fork"):
            scheduler.schedule_task("pid")

    assert Child(child).ends_well()
    over.set()
    work.join()
    scheduler.schedule_task("pid")
    scheduler.close()


def locks_on_redis(store: str) -> None:
    """The parent keeps the lock that it holds, and the child gets others."""
    scheduler = scheduler_on("memory://", redis_client=store)
    locks = scheduler.lock_manager
    grant = locks.try_acquire("a", timeout=3)
    assert grant is not None
    lost: list[object] = []
    locks.keep(grant, lost.append)

    def child() -> None:
        assert locks.try_acquire("a", timeout=3) is None
        other = locks.try_acquire("b", timeout=3)
        assert other is not None
        locks.keep(other, lost.append)
        assert locks.let_go(other)
        scheduler.close()

    assert Child(child).ends_well()
    assert locks.let_go(grant)
    assert not lost
    scheduler.close()


PROGRAMS = {
    program.__name__: program
    for program in (
        made_before,
        log_is_kept,
        running_before,
        port_is_free,
        host_ran_before,
        under_load,
        in_midst_of_a_write,
        locks_on_redis,
    )
}

if __name__ == "__main__":
    faulthandler.register(signal.SIGALRM, chain=True)  # says where it hangs, and ends it
    signal.alarm(2 * SECONDS)
    PROGRAMS[sys.argv[1]](sys.argv[2])
