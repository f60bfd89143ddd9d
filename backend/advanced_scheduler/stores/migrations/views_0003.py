"""Views for plain SQL: schedules as events and cleanup tasks, and executions as their runs.

Revision 0003 made them so. Whoever changes them does it in a module and a revision of its own,
which drops these first; so must a revision that changes a column that they read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

from sqlalchemy.engine import Dialect


def create_views(dialect: Dialect, schema: str | None) -> Iterator[str]:
    """The statements that make the views beside the tables."""
    place = "" if schema is None else f"{dialect.identifier_preparer.quote(schema)}."
    words = _Postgresql() if dialect.name == "postgresql" else _Sqlite()
    for name, query in (
        ("scheduler_events", _events(words, place)),
        ("scheduler_cleanup_config", _cleanup_config(words, place)),
        ("scheduler_executions", _executions(words, place)),
    ):
        yield f"CREATE VIEW {place}{name} AS {query}"


# Part of a text in JSON that PostgreSQL reads, and then cannot show.
_ZERO: Final = r"\u0000"


class _Words(Protocol):
    """What is spelled differently: ``facts`` is JSON, ``name`` a key of it."""

    module: str
    function: str

    def time(self, column: str) -> str:
        """A column of microseconds as a timestamp in UTC."""
        ...

    def facts(self, column: str) -> str:
        """A column of JSON, or an empty object where there is none that can be read."""
        ...

    def json(self, column: str) -> str:
        """A column of JSON as it is; as one text, in JSON, where SQL could not read it."""
        ...

    def text(self, facts: str, *path: str) -> str:
        """A value as text."""
        ...

    def number(self, facts: str, name: str) -> str:
        """A number, else NULL."""
        ...

    def flag(self, facts: str, name: str) -> str:
        """A boolean, else NULL."""
        ...

    def mapping(self, facts: str, name: str) -> str:
        """An object, else NULL."""
        ...

    def empty(self) -> str:
        """An empty object."""
        ...


class _Sqlite:
    _before = "rtrim(task_id, replace(task_id, '.', ''))"  # up to the last dot, with it
    module = f"substr({_before}, 1, length({_before}) - 1)"
    function = f"substr(task_id, length({_before}) + 1)"

    def time(self, column: str) -> str:
        seconds = f"strftime('%Y-%m-%d %H:%M:%S', {column} / 1000000, 'unixepoch')"
        return f"{seconds} || printf('.%06d', {column} % 1000000)"

    def facts(self, column: str) -> str:
        return f"CASE WHEN json_valid({column}) THEN {column} ELSE '{{}}' END"

    def json(self, column: str) -> str:
        odd = f"{column} IS NOT NULL AND NOT json_valid({column})"
        zero = f"instr({column}, '{_ZERO}') > 0"  # as in PostgreSQL
        return f"CASE WHEN {odd} OR {zero} THEN json_quote({column}) ELSE {column} END"

    def text(self, facts: str, *path: str) -> str:
        return f"json_extract({facts}, '$.{'.'.join(path)}')"

    def number(self, facts: str, name: str) -> str:
        return self._typed(facts, name, "integer")

    def flag(self, facts: str, name: str) -> str:
        return self._typed(facts, name, "true", "false")

    def mapping(self, facts: str, name: str) -> str:
        return self._typed(facts, name, "object")

    def empty(self) -> str:
        return "'{}'"

    def _typed(self, facts: str, name: str, *types: str) -> str:
        wanted = ", ".join(f"'{one}'" for one in types)
        value = self.text(facts, name)
        return f"CASE WHEN json_type({facts}, '$.{name}') IN ({wanted}) THEN {value} END"


class _Postgresql:
    module = r"coalesce(substring(task_id from '^(.*)\.[^.]*$'), '')"
    function = "substring(task_id from '[^.]*$')"

    def time(self, column: str) -> str:
        return f"timestamp '1970-01-01' + {column} * interval '1 microsecond'"

    def facts(self, column: str) -> str:
        fine = f"{column} IS NOT NULL AND NOT ({self._odd(column)})"
        return f"CASE WHEN {fine} THEN CAST({column} AS json) ELSE {self.empty()} END"

    def json(self, column: str) -> str:
        return (
            f"CASE WHEN {self._odd(column)} THEN to_json({column}) ELSE CAST({column} AS json) END"
        )

    def text(self, facts: str, *path: str) -> str:
        return f"{facts} #>> '{{{','.join(path)}}}'"

    def number(self, facts: str, name: str) -> str:
        digits = f"{self.text(facts, name)} ~ '^-?[0-9]{{1,9}}$'"
        return f"CASE WHEN {digits} THEN CAST({self.text(facts, name)} AS integer) END"

    def flag(self, facts: str, name: str) -> str:
        return f"CASE {self.text(facts, name)} WHEN 'true' THEN true WHEN 'false' THEN false END"

    def mapping(self, facts: str, name: str) -> str:
        value = f"{facts} -> '{name}'"
        return f"CASE WHEN json_typeof({value}) = 'object' THEN {value} END"

    def empty(self) -> str:
        return "CAST('{}' AS json)"

    def _odd(self, column: str) -> str:
        """What Python takes for JSON, and PostgreSQL does not; such a row would fail all others.

        The texts within are left out only where it matters, as that takes longer.
        """
        numbers = "~ 'NaN|Infinity'"
        bare = rf"""regexp_replace({column}, '"([^"\\]|\\.)*"', '', 'g')"""
        return f"strpos({column}, '{_ZERO}') > 0 OR ({column} {numbers} AND {bare} {numbers})"


_SCHEDULES: Final = (
    "schedule_id, name, task_id, kwargs, paused, next_fire_time, last_fire_time, event, max_runs, "
    "run_count"
)


def _schedules(words: _Words, place: str) -> str:
    facts, trigger = words.facts("metadata"), words.facts("trigger")
    return f"(SELECT {_SCHEDULES}, {facts} AS facts, {trigger} AS rule FROM {place}schedules) AS s"


def _events(words: _Words, place: str) -> str:
    text, runs = words.text, f"FROM {place}executions AS e WHERE e.schedule_id = s.schedule_id"
    parameters = f"{words.mapping('facts', 'parameters')}, {words.json('kwargs')}, {words.empty()}"
    over = "next_fire_time IS NULL AND event IS NULL"
    return f"""
