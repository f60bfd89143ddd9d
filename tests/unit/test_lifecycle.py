"""The state machine: every arrow, no other, and what each of them writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.errors import IllegalTransition
from advanced_scheduler.lifecycle import CLAIMABLE, FINAL, NEXT, Transition
from advanced_scheduler.models import (
    EXECUTION_FIELDS,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
)
from tests.contract.rows import MINUTE, NOW, execution

S = TaskStatus
LATER = NOW + timedelta(minutes=5)
FAILURE = "failure"

TABLE = """
PENDING  -> RUNNING, CANCELLED, SKIPPED, PENDING
RUNNING  -> COMPLETED, FAILED, RETRYING, CANCELLED, PENDING
RETRYING -> RUNNING, CANCELLED
"""
ARROWS = {
    (TaskStatus[source.strip()], TaskStatus[target.strip()])
    for source, targets in (line.split("->") for line in TABLE.strip().splitlines())
    for target in targets.split(",")
}

RUNNING = execution(
    "e",
    task_id="t",
    status=S.RUNNING,
    attempt=2,
    retry_count=1,
    fence=4,
    crashes=1,
    node="n",
    lease_until=NOW + MINUTE,
    started_time=NOW,
    unique_key="u",
    metrics={"old": 1},
    error="earlier",
    traceback_str="earlier",
)
PENDING = execution("e", task_id="t", fence=4, unique_key="u", blocked_by=frozenset({"a", "b"}))

LEAVING: dict[str, Callable[[TaskExecution], Transition]] = {
    "complete": lambda row: lifecycle.complete(row, result=1, metrics={"m": 1}, now=LATER),
    "fail": lambda row: lifecycle.fail(row, error="ValueError: x", now=LATER),
    "retry": lambda row: lifecycle.retry(row, error="ValueError: x", at=LATER),
    "give_back": lambda row: lifecycle.give_back(row, due=LATER, reason="drain"),
    "recover": lambda row: lifecycle.recover(row, now=LATER, max_crashes=3),
    "recover, too often": lambda row: lifecycle.recover(row, now=LATER, max_crashes=1),
}
WAITING: dict[str, Callable[[TaskExecution], Transition]] = {
    "skip": lambda row: lifecycle.skip(row, reason="r", cause="c", now=LATER),
    "unblock": lambda row: lifecycle.unblock(row, settled=frozenset({"a"})),
    "expedite": lambda row: lifecycle.expedite(row, due=LATER),
    "reorder": lambda row: lifecycle.reorder(row, priority=TaskPriority.HIGH, rank=7),
}
ALL: dict[str, Callable[[TaskExecution], Transition]] = {
    **LEAVING,
    **WAITING,
    "cancel": lambda row: lifecycle.cancel(row, now=LATER),
}


def changed(before: TaskExecution, after: TaskExecution) -> dict[str, Any]:
    """The fields in which two rows differ."""
    return {
        name: getattr(after, name)
        for name in EXECUTION_FIELDS
        if getattr(after, name) != getattr(before, name)
    }


# --- the table ------------------------------------------------------------------------------------


def test_the_table_is_that_of_the_design() -> None:
    assert {(source, target) for source in NEXT for target in NEXT[source]} == ARROWS
    assert NEXT.keys() == set(S)


def test_what_is_final_and_what_can_be_claimed_follows_from_it() -> None:
    assert {S.COMPLETED, S.FAILED, S.CANCELLED, S.SKIPPED} == FINAL
    assert {S.PENDING, S.RETRYING} == CLAIMABLE


@pytest.mark.parametrize(("source", "target"), sorted(product(S, S)))
def test_a_transition_can_be_built_for_an_arrow_of_the_table_alone(
    source: TaskStatus, target: TaskStatus
) -> None:
    def build() -> Transition:
        return Transition(execution_id="e", fence=None, sources=frozenset({source}), target=target)

    if (source, target) in ARROWS:
        assert build().target is target
    else:
        with pytest.raises(IllegalTransition, match=rf"from {source} to {target} \(execution e\)"):
            build()


def test_a_transition_does_not_change_into_one_that_is_not_in_the_table() -> None:
    end = lifecycle.complete(RUNNING, result=None, metrics={}, now=NOW)
    assert end._replace(target=S.FAILED).target is S.FAILED
    with pytest.raises(IllegalTransition, match="from running to skipped"):
        end._replace(target=S.SKIPPED)
    with pytest.raises(AttributeError):
        end.target = S.SKIPPED  # type: ignore[misc]


def test_one_wrong_source_spoils_a_transition() -> None:
    with pytest.raises(IllegalTransition, match="from completed to cancelled"):
        Transition(
            execution_id="e",
            fence=None,
            sources=frozenset({S.RUNNING, S.COMPLETED}),
            target=S.CANCELLED,
        )


def test_every_arrow_but_the_claim_has_a_function() -> None:
    drawn = {
        (source, transition.target)
        for make in ALL.values()
        for transition in [make(RUNNING)]
        for source in transition.sources
    }
    assert drawn | {(source, S.RUNNING) for source in CLAIMABLE} == ARROWS


# --- compare and set ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("status", S)
def test_a_transition_fits_its_sources_alone(name: str, status: TaskStatus) -> None:
    transition = ALL[name](RUNNING)
    assert transition.fits(status, RUNNING.fence) == (status in transition.sources)


@pytest.mark.parametrize("name", LEAVING)
def test_only_the_holder_of_the_fence_settles_what_runs(name: str) -> None:
    transition = LEAVING[name](RUNNING)
    assert transition.sources == {S.RUNNING}
    assert transition.fits(S.RUNNING, 4)
    assert not transition.fits(S.RUNNING, 5)


def test_a_cancellation_needs_no_fence() -> None:
    transition = lifecycle.cancel(RUNNING, now=LATER)
    assert all(transition.fits(status, 99) for status in (S.PENDING, S.RUNNING, S.RETRYING))


@pytest.mark.parametrize("name", LEAVING)
def test_who_stops_running_is_held_by_nobody(name: str) -> None:
    after = LEAVING[name](RUNNING).on(RUNNING)
    assert after.lease_until is None
    assert after.node == ("n" if after.status in FINAL else None)  # who ran it
    assert after.fence == RUNNING.fence


@pytest.mark.parametrize("name", ALL)
def test_an_end_has_a_time_and_frees_the_unique_key(name: str) -> None:
    before = PENDING if name in WAITING else RUNNING
    after = ALL[name](before).on(before)
    if after.status in FINAL:
        assert (after.completed_time, after.unique_key) == (LATER, None)
    else:
        assert (after.completed_time, after.unique_key) == (None, "u")


# --- what each arrow writes -----------------------------------------------------------------------


def test_a_claim_counts_an_attempt_and_raises_the_fence() -> None:
    row = execution("e", status=S.RETRYING, attempt=1, fence=6, reason="retry 1 after: x")
    until = NOW + MINUTE
    after = row.with_changes(lifecycle.claim(row, node="n", now=NOW, lease_until=until))
    assert changed(row, after) == {
        "status": S.RUNNING,
        "attempt": 2,
        "fence": 7,
        "node": "n",
        "lease_until": until,
        "started_time": NOW,
        "reason": None,
    }


def test_a_completion_forgets_the_errors_of_earlier_attempts() -> None:
    after = LEAVING["complete"](RUNNING).on(RUNNING)
    assert changed(RUNNING, after) == {
        "status": S.COMPLETED,
        "result": 1,
        "metrics": {"old": 1, "m": 1},
        "completed_time": LATER,
        "unique_key": None,
        "lease_until": None,
        "error": None,
        "traceback_str": None,
    }


def test_a_failure_says_what_it_is_the_cause_of() -> None:
    after = lifecycle.fail(
        RUNNING, error="ValueError: x", traceback_str="tb", metrics={"m": 2}, now=LATER
    ).on(RUNNING)
    assert after.status is S.FAILED
    assert (after.error, after.traceback_str, after.metrics) == (
        "ValueError: x",
        "tb",
        {"old": 1, "m": 2},
    )
    assert after.cause == "task 't' (execution e) failed: ValueError: x"
    assert LEAVING["fail"](RUNNING).on(RUNNING).metrics == {"old": 1}


def test_a_retry_is_a_new_attempt_of_the_same_execution() -> None:
    after = LEAVING["retry"](RUNNING).on(RUNNING)
    assert after.status is S.RETRYING
    assert (after.due, after.scheduled_time) == (LATER, NOW)
    assert (after.attempt, after.retry_count) == (2, 2)
    assert after.reason == "retry 2 after: ValueError: x"


def test_giving_back_refunds_the_attempt_and_not_the_fence() -> None:
    after = LEAVING["give_back"](RUNNING).on(RUNNING)
    assert after.status is S.PENDING
    assert (after.attempt, after.retry_count, after.fence) == (1, 1, 4)
    assert (after.due, after.reason) == (LATER, "drain")


def test_a_crash_costs_an_attempt_and_is_counted() -> None:
    after = LEAVING["recover"](RUNNING).on(RUNNING)
    assert after.status is S.PENDING
    assert (after.attempt, after.retry_count, after.crashes) == (2, 2, 2)
    assert after.due == LATER
    assert after.reason == "node n was lost during attempt 2 (its lease ran out)"


def test_one_crash_too_many_is_a_failure() -> None:
    after = LEAVING["recover, too often"](RUNNING).on(RUNNING)
    assert (after.status, after.crashes) == (S.FAILED, 2)
    assert after.error is not None
    assert after.error.startswith("node n was lost during attempt 2 (its lease ran out); ")
    assert "max_crashes=1" in after.error
    assert after.cause == f"task 't' (execution e) failed: {after.error}"


def test_what_runs_at_most_once_fails_with_its_node() -> None:
    row = RUNNING.with_changes({"at_most_once": True})
    after = lifecycle.recover(row, now=LATER, max_crashes=3).on(row)
    assert (after.status, after.crashes) == (S.FAILED, 2)
    assert after.error is not None
    assert after.error.endswith("(its lease ran out); the task runs at most once")


@pytest.mark.parametrize("name", ["skip", "cancel"])
def test_who_will_not_run_waits_for_nothing_any_more(name: str) -> None:
    after = ALL[name](PENDING).on(PENDING)
    assert after.blocked_by == frozenset()


def test_a_skipped_execution_keeps_reason_and_root() -> None:
    after = WAITING["skip"](PENDING).on(PENDING)
    assert after.status is S.SKIPPED
    assert (after.reason, after.error, after.cause) == ("r", "r", "c")


def test_a_cancellation_says_by_whom_and_is_a_cause() -> None:
    after = lifecycle.cancel(PENDING, now=LATER, reason="too late").on(PENDING)
    assert after.status is S.CANCELLED
    assert after.reason == "too late"
    assert after.cause == "task 't' (execution e) was cancelled"


def test_dependencies_settle_in_any_order_and_twice() -> None:
    # Both transitions are made from the same old row, as two nodes would.
    first = lifecycle.unblock(PENDING, settled=frozenset({"a"}))
    second = lifecycle.unblock(PENDING, settled=frozenset({"b"}))
    assert first.on(PENDING).blocked_by == {"b"}
    for order in ((first, second), (second, first), (first, second, first)):
        row = PENDING
        for transition in order:
            assert transition.fits(row.status, row.fence)
            row = transition.on(row)
        assert changed(PENDING, row) == {"blocked_by": frozenset()}


def test_expediting_changes_the_due_time_alone() -> None:
    after = WAITING["expedite"](PENDING).on(PENDING)
    assert changed(PENDING, after) == {"due_time": LATER}


def test_reordering_changes_priority_and_rank_alone() -> None:
    after = WAITING["reorder"](PENDING).on(PENDING)
    assert changed(PENDING, after) == {"priority": TaskPriority.HIGH, "rank": 7}


def test_an_annotation_writes_columns_and_never_the_status() -> None:
    plain = LEAVING["complete"](RUNNING)
    marked = lifecycle.annotate(plain, lock_id="l", status=S.FAILED)
    assert changed(plain.on(RUNNING), marked.on(RUNNING)) == {"lock_id": "l"}
    assert (marked.sources, marked.fence) == (plain.sources, plain.fence)


@pytest.mark.parametrize("name", ALL)
def test_a_transition_writes_only_fields_that_exist(name: str) -> None:
    assert ALL[name](RUNNING).changes.keys() <= set(EXECUTION_FIELDS)


@pytest.mark.parametrize(
    ("dependencies", "keys", "need"),
    [
        ((), "", None),
        (
            (TaskDependency("t", "failure", 5, "a"), TaskDependency("u", "failure", 5)),
            "a",
            "failure",
        ),
        ((TaskDependency("t", "failure", 5, "a"), TaskDependency("u", "failure")), "a", None),
        ((TaskDependency("t", "failure", 5, "a"), TaskDependency("u", "success", 5)), "a", None),
        ((TaskDependency("t", execution_id="a"),), "ab", None),
        ((), "a", None),
        ((TaskDependency("t", execution_id="a"),), "", None),
    ],
)
def test_a_need_is_plain_if_an_end_can_be_judged_without_the_row(
    dependencies: tuple[TaskDependency, ...], keys: str, need: str | None
) -> None:
    row = execution("e", dependencies=dependencies, blocked_by=frozenset(keys))
    assert lifecycle.plain_need(row) == need
