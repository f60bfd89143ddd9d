"""Adding executions and reading them back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from advanced_scheduler import lifecycle
from advanced_scheduler.models import (
    ExecutionFilter,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    outline_of,
)
from advanced_scheduler.stores.base import Store

from .rows import DAY, MINUTE, NOW, blocked, by, done, execution, finish, ids, one, start


def test_an_id_is_added_once(store: Store) -> None:
    assert store.add([execution("a", task_name="first"), execution("b")]) == [True, True]
    assert store.add([execution("a", task_name="second"), execution("c")]) == [False, True]
    assert one(store, "a").task_name == "first"


def test_an_id_that_comes_twice_in_a_batch_is_added_once(store: Store) -> None:
    assert store.add([execution("a", task_name="first"), execution("a")]) == [True, False]
    assert one(store, "a").task_name == "first"


def test_adding_nothing_is_nothing(store: Store) -> None:
    assert store.add([]) == []
    assert store.get([]) == []
    assert store.apply([]) == []


def test_get_answers_in_the_order_asked_and_leaves_unknown_ids_out(store: Store) -> None:
    store.add([execution("a"), execution("b"), execution("c")])
    assert ids(store.get(["c", "unknown", "a"])) == ["c", "a"]


def test_a_row_comes_back_equal_in_every_field(store: Store) -> None:
    row = execution(
        "a",
        status=TaskStatus.FAILED,
        priority=TaskPriority.BACKGROUND,
        scheduled_time=NOW + timedelta(microseconds=1),
        started_time=NOW,
        completed_time=NOW + MINUTE,
        result={"n": [1, 2.5, None, "ü"]},
        error="boom",
        traceback_str="Traceback",
        retry_count=1,
        lock_id="lock",
        dependencies=(TaskDependency("u", "success", 2.5, "x"), TaskDependency("v")),
        metrics={"execution_time": 0.25},
        created_time=NOW - DAY,
        due_time=NOW + DAY,
        attempt=2,
        fence=3,
        crashes=1,
        node="node",
        lease_until=NOW + DAY,
        args=(1, "two", None),
        kwargs={"three": [3]},
        timeout=1.5,
        tags=("x", "y"),
        unique_key="key",
        workflow_id="run",
        schedule_id="schedule",
        blocked_by=frozenset({"x", "task:v"}),
        wait_until=NOW + MINUTE,
        queue="reports",
        rank=-1000,
        extras={"retry": {"max_attempts": 0}, "inputs": {"0": "x"}, "metadata": {"n": 1}},
        reason="reason",
        cause="cause",
    )
    plain = execution("b")
    store.add([row, plain])
    assert store.get(["a", "b"]) == [row, plain]
    assert types(one(store, "a")) == types(row)
    assert types(one(store, "b")) == types(plain)


def types(row: TaskExecution) -> dict[str, type]:
    """The type of each field."""
    return {name: type(getattr(row, name)) for name in TaskExecution.__slots__}


@pytest.mark.parametrize("result", [0, False, "", [], {}, 0.0])
def test_a_false_result_is_not_taken_for_none(store: Store, result: object) -> None:
    (row,) = start(store, execution("a"))
    store.apply([done(row, result=result)])
    stored = one(store, "a").result
    assert (stored, type(stored)) == (result, type(result))


def test_a_unique_key_is_taken_until_its_execution_ends(store: Store) -> None:
    (row,) = start(store, execution("a", unique_key="key"))
    assert store.add([execution("b", unique_key="key"), execution("c")]) == [False, True]
    holder = store.by_unique_key("key")
    assert holder is not None
    assert holder.execution_id == "a"

    store.apply([done(row)])
    assert store.by_unique_key("key") is None
    assert store.add([execution("d", unique_key="key")]) == [True]


def test_a_unique_key_that_comes_twice_in_a_batch_goes_to_the_first(store: Store) -> None:
    batch = [execution("a", unique_key="key"), execution("b", unique_key="key")]
    assert store.add(batch) == [True, False]


def test_newest_is_the_highest_id_of_each_task(store: Store) -> None:
    store.add([execution("a2"), execution("a1"), execution("b", task_id="u")])
    newest = store.newest(["t", "u", "unknown"])
    assert {task: row.execution_id for task, row in newest.items()} == {"t": "a2", "u": "b"}


def test_newest_falls_back_when_the_highest_id_was_pruned(store: Store) -> None:
    store.add([execution("a1", scheduled_time=NOW + DAY)])
    finish(store, start(store, execution("a2")))
    store.prune(keep=0, before=NOW + DAY, older_than=NOW, limit=10)
    assert store.newest(["t"])["t"].execution_id == "a1"
    store.add([execution("a0")])
    assert store.newest(["t"])["t"].execution_id == "a1"


def test_counts_follow_every_change(store: Store) -> None:
    low = TaskPriority.LOW
    running, _ = start(store, execution("a"), execution("b", priority=low))
    store.add([execution("c", scheduled_time=NOW + DAY)])
    store.apply([done(running), lifecycle.cancel(one(store, "b"), now=NOW)])
    assert present(store) == {
        (TaskStatus.COMPLETED, TaskPriority.NORMAL): 1,
        (TaskStatus.CANCELLED, low): 1,
        (TaskStatus.PENDING, TaskPriority.NORMAL): 1,
    }
    store.prune(keep=0, before=NOW + DAY, older_than=NOW, limit=10)
    assert present(store) == {(TaskStatus.PENDING, TaskPriority.NORMAL): 1}


def test_counts_of_some_statuses_and_of_what_has_not_ended_by_task(store: Store) -> None:
    start(store, execution("a"), execution("b", task_id="u"))
    store.add([execution("c"), execution("d", scheduled_time=NOW + DAY)])
    finish(store, store.get(["a"]))
    assert store.counts([TaskStatus.PENDING]) == {(TaskStatus.PENDING, TaskPriority.NORMAL): 2}
    assert store.counts([]) == {}
    assert store.waiting_tasks() == {"t": 2, "u": 1}


def present(store: Store) -> dict[tuple[TaskStatus, TaskPriority], int]:
    """The counts that are not zero."""
    return {key: number for key, number in store.counts().items() if number}


def test_find_pages_from_the_newest_on_by_cursor(store: Store) -> None:
    store.add([execution(f"e{n}") for n in range(5)])
    first = store.find(ExecutionFilter(limit=2))
    second = store.find(ExecutionFilter(limit=2, cursor=first[-1].execution_id))
    third = store.find(ExecutionFilter(limit=2, cursor=second[-1].execution_id))
    assert [ids(first), ids(second), ids(third)] == [["e4", "e3"], ["e2", "e1"], ["e0"]]


def test_a_page_is_not_disturbed_by_newer_rows(store: Store) -> None:
    store.add([execution("a"), execution("b"), execution("c")])
    (last,) = store.find(ExecutionFilter(limit=1))
    store.add([execution("d")])
    assert ids(store.find(ExecutionFilter(cursor=last.execution_id))) == ["b", "a"]


def test_outlines_are_of_the_page_that_find_answers(store: Store) -> None:
    store.add(
        [
            execution("a", tags=("x", "y"), workflow_id="run", reason="waits"),
            execution("b", error="no", metrics={"node": "before"}),
            execution("c", task_id="u"),
        ]
    )
    for query in (ExecutionFilter(), ExecutionFilter(cursor="c", limit=1)):
        assert store.outlines(query) == [outline_of(row) for row in store.find(query)]
    assert [one.tags for one in store.outlines(ExecutionFilter(cursor="b"))] == [("x", "y")]


def test_find_in_the_order_of_claims(store: Store) -> None:
    store.add(
        [
            execution("c"),
            execution("b"),
            execution("late", due_time=NOW + MINUTE),
            execution("first", priority=TaskPriority.CRITICAL, due_time=NOW + DAY),
            execution("ranked", rank=1, due_time=NOW + DAY),
        ]
    )
    found = store.find(ExecutionFilter(order="claim", limit=4))
    assert ids(found) == ["first", "ranked", "b", "c"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ExecutionFilter(task_id="u"), ["b"]),
        (ExecutionFilter(workflow_id="run"), ["c"]),
        (ExecutionFilter(schedule_id="s"), ["d"]),
        (ExecutionFilter(priority=TaskPriority.HIGH), ["e"]),
        (ExecutionFilter(queue="mail"), ["d"]),
        (ExecutionFilter(queue="default", limit=2), ["e", "c"]),
        (ExecutionFilter(statuses=frozenset({TaskStatus.RUNNING})), ["e"]),
        (
            ExecutionFilter(statuses=frozenset({TaskStatus.RUNNING, TaskStatus.PENDING}), limit=3),
            ["e", "d", "c"],
        ),
        (ExecutionFilter(statuses=frozenset()), []),
        (
            ExecutionFilter(task_id="t", statuses=frozenset({TaskStatus.RUNNING}), schedule_id="s"),
            [],
        ),
    ],
)
def test_find_filters(store: Store, query: ExecutionFilter, found: list[str]) -> None:
    store.add(
        [
            execution("a"),
            execution("b", task_id="u"),
            execution("c", workflow_id="run"),
            execution("d", schedule_id="s", queue="mail"),
            execution("e", priority=TaskPriority.HIGH),
        ]
    )
    store.claim(by(limit=1))
    assert ids(store.find(query)) == found


def test_blocked_rows_are_found_with_what_blocks_them(store: Store) -> None:
    store.add([blocked("a", "x", "y"), execution("b")])
    assert [row.blocked_by for row in store.find(ExecutionFilter())] == [
        frozenset(),
        frozenset({"x", "y"}),
    ]


def test_thousands_of_ids_fit_one_call(store: Store) -> None:
    many = [f"e{n:05}" for n in range(40_000)]
    assert all(store.add([execution(one_id) for one_id in many]))
    assert ids(store.get(many)) == many
    assert store.extend("node", dict.fromkeys(many, 1), NOW) == set()