SELECT
    schedule_id AS id,
    coalesce({text("facts", "name")}, name, schedule_id) AS name,
    {text("facts", "description")} AS description,
    coalesce({text("facts", "module_id")}, {words.module}) AS module_id,
    coalesce({text("facts", "function_name")}, {words.function}) AS function_name,
    coalesce({parameters}) AS parameters,
    coalesce({words.flag("facts", "recurring")}, {text("rule", "type")} <> 'once') AS recurring,
    {text("facts", "interval_type")} AS interval_type,
    {words.number("facts", "interval_value")} AS interval_value,
    {words.time("next_fire_time")} AS next_execution,
    CASE
        WHEN paused = 1 THEN 'paused'
        WHEN EXISTS (SELECT 1 {runs} AND e.status = 'running') THEN 'running'
        WHEN run_count >= max_runs OR ({over}) THEN 'completed'
        ELSE 'pending'
    END AS status,
    {words.time("last_fire_time")} AS last_execution,
    run_count AS execution_count,
    max_runs AS max_executions,
    (
        SELECT e.error {runs} AND e.status = 'failed' ORDER BY e.execution_id DESC LIMIT 1
    ) AS last_error
FROM {_schedules(words, place)}
WHERE {text("facts", "cleanup_type")} IS NULL
"""


def _cleanup_config(words: _Words, place: str) -> str:
    text = words.text
    return f"""
SELECT
    schedule_id AS id,
    coalesce({text("facts", "module_id")}, {words.module}) AS module_id,
    {text("facts", "cleanup_type")} AS cleanup_type,
    coalesce({words.mapping("facts", "config")}, {words.empty()}) AS config,
    paused = 0 AS enabled,
    {words.time("last_fire_time")} AS last_run,
    {words.time("next_fire_time")} AS next_run
FROM {_schedules(words, place)}
WHERE {text("facts", "cleanup_type")} IS NOT NULL
"""


def _executions(words: _Words, place: str) -> str:
    trace = words.text(f"({words.facts('extras')})", "metadata", "trace_session_id")
    return f"""
SELECT
    execution_id AS id,
    schedule_id AS event_id,
    {words.time("coalesce(started_time, completed_time)")} AS start_time,
    {words.time("completed_time")} AS end_time,
    CASE WHEN completed_time IS NOT NULL THEN status = 'completed' END AS success,
    {words.json("result")} AS result,
    error,
    {trace} AS trace_session_id
FROM {place}executions
WHERE schedule_id IS NOT NULL AND coalesce(started_time, completed_time) IS NOT NULL
"""
