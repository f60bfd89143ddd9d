"""What plain SQL reads of schedules and their runs, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import pytest
import sqlalchemy as sa

from advanced_scheduler import lifecycle
from advanced_scheduler.stores.sql import PostgresStore, SqliteStore

from .rows import DAY, MINUTE, NOW, SECOND, by, done, execution, firing, one, schedule

Database: TypeAlias = SqliteStore | PostgresStore

_VIEWS: Final = sa.MetaData()
_EVENTS: Final = sa.Table(
    "scheduler_events",
    _VIEWS,
    *map(sa.Column, ("id", "name", "description", "module_id", "function_name")),
    sa.Column("parameters", sa.JSON),
    sa.Column("recurring", sa.Boolean),
    *map(sa.Column, ("interval_type", "interval_value")),
    sa.Column("next_execution", sa.DateTime),
    sa.Column("status"),
    sa.Column("last_execution", sa.DateTime),
    *map(sa.Column, ("execution_count", "max_executions", "last_error")),
)
_RUNS: Final = sa.Table(
    "scheduler_executions",
    _VIEWS,
    *map(sa.Column, ("id", "event_id")),
    sa.Column("start_time", sa.DateTime),
    sa.Column("end_time", sa.DateTime),
    sa.Column("success", sa.Boolean),
    sa.Column("result", sa.JSON),
    *map(sa.Column, ("error", "trace_session_id")),
)
_CLEANUP: Final = sa.Table(
    "scheduler_cleanup_config",
    _VIEWS,
    *map(sa.Column, ("id", "module_id", "cleanup_type")),
    sa.Column("config", sa.JSON),
    sa.Column("enabled", sa.Boolean),
    sa.Column("last_run", sa.DateTime),
    sa.Column("next_run", sa.DateTime),
)
ABOUT: Final = {
    "description": "Sends the digest",
    "module_id": "mail.tasks",
    "function_name": "digest",
    "parameters": {"to": ["all"], "n": 1},
    "recurring": True,
    "interval_type": "minutes",
    "interval_value": 5,
    "trace_session_id": "trace",
}


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """An open, empty store of each kind."""
    store: Database = request.getfixturevalue(request.param)
    return store


def rows(store: Database, view: sa.Table) -> list[Mapping[str, Any]]:
    """The rows of a view, by id, as SQLAlchemy reads columns of these types."""
    asked = sa.select(view).order_by(view.c.id)
    with store._engine.connect() as db:
        return [dict(row) for row in db.execute(asked).mappings()]


def clock(instant: datetime) -> datetime:
    """The same instant without a zone, in UTC."""
    return instant.replace(tzinfo=None)


def events(store: Database, column: str) -> dict[str, Any]:
    """One column of all events, by id."""
    return {row["id"]: row[column] for row in rows(store, _EVENTS)}


def test_the_views_have_the_columns_that_they_should_and_no_others(database: Database) -> None:
    for view in (_EVENTS, _RUNS, _CLEANUP):
        with database._engine.connect() as db:
            everything = db.execute(sa.select(sa.text("*")).select_from(view))
            assert list(everything.keys()) == [column.name for column in view.c]


def test_an_event_is_a_schedule_with_what_its_metadata_says(database: Database) -> None:
    next_time = NOW + timedelta(microseconds=1)
    database.put(
        schedule(
            "e",
            name="digest",
            next_fire_time=next_time,
            last_fire_time=NOW - MINUTE,
            metadata=ABOUT,
            max_runs=9,
            run_count=2,
        ),
        expected=None,
    )
    assert rows(database, _EVENTS) == [
        {
            "id": "e",
            "name": "digest",
            "description": "Sends the digest",
            "module_id": "mail.tasks",
            "function_name": "digest",
            "parameters": {"to": ["all"], "n": 1},
            "recurring": True,
            "interval_type": "minutes",
            "interval_value": 5,
            "next_execution": clock(next_time),
            "status": "pending",
            "last_execution": clock(NOW - MINUTE),
            "execution_count": 2,
            "max_executions": 9,
            "last_error": None,
        }
    ]


def test_any_other_schedule_is_an_event_of_its_task(database: Database) -> None:
    for one_id, task_id in (("a", "pkg.mod.run"), ("b", "run"), ("c", "x.")):
        database.put(schedule(one_id, task_id=task_id, kwargs={"n": 1}), expected=None)
    database.put(schedule("d", trigger={"type": "once"}), expected=None)
    found = rows(database, _EVENTS)
    assert [(row["module_id"], row["function_name"]) for row in found] == [
        ("pkg.mod", "run"),
        ("", "run"),
        ("x", ""),
        ("", "t"),
    ]
    assert [row["parameters"] for row in found] == [{"n": 1}] * 3 + [{}]
    assert [row["recurring"] for row in found] == [True] * 3 + [False]
    assert [row["name"] for row in found] == ["a", "b", "c", "d"]


def test_the_status_of_an_event(database: Database) -> None:
    for known in (
        schedule("ended", next_fire_time=None),
        schedule("paused", next_fire_time=None, paused=True),
        schedule("pending"),
        schedule("running"),
        schedule("last run", next_fire_time=None),
        schedule("spent", max_runs=2, run_count=2),
        schedule("waits", next_fire_time=None, event="upload"),
    ):
        database.put(known, expected=None)
    database.add([execution(name, schedule_id=name) for name in ("running", "last run")])
    database.claim(by())
    assert events(database, "status") == {
        "ended": "completed",
        "paused": "paused",
        "pending": "pending",
        "running": "running",
        "last run": "running",
        "spent": "completed",
        "waits": "pending",
    }


def test_the_last_error_is_that_of_the_newest_failure(database: Database) -> None:
    database.put(schedule(), expected=None)
    for name, error in (("a", "first"), ("b", "second"), ("c", None)):
        database.add([execution(name, schedule_id="s")])
        (row,) = database.claim(by())
        move = done(row) if error is None else lifecycle.fail(row, error=error, now=NOW)
        assert database.apply([move]) == [True]
    assert events(database, "last_error") == {"s": "second"}


def test_runs_are_the_executions_of_schedules_that_have_started_or_ended(
    database: Database,
) -> None:
    traced = {"metadata": {"trace_session_id": "trace"}}
    database.put(schedule(), expected=None)
    database.fire(
        [
            firing(
                executions=[
                    execution("completed", schedule_id="s", extras=traced),
                    execution("failed", schedule_id="s"),
                    execution("running", schedule_id="s"),
                    execution("waits", schedule_id="s", due_time=NOW + DAY),
                ]
            )
        ]
    )
    database.add([execution("cancelled", schedule_id="s"), execution("other")])
    database.apply([lifecycle.cancel(execution("cancelled"), now=NOW)])
    database.claim(by())
    end = NOW + SECOND
    database.apply([done(one(database, "completed"), end, result={"n": [1]})])
    database.apply([lifecycle.fail(one(database, "failed"), error="boom", now=end)])
    started = {"event_id": "s", "start_time": clock(NOW), "end_time": clock(end)}
    nothing = {"result": None, "error": None, "trace_session_id": None}
    ran = {**started, **nothing}
    assert rows(database, _RUNS) == [
        {**ran, "id": "cancelled", "end_time": clock(NOW), "success": False, "error": None}
        | {"error": one(database, "cancelled").error},
        {
            **ran,
            "id": "completed",
            "success": True,
            "result": {"n": [1]},
            "trace_session_id": "trace",
        },
        {**ran, "id": "failed", "success": False, "error": "boom"},
        {**ran, "id": "running", "end_time": None, "success": None},
    ]


def test_a_cleanup_task_is_listed_apart(database: Database) -> None:
    config = {"max_age": 30}
    about = {**ABOUT, "cleanup_type": "age", "config": config}
    database.put(schedule("a", metadata=about, last_fire_time=NOW - DAY), expected=None)
    database.put(
        schedule("b", task_id="x.y", metadata={"cleanup_type": "size"}, paused=True), expected=None
    )
    assert rows(database, _EVENTS) == []
    assert rows(database, _CLEANUP) == [
        {
            "id": "a",
            "module_id": "mail.tasks",
            "cleanup_type": "age",
            "config": config,
            "enabled": True,
            "last_run": clock(NOW - DAY),
            "next_run": clock(NOW),
        },
        {
            "id": "b",
            "module_id": "x",
            "cleanup_type": "size",
            "config": {},
            "enabled": False,
            "last_run": None,
            "next_run": clock(NOW),
        },
    ]


ODD: Final = ({"x": float("nan")}, {"x": "a\x00b"}, {"x": "Infinity"})


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_what_sql_takes_for_no_json_hides_no_row(database: Database, odd: dict[str, Any]) -> None:
    database.put(schedule("a", metadata=odd, kwargs=odd), expected=None)
    database.put(schedule("b", metadata={"recurring": "x", "interval_value": "y"}), expected=None)
    database.add([execution("x", schedule_id="a", extras={"metadata": odd})])
    (row,) = database.claim(by())
    database.apply([done(row, result=odd)])
    assert list(events(database, "interval_value").values()) == [None, None]
    (run,) = rows(database, _RUNS)
    plain = odd == {"x": "Infinity"}
    kept = run["result"] if plain else json.loads(run["result"])
    assert repr(kept) == repr(odd)
    asked = sa.select(_RUNS.c.result["x"].as_string())
    with database._engine.connect() as db:
        assert list(db.execute(asked).scalars()) == ["Infinity" if plain else None]
