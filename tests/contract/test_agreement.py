"""Whatever is done to a store, every backend gives the same answers and holds the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from advanced_scheduler import lifecycle
from advanced_scheduler.errors import ScheduleExists
from advanced_scheduler.lifecycle import CLAIMABLE, Transition
from advanced_scheduler.models import (
    DEPENDENCY_TYPES,
    DependencyType,
    ExecutionFilter,
    Schedule,
    ScheduleFilter,
    TaskDependency,
    TaskExecution,
    TaskPriority,
    TaskStatus,
    Total,
    task_key,
)
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.base import Claim, Store
from tests.support.stores import BACKENDS, NewUrl

from .rows import EVER, NOW, SECOND, firing, schedule, tick

T = TypeVar("T")

pytestmark = pytest.mark.timeout(900)  # a failure takes minutes to be made small

EXECUTIONS = [f"e{n}" for n in range(8)]
TASKS = ["t", "u"]
SCHEDULES = ["s1", "s2"]
QUEUES = ["default", "mail"]
NAMES = ["nightly", "daily"]
SOON = st.integers(-3, 3)

blockers = st.frozensets(st.sampled_from([*EXECUTIONS, *map(task_key, TASKS)]), max_size=2)
new_executions = st.builds(
    TaskExecution,
    execution_id=st.sampled_from(EXECUTIONS),
    task_id=st.sampled_from(TASKS),
    task_name=st.just("T"),
    priority=st.sampled_from(TaskPriority),
    scheduled_time=SOON.map(lambda seconds: NOW + seconds * SECOND),
    due_time=st.none() | SOON.map(lambda seconds: NOW + seconds * SECOND),
    wait_until=st.none() | SOON.map(lambda seconds: NOW + seconds * SECOND),
    unique_key=st.none() | st.sampled_from("xy"),
    workflow_id=st.none() | st.just("w"),
    schedule_id=st.none() | st.just("s1"),
    blocked_by=st.just(frozenset()) | blockers,
    queue=st.sampled_from(QUEUES),
    rank=st.sampled_from([0, 0, -1000, 1, 1000]),
    extras=st.just({}) | st.just({"metadata": {"n": [1]}}),
    args=st.just(()) | st.just((1, "x")),
    dependencies=st.just(()) | st.just((TaskDependency("t", "success", 1.5),)),
)


def needing(row: TaskExecution, kind: DependencyType) -> TaskExecution:
    """The row, with a dependency of this type for each key that blocks it."""
    keys = sorted(row.blocked_by)
    named = ((key.removeprefix(task_key("")), key) for key in keys)
    return replace(
        row,
        dependencies=tuple(
            TaskDependency(task, kind, execution_id=None if task != key else key)
            for task, key in named
        ),
    )


new_executions |= st.builds(needing, new_executions, st.sampled_from(DEPENDENCY_TYPES))
queries = st.builds(
    ExecutionFilter,
    statuses=st.none() | st.frozensets(st.sampled_from(TaskStatus)),
    task_id=st.none() | st.sampled_from(TASKS),
    workflow_id=st.none() | st.just("w"),
    schedule_id=st.none() | st.just("s1"),
    priority=st.none() | st.sampled_from(TaskPriority),
    queue=st.none() | st.sampled_from(QUEUES),
    order=st.sampled_from(["newest", "claim"]),
    cursor=st.none() | st.sampled_from(EXECUTIONS),
    limit=st.integers(1, 4),
)
schedule_queries = st.builds(
    ScheduleFilter,
    name=st.none() | st.sampled_from(NAMES),
    event=st.none() | st.just("upload"),
    task_id=st.none() | st.sampled_from(TASKS),
    cursor=st.none() | st.sampled_from(SCHEDULES),
    limit=st.none() | st.integers(1, 2),
)
arrows = st.sampled_from(
    [
        *("complete", "fail", "retry", "give_back", "recover"),
        *("cancel", "skip", "unblock", "expedite", "reorder"),
    ]
)


def transition(arrow: str, row: TaskExecution, at: Any, keys: frozenset[str]) -> Transition:
    """The arrow of that name, from the row as it was once seen."""
    make: dict[str, Callable[[], Transition]] = {
        "complete": lambda: lifecycle.complete(row, result=[1], metrics={"n": 1}, now=at),
        "fail": lambda: lifecycle.fail(row, error="boom", now=at),
        "retry": lambda: lifecycle.retry(row, error="boom", at=at),
        "give_back": lambda: lifecycle.give_back(row, due=at, reason="busy"),
        "recover": lambda: lifecycle.recover(row, now=at, max_crashes=1),
        "cancel": lambda: lifecycle.cancel(row, now=at),
        "skip": lambda: lifecycle.skip(row, reason="r", cause="c", now=at),
        "unblock": lambda: lifecycle.unblock(row, settled=keys),
        "expedite": lambda: lifecycle.expedite(row, due=at),
        "reorder": lambda: lifecycle.reorder(row, priority=TaskPriority.HIGH, rank=at.second % 3),
    }
    return make[arrow]()


def put(store: Store, edited: Schedule, expected: Schedule | None) -> bool | str:
    """Whether it was put, or why its name cannot be had."""
    try:
        return store.put(edited, expected=expected)
    except ScheduleExists as error:
        return str(error)


def some(counts: dict[T, Any]) -> dict[T, Any]:
    """The counts without those that may be left out."""
    return {key: count for key, count in counts.items() if count not in (0, Total())}


class StoresAgree(RuleBasedStateMachine):
    """Drives all backends side by side."""

    request: ClassVar[pytest.FixtureRequest]

    def __init__(self) -> None:
        super().__init__()
        self._now = self._ledger_from = NOW
        self._seen: dict[str, list[TaskExecution]] = {one: [] for one in EXECUTIONS}
        self._stores: dict[str, Store] = {}

    @initialize()
    def open_all(self) -> None:
        """Open one store of each kind, and give each the same schedules."""
        new_url: NewUrl = self.request.getfixturevalue("new_url")
        for name in BACKENDS:
            self._stores[name] = store = open_store(new_url(name), auto_migrate=True)
            store.open()
            for one in SCHEDULES:
                store.put(schedule(one), expected=None)

    def teardown(self) -> None:
        """Release the files and connections."""
        for store in self._stores.values():
            store.close()

    def same(self, ask: Callable[[Store], T]) -> T:
        """The answer that all stores give."""
        answers = {name: ask(store) for name, store in self._stores.items()}
        first = answers["memory"]
        assert answers == dict.fromkeys(answers, first)
        return first

    def claim_by(self, node: str, limit: int, **wanted: Any) -> Claim:
        """A claim with a lease of two seconds."""
        lease = self._now + 2 * SECOND
        return Claim(node=node, limit=limit, now=self._now, lease_until=lease, **wanted)

    def moves(self, wanted: list[tuple[str, str, int, frozenset[str]]]) -> list[Transition]:
        """Transitions from rows as they were seen, now or once."""
        found = []
        for arrow, one, ago, keys in wanted:
            if self._seen[one]:
                row = self._seen[one][-1 - min(ago, len(self._seen[one]) - 1)]
                found.append(transition(arrow, row, self._now, keys))
        return found

    wanted_moves = st.lists(
        st.tuples(arrows, st.sampled_from(EXECUTIONS), st.integers(0, 2), blockers), max_size=4
    )
    nodes = st.sampled_from(["n1", "n2"])
    wanted_work = st.fixed_dictionaries(
        {
            "exclude": st.frozensets(st.sampled_from(TASKS), max_size=1),
            "queues": st.none() | st.frozensets(st.sampled_from(QUEUES)),
        }
    )

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        """Time goes by."""
        self._now += timedelta(seconds=seconds)

    @rule(rows=st.lists(new_executions, max_size=4))
    def add(self, rows: list[TaskExecution]) -> None:
        """Some are new, some are known."""
        self.same(lambda store: store.add(rows))

    @rule(node=nodes, limit=st.integers(0, 4), work=wanted_work)
    def claim(self, node: str, limit: int, work: dict[str, Any]) -> None:
        """Take work."""
        self.same(lambda store: store.claim(self.claim_by(node, limit, **work)))

    @rule(wanted=wanted_moves)
    def apply(self, wanted: list[tuple[str, str, int, frozenset[str]]]) -> None:
        """Some moves are late."""
        moves = self.moves(wanted)
        self.same(lambda store: store.apply(moves))

    @rule(wanted=wanted_moves, node=nodes, limit=st.integers(0, 4), work=wanted_work)
    def exchange(
        self,
        wanted: list[tuple[str, str, int, frozenset[str]]],
        node: str,
        limit: int,
        work: dict[str, Any],
    ) -> None:
        """The round trip of a dispatcher."""
        moves, claim = self.moves(wanted), self.claim_by(node, limit, **work)

        def ask(store: Store) -> list[list[Any]]:
            answer = store.exchange(moves, claim)
            parts = (answer.applied, answer.claimed, answer.waiting, answer.unblocked)
            return [list(part) for part in parts]

        self.same(ask)

    @rule(node=nodes, fences=st.dictionaries(st.sampled_from(EXECUTIONS), st.integers(1, 3)))
    def extend(self, node: str, fences: dict[str, int]) -> None:
        """A heartbeat."""
        self.same(lambda store: store.extend(node, fences, self._now + 2 * SECOND))

    @rule(keep=st.integers(0, 3), ago=SOON, older=SOON, limit=st.integers(0, 3))
    def prune(self, keep: int, ago: int, older: int, limit: int) -> None:
        """The history is trimmed."""
        before, older_than = self._now + ago * SECOND, self._now + (older - 5) * SECOND
        self._ledger_from = max(self._ledger_from, older_than)
        self.same(
            lambda store: store.prune(keep=keep, before=before, older_than=older_than, limit=limit)
        )

    edits = st.fixed_dictionaries(
        {
            "paused": st.booleans(),
            "name": st.none() | st.sampled_from(NAMES),
            "task_id": st.sampled_from(TASKS),
            "run_count": st.integers(0, 1),
        }
    )

    @rule(
        one=st.sampled_from(SCHEDULES),
        fields=edits,
        version=st.integers(0, 3),
        waits=st.booleans(),
        known=st.none() | SOON,
    )
    def edit(
        self, one: str, fields: dict[str, Any], version: int, waits: bool, known: int | None
    ) -> None:
        """A schedule is edited, from a version or a next fire time that may be outdated."""
        edited = schedule(one, **fields, version=version + 1, next_fire_time=self._now)
        if waits:
            edited = replace(edited, next_fire_time=None, event="upload")
        seen = edited if known is None else replace(edited, next_fire_time=NOW + known * SECOND)
        for now in self._stores["memory"].schedules([one]) if known is None else ():
            seen = now
            edited = replace(edited, last_fire_time=now.last_fire_time)
        expected = replace(seen, version=version) if version else None
        self.same(lambda store: put(store, edited, expected))

    @rule(one=st.sampled_from(SCHEDULES))
    def remove(self, one: str) -> None:
        """A schedule goes."""
        self.same(lambda store: store.remove(one))

    @rule(
        picks=st.lists(
            st.tuples(
                st.sampled_from(SCHEDULES),
                st.integers(0, 2),
                st.none() | new_executions,
                st.booleans(),
                st.sampled_from([True, True, True, False]),
            ),
            max_size=3,
        )
    )
    def fire(self, picks: list[tuple[str, int, TaskExecution | None, bool, bool]]) -> None:
        """Some firings are late, some would add what is known, some are by hand."""
        known = {one.schedule_id: one for one in self.same(lambda store: store.schedules())}
        firings = []
        for name, ahead, row, by_hand, sees_last in picks:
            seen = known.get(name, schedule(name))
            expected = seen.next_fire_time and seen.next_fire_time + ahead * SECOND
            instant = (expected or self._now) + ahead * SECOND
            step = firing(
                name,
                version=seen.version,
                last=seen.last_fire_time if sees_last else NOW,
                next_fire_time=expected and expected + SECOND,
                ticks=[tick(name, instant, execution_id=row.execution_id if row else None)],
                executions=[row] if row else [],
                by_hand=by_hand,
            )
            firings.append(replace(step, expected=expected))
        self.same(lambda store: store.fire(firings))

    @rule(query=schedule_queries)
    def find_schedules(self, query: ScheduleFilter) -> None:
        """A page of schedules."""
        self.same(lambda store: store.find_schedules(query))

    @rule(query=queries)
    def find(self, query: ExecutionFilter) -> None:
        """A page."""
        self.same(lambda store: store.find(query))

    @rule(keys=blockers, limit=st.integers(1, 3))
    def ask(self, keys: frozenset[str], limit: int) -> None:
        """What the housekeeper asks."""
        self.same(lambda store: store.dependents(keys))
        self.same(lambda store: store.stranded(self._now, limit))
        page = self.same(lambda store: store.expired(self._now, limit))
        if page:
            self.same(lambda store: store.expired(self._now, limit, page[-1]))
        self.same(lambda store: store.due(self._now, limit))

    @invariant()
    def all_rows_agree(self) -> None:
        """Every row, index and ledger."""
        if not self._stores:
            return
        rows = self.same(lambda store: store.get(EXECUTIONS))
        for row in rows:
            if not self._seen[row.execution_id] or self._seen[row.execution_id][-1] != row:
                self._seen[row.execution_id].append(row)
        self.same(lambda store: store.counts())
        self.same(lambda store: store.counts(CLAIMABLE))
        self.same(lambda store: store.waiting_tasks())
        self.same(lambda store: store.newest(TASKS))
        self.same(lambda store: [store.by_unique_key(key) for key in "xy"])
        self.same(lambda store: (store.next_due(), store.next_fire()))
        self.same(lambda store: store.schedules())
        self.same(lambda store: some(store.schedule_counts()))
        self.same(lambda store: [store.versions(one) for one in SCHEDULES])
        self.same(lambda store: [some(store.totals(one)) for one in SCHEDULES])
        since = self._ledger_from  # how fast older ticks go is up to the store
        self.same(lambda store: [store.ticks(one, since, EVER) for one in SCHEDULES])
        self.same(lambda store: some(store.tick_counts(since, EVER)))


@pytest.fixture(autouse=True, scope="module")
def lend_fixtures(request: pytest.FixtureRequest) -> None:
    """The machine is a unittest and so cannot ask for any."""
    StoresAgree.request = request


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
