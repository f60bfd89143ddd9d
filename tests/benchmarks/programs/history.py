"""Fills an empty SQL store with a history as a business has it, by one statement a table."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

TASKS: Final = 50
RARE: Final = 997  # one execution in so many has the rare tag, and the rare queue
_STEP: Final = 50_000  # rows in one statement
STEP_MS: Final = 20  # between two executions: a million in five and a half hours

_FILL: Final = """
INSERT INTO {executions} (execution_id, task_id, task_name, status, priority, scheduled_time,
 started_time, completed_time, result, error, retry_count, metrics, created_time, due_time, attempt,
 fence, crashes, node, args, tags, workflow_id, schedule_id, blocked, queue)
SELECT {id}, 'task-' || (n % {tasks}), 'Task ' || (n % {tasks}),
 CASE WHEN n % 40 = 0 THEN 'failed' WHEN n % 101 = 0 THEN 'cancelled' ELSE 'completed' END,
 CASE WHEN n % 200 = 0 THEN 0 ELSE 1 + n % 4 END, {micros}, {micros} + 1000, {micros} + 9000, '1',
 CASE WHEN n % 40 = 0 THEN 'ValueError: no number ' || n END, 0,
 '{{"execution_time":0.008,"queue_wait":0.001}}', {micros}, {micros}, 1, 1, 0, 'node-' || (n % 7),
 '[' || n || ']',
 CASE WHEN n % {rare} = 0 THEN '["rare"]' WHEN n % 3 = 0 THEN '["nightly","eu"]' END,
 CASE WHEN n % 20 < 4 THEN 'flow-' || (n / 20) END,
 CASE WHEN n % 5 = 4 THEN 's-' || (n % 100) END, 0,
 CASE WHEN n % {rare} = 1 THEN 'rare' ELSE 'default' END
FROM {numbers}
"""
_WAITING: Final = """
INSERT INTO {executions} (execution_id, task_id, task_name, status, priority, scheduled_time,
 retry_count, created_time, due_time, attempt, fence, crashes, blocked)
SELECT {id}, 'task-' || (n % {tasks}), 'Task', 'pending', n % 5, {micros}, 0, {micros}, {micros}, 0,
 0, 0, 0 FROM {numbers}
"""
_TICKS: Final = """
INSERT INTO {ticks} (schedule_id, instant, version, outcome, recorded_time)
SELECT 's-' || (n % 100), {micros}, 1, CASE WHEN n % 10 = 0 THEN 'skipped_overlap' ELSE 'fired' END,
 {micros} FROM {numbers}
"""
_AUDIT: Final = """
INSERT INTO {records} (kind, record_id, written_time, data)
SELECT 'audit', {id}, {micros}, '{data}' FROM {numbers}
"""
_LINE: Final = {"who": "ops", "action": "cancel", "target": "e", "outcome": 200}
_DIALECTS: Final = {
    "sqlite": (
        """(WITH RECURSIVE c(n) AS (VALUES({first}) UNION ALL SELECT n + 1 FROM c LIMIT {count})
        SELECT n FROM c) AS numbers""",
        "printf('%08x-%04x-7000-8000-%012x', ({ms}) >> 16, ({ms}) & 65535, n)",
    ),
    "postgresql": (
        "generate_series({first}, {last}) AS numbers(n)",
        """lpad(to_hex(({ms}) >> 16), 8, '0') || '-' || lpad(to_hex(({ms}) & 65535), 4, '0')
        || '-7000-8000-' || lpad(to_hex(n), 12, '0')""",
    ),
}


def fill(store: Any, rows: int, waiting: int = 1000) -> None:
    """``rows`` ended executions up to an hour ago, ``waiting`` ones, a tenth of ticks and audit."""
    begin = datetime.now(UTC) - timedelta(hours=1, milliseconds=STEP_MS * rows)
    first_ms = int(begin.timestamp() * 1000)

    def work(db: Any, *, text: str, first: int, last: int) -> None:
        numbers, made = _DIALECTS[db.dialect.name]
        ms = f"CAST({first_ms} AS BIGINT) + n * {STEP_MS}"
        schema = store._dialect.schema
        prefix = "" if schema is None else f"{schema}."
        names = {one: prefix + one for one in ("executions", "ticks", "records")}
        common = {"id": made.format(ms=ms), "micros": f"(({ms}) * 1000)", **names}
        more = {"rare": RARE, "tasks": TASKS, "data": json.dumps(_LINE)}
        made_of = text.format(
            numbers=numbers.format(first=first, last=last, count=last + 1 - first),
            **common,
            **more,
        )
        if db.dialect.name == "postgresql":
            made_of = made_of.replace("%", "%%")  # else psycopg looks for a parameter
        db.exec_driver_sql(made_of)

    for text, first, last in (
        (_FILL, 1, rows),
        (_WAITING, rows + 1, rows + waiting),
        (_TICKS, 1, rows // 10),
        (_AUDIT, 1, rows // 10),
    ):
        for begin_of in range(first, last + 1, _STEP):  # no statement may take 12 s
            part = begin_of, min(begin_of + _STEP - 1, last)
            store._write(partial(work, text=text, first=part[0], last=part[1]))
    with store._dialect.engine.connect() as db:  # PostgreSQL does so by itself, after a while
        db.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))
