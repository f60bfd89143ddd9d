"""The log of attempts: what it tells, and how small it stays."""

from __future__ import annotations

import pytest

from advanced_scheduler.models import (
    TaskExecution,
    TaskStatus,
    attempts_of,
    outcome_of,
    with_attempt,
)
from tests.contract.rows import NOW, SECOND, execution

S = TaskStatus


def attempted(row: TaskExecution, number: int, trace: str = "trace\n") -> TaskExecution:
    """The row after an attempt that failed."""
    row = row.with_changes({"attempt": number, "node": "n", "started_time": NOW})
    extras = with_attempt(
        row,
        outcome="failed",
        ended=NOW + SECOND,
        error="ValueError: x",
        traceback_str=trace,
        due=NOW + 3 * SECOND,
        backoff="fixed: 2 s",
    )
    return row.with_changes({"extras": extras, "node": None}, S.RETRYING)


def test_the_delay_is_from_the_end_to_the_next_attempt() -> None:
    (told,) = attempts_of(attempted(execution("e"), 1))
    assert (told["delay"], told["backoff"]) == (2.0, "fixed: 2 s")
    assert told["due"] == (NOW + 3 * SECOND).isoformat()


def test_the_latest_twenty_attempts_are_kept() -> None:
    row = execution("e")
    for number in range(1, 31):
        row = attempted(row, number)
    assert [one["attempt"] for one in attempts_of(row)] == list(range(11, 31))


def test_of_a_long_traceback_the_last_whole_lines_are_kept() -> None:
    lines = "".join(f"line {number}\n" for number in range(5000))
    (told,) = attempts_of(attempted(execution("e"), 1, lines))
    kept = told["traceback"].splitlines()
    assert len(told["traceback"]) <= 8192
    assert (kept[0].startswith("line "), kept[-1]) == (True, "line 4999")


def test_many_long_tracebacks_leave_the_latest() -> None:
    row = execution("e")
    for number in range(1, 13):
        row = attempted(row, number, "x" * 8000 + "\n")
    log = attempts_of(row)
    assert ["traceback" in one for one in log] == [False] * 4 + [True] * 8
    assert all(one["error"] == "ValueError: x" for one in log)


def test_other_extras_stay() -> None:
    row = attempted(execution("e", extras={"metadata": {"a": 1}}), 1)
    assert row.extras["metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("status", "node", "outcomes"),
    [
        (S.PENDING, None, []),
        (S.RUNNING, "n", ["running"]),
        (S.COMPLETED, "n", ["completed"]),
        (S.FAILED, None, ["failed"]),
        (S.CANCELLED, "n", ["cancelled"]),
        (S.CANCELLED, None, []),
        (S.SKIPPED, None, []),
    ],
)
def test_the_row_itself_tells_of_the_last_attempt(
    status: S, node: str | None, outcomes: list[str]
) -> None:
    row = execution("e", status=status, attempt=1, node=node, started_time=NOW)
    assert [one["outcome"] for one in attempts_of(row)] == outcomes


def test_nothing_is_told_of_what_was_never_claimed() -> None:
    assert attempts_of(execution("e", status=S.CANCELLED, node="n")) == []


def test_a_timeout_is_an_outcome_of_its_own() -> None:
    late = execution("e", status=S.FAILED, metrics={"timed_out": True}, error="TimeoutError: x")
    assert outcome_of(late) == "timed_out"
    # The first attempt took too long, and the last one failed otherwise.
    other = execution("e", status=S.FAILED, metrics={"timed_out": True}, error="ValueError: x")
    assert outcome_of(other) == "failed"
