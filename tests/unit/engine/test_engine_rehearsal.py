"""What an application stores while it is imported for its tasks alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine.parts import assemble
from advanced_scheduler.executors import script
from advanced_scheduler.lock_store import LockStore
from advanced_scheduler.models import ExecutionFilter
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.abilities import Signal, SignalStore, TransactionalStore
from tests.unit.engine.kit import execution, parts, quick, schedule

SCRIPT = """
from datetime import timedelta
from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.config import Settings
from advanced_scheduler.triggers import IntervalTrigger

settings = Settings(poll_seconds=0.05)
scheduler = AdvancedTaskScheduler(store=f"sqlite:///{__file__}.db", settings=settings)

@scheduler.task()
def inner(number: int) -> int:
    return number + 1

def bare(number: int) -> int:
    return number + 2

@scheduler.task(executor="process")
def outer() -> list[str]:
    assert [one.name for one in scheduler.get_schedules()] == ["yearly"]
    return [inner.schedule(1), scheduler.schedule_task(bare, 1)]

scheduler.create_schedule(inner, IntervalTrigger(timedelta(days=365)), args=[1], name="yearly")
started = scheduler.schedule_task(outer)

if __name__ == "__main__":
    scheduler.schedule_task(bare, 0)
    with scheduler.running():
        print([scheduler.result(one, 30) for one in scheduler.result(started, 30)])
    scheduler.close()
"""


def test_a_worker_that_imports_a_script_stores_nothing_but_what_its_tasks_do(
    tmp_path: Path,
) -> None:
    app = tmp_path / "app.py"
    app.write_text(f"import sys; sys.path[:0] = {sys.path!r}\n{SCRIPT}")
    done = subprocess.run(
        [sys.executable, str(app)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[2, 3]\n"), done.stderr
    store = open_store(f"sqlite:///{app}.db")
    store.open()
    assert [(one.name, one.task_id) for one in store.schedules()] == [("yearly", "__main__.inner")]
    tasks = sorted(row.task_id for row in store.find(ExecutionFilter()))
    assert tasks == ["__main__.bare", "__main__.bare", "__main__.inner", "__main__.outer"]
    store.close()


def test_a_store_on_disk_is_first_opened_when_the_import_is_over(
    clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "jobs.db"
    with script.importing("app:task"):
        made = assemble(None, store=f"sqlite:///{file}", settings=quick(), clock=clock)
        assert (made.store.durable, made.locks.kind) == (True, "store")
        made.store.add([execution("of the import")])
        made.store.put(schedule(), expected=None)
        assert len(made.store.get(["of the import"])) == len(made.store.schedules()) == 1
        assert not file.exists()
    assert not made.store.get(["of the import"])
    assert not made.store.schedules()
    made.store.add([execution("of a task")])
    with script.importing("app:other"):
        made.store.add([execution("of another import")])
    made.close()
    real = open_store(f"sqlite:///{file}")
    real.open()
    assert [row.execution_id for row in real.find(ExecutionFilter())] == ["of a task"]
    real.close()


@pytest.mark.parametrize("kind", [LockStore, SignalStore, TransactionalStore])
@pytest.mark.parametrize("url", ["sqlite:///{}/jobs.db", "redis://127.0.0.1:1/0"])
def test_what_a_store_can_do_is_told_while_a_worker_imports(
    kind: type, url: str, clock: ManualClock, tmp_path: Path
) -> None:
    real = open_store(url.format(tmp_path))
    with script.importing("app:task"):
        made = parts(real, clock)
        made.signals.tell(Signal.WORK)  # reaches nobody
    assert made.store is not real
    assert isinstance(made.store, kind) == isinstance(real, kind)
    assert getattr(made.store, "lock_url", None) == getattr(real, "lock_url", None)


def test_what_an_import_stores_in_the_transaction_of_others_is_not_stored(
    clock: ManualClock, tmp_path: Path
) -> None:
    with script.importing("app:task"):
        store = parts(open_store(f"sqlite:///{tmp_path}/jobs.db"), clock).store
        assert isinstance(store, TransactionalStore)
        assert store.add_within(None, [execution("a")]) == ["a"]
        assert [row.execution_id for row in store.get_within(None, ["a"])] == ["a"]
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_memory_is_a_worker_s_own_anyway(clock: ManualClock) -> None:
    real = open_store("memory://")
    with script.importing("app:task"):
        assert parts(real, clock).store is real
