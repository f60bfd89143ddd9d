"""What the end of its dependencies makes of a blocked execution."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.dag import resolve
from advanced_scheduler.models import (
    DEPENDENCY_TYPES,
    DependencyType,
    TaskDependency,
    TaskExecution,
    TaskStatus,
)
from tests.contract.rows import NOW, SECOND, execution

S = TaskStatus
MET = {
    ("completion", S.COMPLETED),
    ("completion", S.FAILED),
    ("success", S.COMPLETED),
    ("failure", S.FAILED),
}


def needing(*dependencies: TaskDependency, **fields: Any) -> TaskExecution:
    """A blocked execution of the task ``d``, created at ``NOW``."""
    limits = [one.timeout for one in dependencies if one.timeout is not None]
    defaults: dict[str, Any] = {
        "task_id": "d",
        "created_time": NOW,
        "blocked_by": frozenset(one.key for one in dependencies),
        "wait_until": NOW + timedelta(seconds=min(limits)) if limits else None,
    }
    return execution("e-d", dependencies=dependencies, **{**defaults, **fields})


def on(task_id: str, kind: DependencyType = "success", timeout: float | None = None) -> Any:
    """A dependency on the run ``e-<task id>``."""
    return TaskDependency(task_id, kind, timeout, f"e-{task_id}")


def run_of(task_id: str) -> TaskExecution:
    """A running execution ``e-<task id>``."""
    return execution(f"e-{task_id}", task_id=task_id, status=S.RUNNING)


def ended(task_id: str, status: TaskStatus, **fields: Any) -> TaskExecution:
    """The run ``e-<task id>`` after its end, as the state machine leaves it."""
    row = run_of(task_id)
    if status is S.COMPLETED:
        return lifecycle.complete(row, result=1, metrics={}, now=NOW).on(row)
    if status is S.FAILED:
        return lifecycle.fail(row, error="ValueError: x", now=NOW).on(row)
    if status is S.CANCELLED:
        return lifecycle.cancel(row, now=NOW).on(row)
    return execution(row.execution_id, task_id=task_id, status=status, **fields)


def skipped(row: TaskExecution, *upstreams: TaskExecution) -> TaskExecution:
    """The row after these ends, which must have it skipped."""
    transition = resolve(row, {one.execution_id: one for one in upstreams}, NOW)
    assert transition is not None
    assert transition.target is S.SKIPPED
    return transition.on(row)


@pytest.mark.parametrize("kind", DEPENDENCY_TYPES)
@pytest.mark.parametrize("status", sorted(lifecycle.FINAL))
def test_each_type_is_met_by_the_states_it_names(kind: DependencyType, status: TaskStatus) -> None:
    row = needing(on("a", kind))
    transition = resolve(row, {"e-a": ended("a", status)}, NOW)
    if (kind, status) in MET:
        assert transition == lifecycle.unblock(row, settled=frozenset({"e-a"}))
    else:
        assert transition is not None
        assert transition.target is S.SKIPPED


def test_nothing_changes_until_something_ends() -> None:
    assert resolve(needing(on("a"), on("b")), {}, NOW) is None


def test_the_end_of_something_else_changes_nothing() -> None:
    assert resolve(needing(on("a")), {"e-z": ended("z", S.FAILED)}, NOW) is None


def test_one_of_two_that_is_met_is_taken_off() -> None:
    row = needing(on("a"), on("b"))
    transition = resolve(row, {"e-a": ended("a", S.COMPLETED)}, NOW)
    assert transition is not None
    assert transition.on(row).blocked_by == {"e-b"}


def test_a_dependency_that_was_taken_off_before_is_not_judged_again() -> None:
    row = needing(on("a"), on("b"), blocked_by=frozenset({"e-b"}))
    upstreams = {"e-a": ended("a", S.FAILED), "e-b": ended("b", S.COMPLETED)}
    assert resolve(row, upstreams, NOW) == lifecycle.unblock(row, settled=frozenset({"e-b"}))


def test_two_dependencies_on_one_run_must_both_be_met() -> None:
    row = skipped(needing(on("a", "completion"), on("a", "failure")), ended("a", S.COMPLETED))
    assert row.reason == "dependency 'a' completed, but had to fail"


def test_a_task_without_a_run_is_waited_for_under_its_own_key() -> None:
    row = needing(TaskDependency("a", "success"))
    assert row.blocked_by == {"task:a"}
    transition = resolve(row, {"task:a": ended("a", S.COMPLETED)}, NOW)
    assert transition is not None
    assert transition.on(row).blocked_by == frozenset()


def test_one_that_cannot_be_met_outweighs_one_that_is() -> None:
    row = needing(on("a"), on("b"))
    assert skipped(row, ended("a", S.COMPLETED), ended("b", S.FAILED)).reason == (
        "dependency 'b' failed, but had to succeed: task 'b' (execution e-b) failed: ValueError: x"
    )


# --- reasons and roots --------------------------------------------------------------------------


def test_a_chain_of_skipped_executions_names_the_root_to_its_end() -> None:
    upstream = ended("a", S.FAILED)
    for task_id in ("b", "c", "z"):
        above = TaskDependency(upstream.task_id, "success", None, upstream.execution_id)
        row = execution(
            f"e-{task_id}",
            task_id=task_id,
            dependencies=(above,),
            blocked_by=frozenset({above.key}),
        )
        upstream = skipped(row, upstream)
    root = "task 'a' (execution e-a) failed: ValueError: x"
    assert upstream.reason == upstream.error == f"dependency 'c' was skipped: {root}"
    assert upstream.cause == root


@pytest.mark.parametrize(
    ("kind", "status", "reason", "cause"),
    [
        (
            "completion",
            S.CANCELLED,
            "dependency 'a' was cancelled: task 'a' (execution e-a) was cancelled",
            "task 'a' (execution e-a) was cancelled",
        ),
        (
            "failure",
            S.COMPLETED,
            "dependency 'a' completed, but had to fail",
            "task 'a' (execution e-a) completed, but had to fail",
        ),
        (
            "completion",
            S.SKIPPED,
            "dependency 'a' was skipped",
            "task 'a' (execution e-a) was skipped",
        ),
    ],
)
def test_a_reason_says_what_became_of_the_dependency(
    kind: DependencyType, status: TaskStatus, reason: str, cause: str
) -> None:
    row = skipped(needing(on("a", kind)), ended("a", status))
    assert (row.reason, row.cause) == (reason, cause)


@pytest.mark.parametrize("kind", DEPENDENCY_TYPES)
def test_a_dependency_that_the_history_lost_meets_nothing(kind: DependencyType) -> None:
    row = needing(on("a", kind))
    transition = resolve(row, {"e-a": None}, NOW)
    assert transition is not None
    assert transition.changes["reason"] == "dependency 'a' is gone from the history"


# --- time-outs ------------------------------------------------------------------------------------


def test_a_dependency_that_does_not_end_in_time_has_the_row_skipped() -> None:
    row = needing(on("a"), on("b", timeout=90), on("c", timeout=200))
    assert resolve(row, {}, NOW + 89 * SECOND) is None
    transition = resolve(row, {}, NOW + 90 * SECOND)
    assert transition is not None
    assert transition.target is S.SKIPPED
    assert transition.changes["reason"] == "dependency 'b' did not end within 90 s"
    assert transition.changes["cause"] == "task 'b' did not end within 90 s"


def test_the_time_of_a_wait_counts_from_when_the_row_was_created() -> None:
    row = needing(on("a", timeout=10), scheduled_time=NOW + 500 * SECOND)
    transition = resolve(row, {}, NOW + 10 * SECOND)
    assert transition is not None
    assert transition.target is S.SKIPPED


def test_an_end_that_is_seen_after_the_time_still_counts() -> None:
    row = needing(on("a", timeout=10))
    transition = resolve(row, {"e-a": ended("a", S.COMPLETED)}, NOW + 11 * SECOND)
    assert transition is not None
    assert transition.target is S.PENDING
    assert transition.on(row).blocked_by == frozenset()


def test_a_row_waits_no_longer_for_the_time_of_a_dependency_that_was_met() -> None:
    row = needing(on("a", timeout=10), on("b", timeout=60), on("c"))
    first = resolve(row, {"e-a": ended("a", S.COMPLETED)}, NOW)
    assert first is not None
    row = first.on(row)
    assert row.wait_until == NOW + 60 * SECOND
    second = resolve(row, {"e-b": ended("b", S.COMPLETED)}, NOW)
    assert second is not None
    row = second.on(row)
    assert row.wait_until is None
    assert row.blocked_by == {"e-c"}


def test_a_limit_that_no_longer_counts_is_corrected() -> None:
    # Two nodes that settle two dependencies at once may each leave the other's limit.
    row = needing(on("a", timeout=10), on("b"), blocked_by=frozenset({"e-b"}))
    transition = resolve(row, {}, NOW + 20 * SECOND)
    assert transition is not None
    assert (transition.target, transition.on(row).wait_until) == (S.PENDING, None)
    assert resolve(transition.on(row), {}, NOW + 20 * SECOND) is None
