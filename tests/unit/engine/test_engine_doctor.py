"""What is stored and this build could not run: found before a deploy, without a change."""

from __future__ import annotations

import sqlite3
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from advanced_scheduler.clock import ManualClock
from advanced_scheduler.engine import doctor
from advanced_scheduler.engine.doctor import Diagnosis, diagnose
from advanced_scheduler.models import TaskDefinition, TaskStatus
from advanced_scheduler.stores.abilities import Revisions
from advanced_scheduler.stores.base import Store
from advanced_scheduler.stores.memory import MemoryStore
from advanced_scheduler.stores.sql import SqliteStore
from advanced_scheduler.stores.sql_schema import HEAD, READABLE_FROM
from tests.support.definitions import add, define, nothing
from tests.support.stores import opened
from tests.unit.engine.kit import NOW, execution, schedule


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An open, empty store on disk."""
    with opened(SqliteStore(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def found(store: Store, *definitions: TaskDefinition) -> list[tuple[str, str, int]]:
    """Kind, id and count of each finding."""
    diagnosis = diagnose(store, definitions, clock=ManualClock())
    return [(one.kind, one.id, one.count) for one in diagnosis.findings]


def problem(store: Store, *definitions: TaskDefinition) -> str:
    """What is said of the only finding."""
    (finding,) = diagnose(store, definitions, clock=ManualClock()).findings
    return finding.problem


def at(when: datetime) -> None:
    """Needs an instant."""


def change(store: SqliteStore, statement: str) -> None:
    """Write into the file behind the back of the store."""
    with closing(sqlite3.connect(str(store._engine.url.database), isolation_level=None)) as file:
        file.execute(statement)


def test_nothing_is_lacking_where_all_tasks_and_arguments_fit(store: SqliteStore) -> None:
    store.add([execution("a", args=(1,)), execution("b", kwargs={"a": 1, "b": 2})])
    store.put(schedule(args=(5,)), expected=None)
    diagnosis = diagnose(store, [define(add)], clock=ManualClock())
    assert diagnosis.findings == ()
    assert (diagnosis.executions, diagnosis.schedules, diagnosis.tasks) == (2, 1, 1)
    assert diagnosis.revisions == store.revisions()
    assert diagnosis.time_zones != "none"


def test_a_task_that_this_build_lacks_is_named_once_with_how_many_wait(store: SqliteStore) -> None:
    store.add([execution(str(number), task_id="gone") for number in range(3)])
    store.put(schedule(task_id="gone"), expected=None)
    assert found(store, define()) == [("task", "gone", 3), ("schedule", "s", 1)]


def test_every_page_of_what_waits_is_looked_at(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_PAGE", 2)
    store.add([execution(str(number), task_id="gone") for number in range(5)])
    assert found(store) == [("task", "gone", 5)]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "skipped"])
def test_what_has_ended_needs_nothing(store: SqliteStore, status: str) -> None:
    store.add([execution(task_id="gone", status=TaskStatus(status))])
    store.put(schedule(task_id="gone", next_fire_time=None), expected=None)
    assert found(store) == []


@pytest.mark.parametrize(
    ("function", "stored", "words"),
    [
        (add, {"args": ("one",)}, "'a'.*does not fit its annotation int: it is str"),
        (at, {"kwargs": {"when": "soon"}}, "'when'.*does not fit its annotation"),
        (add, {"kwargs": {"c": 1}}, "definitions:add does not take what is stored: missing.*'a'"),
        (nothing, {"args": (1,)}, "does not take what is stored: too many positional"),
    ],
)
def test_arguments_that_no_longer_fit_are_named(
    store: SqliteStore, function: Callable[..., Any], stored: dict[str, Any], words: str
) -> None:
    store.add([execution(str(number), **stored) for number in range(2)])
    assert found(store, define(function)) == [("arguments", "job", 2)]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(problem(store, define(function)))


def test_the_own_arguments_of_a_task_are_no_help_to_what_was_stored_without(
    store: SqliteStore,
) -> None:
    store.add([execution()])
    assert found(store, define(add, args=(1,))) == [("arguments", "job", 1)]


def test_a_schedule_takes_the_own_arguments_of_its_task(store: SqliteStore) -> None:
    store.put(schedule(), expected=None)
    assert found(store, define(at, args=(NOW,))) == []
    assert found(store, define(at)) == [("schedule", "s", 1)]


def test_a_trigger_that_this_build_lacks_is_named(store: SqliteStore) -> None:
    store.put(schedule(), expected=None)
    change(store, """UPDATE schedules SET trigger = '{"type":"lunar","v":1}'""")
    assert found(store, define()) == [("schedule", "s", 1)]
    assert "type='lunar'" in problem(store, define())


def test_rows_that_cannot_be_read_are_named(store: SqliteStore) -> None:
    store.add([execution("odd"), execution("even")])
    store.put(schedule(), expected=None)
    change(store, "UPDATE executions SET status = 'running', args = '[' WHERE execution_id = 'odd'")
    change(store, "UPDATE schedules SET overlap = 'odd'")
    assert found(store, define()) == [("execution", "odd", 1), ("schedule", "s", 1)]


def test_without_tasks_only_what_nobody_can_use_is_found(store: SqliteStore) -> None:
    store.add([execution("a", task_id="gone"), execution("odd")])
    change(store, "UPDATE executions SET args = '[' WHERE execution_id = 'odd'")
    diagnosis = diagnose(store, None, clock=ManualClock())
    assert [(one.kind, one.id) for one in diagnosis.findings] == [("execution", "odd")]
    assert diagnosis.tasks is None


def test_tables_that_are_not_there_are_a_finding_and_are_not_made(tmp_path: Path) -> None:
    store = SqliteStore(f"sqlite:///{tmp_path}/none.db")
    diagnosis = diagnose(store, [define()], clock=ManualClock())
    assert [one.kind for one in diagnosis.findings] == ["schema"]
    assert "not there yet" in diagnosis.findings[0].problem
    assert list(tmp_path.iterdir()) == []


def test_tables_of_an_older_release_are_a_finding_and_stay(store: SqliteStore) -> None:
    change(store, "UPDATE advanced_scheduler_version SET version_num = '0001'")
    assert "at revision 0001" in problem(store)
    assert store.revisions() == Revisions(current="0001", head=HEAD, readable_from=READABLE_FROM)


class _Served(MemoryStore):
    """A store whose server has a clock of its own."""

    def __init__(self, ahead: float) -> None:
        super().__init__()
        self._theirs = NOW + timedelta(seconds=ahead)

    def time(self) -> datetime:
        return self._theirs


@pytest.mark.parametrize(("ahead", "findings"), [(4.5, []), (-5.5, ["clock"]), (60, ["clock"])])
def test_clocks_may_be_five_seconds_apart(ahead: float, findings: list[str]) -> None:
    diagnosis: Diagnosis = diagnose(_Served(ahead), [], clock=ManualClock(NOW))
    assert [one.kind for one in diagnosis.findings] == findings
    assert diagnosis.skew_seconds == -ahead


def test_missing_time_zone_data_are_a_finding(
    monkeypatch: pytest.MonkeyPatch, store: SqliteStore
) -> None:
    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    assert diagnose(store, None, clock=ManualClock()).time_zones.startswith("tzdata ")

    def no_package(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", no_package)
    assert "install the package tzdata" in problem(store)
