"""Owns the nodes of a simulation, and what chance may do to them and ask of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from ..clock import ManualClock
from ..config import Settings
from ..engine.new_schedules import Edit
from ..errors import InvalidTrigger, StoreUnavailable
from ..models import (
    MisfirePolicy,
    OverlapPolicy,
    RetryConfig,
    RetryStrategy,
    Schedule,
    ScheduleOptions,
    TaskDefinition,
    TaskDependency,
    TaskPriority,
)
from ..triggers import CronTrigger
from .journal import Journal
from .nodes import SimulatedFailure, VirtualNode
from .watch import OPEN, Watch, signed
from .world import NodeClock, SharedStore

MOST_NODES: Final = 4  # at a time
MOST_EXECUTIONS: Final = 18  # that callers ask for; those of schedules come on top
SCHEDULES_LAST: Final = timedelta(seconds=150)

_RETRY: Final = RetryConfig(
    strategy=RetryStrategy.FIXED, max_attempts=2, initial_delay=10, jitter=False
)


def _task(task_id: str, **fields: Any) -> TaskDefinition:
    """A definition whose body each node makes itself."""
    return TaskDefinition(task_id=task_id, task_name=task_id, func_path=task_id, **fields)


TASKS: Final = (
    _task("plain"),
    _task("stubborn", retry_config=_RETRY),
    _task("once", at_most_once=True, priority=TaskPriority.HIGH),
    _task("alone", require_lock=True, lock_timeout=40, retry_config=_RETRY),
    _task("child", dependencies=[TaskDependency("plain")]),
    _task("heir", dependencies=[TaskDependency("stubborn", "success", timeout=100)]),
    _task("mourner", dependencies=[TaskDependency("once", "failure"), TaskDependency("alone")]),
)
_IDS: Final = [task.task_id for task in TASKS]
AT_MOST_ONCE: Final = frozenset(task.task_id for task in TASKS if task.at_most_once)
LOCKED: Final = frozenset(task.task_id for task in TASKS if task.require_lock)


def _every(seconds: int) -> str:
    """Cron text for the multiples of these seconds in each minute."""
    return f"*/{seconds} * * * * *"


class Cluster:
    """Every verb is one act of chance: whom it strikes, and how, is drawn from ``rng``.

    ``accepted`` are the execution ids that callers were given.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock = ManualClock()
        self.journal = Journal(self.clock)
        self.store = SharedStore(self.clock, tells_time=rng.random() < 0.5)
        self.watch = Watch(self.store, self.journal, locked=LOCKED)
        self.nodes: list[VirtualNode] = []
        self.accepted: set[str] = set()
        self._settings = Settings(
            lease_seconds=30, renewal_seconds=10, max_crashes=3, history_limit=1000
        )
        self._asked = 0
        self._elsewhere = False

    @property
    def there(self) -> list[VirtualNode]:
        """Nodes that are neither dead nor have stopped."""
        return [node for node in self.nodes if not node.gone]

    @property
    def awake(self) -> list[VirtualNode]:
        """Those of them that are not suspended."""
        return [node for node in self.there if not node.suspended]

    # --- the nodes ------------------------------------------------------------------------

    def begin(self) -> None:
        """Start a node, unless there are enough."""
        if len(self.there) >= MOST_NODES:
            return
        number = len(self.nodes) + 1
        node = VirtualNode(
            f"n{number}",
            shared=self.store,
            clock=NodeClock(self.clock, self._skew(number)),
            settings=self._settings,
            tasks=TASKS,
            slots=self.rng.choice([1, 2, 5]),
            journal=self.journal,
            watch=self.watch,
            sleep=lambda _: self._meanwhile(node),
        )
        node.store.at_random(self.rng, delayed=0.1)
        self.nodes.append(node)
        self.journal.tell(f"{node.name} starts, {node.clock.skew.total_seconds():+.3f} s off")

    def die(self) -> None:
        """Kill a node."""
        if node := self._one(self.there):
            self.journal.tell(f"{node.name} is killed")
            node.die()

    def leave(self) -> None:
        """Stop a node, which waits for its bodies or gives them back."""
        if (node := self._one(self.awake)) and node.leaving is None:
            wait = self.rng.random() < 0.5
            self.journal.tell(f"{node.name} stops, {wait=}")
            node.leave(wait=wait)

    def suspend(self) -> None:
        """Let a node do nothing, as under SIGSTOP."""
        if (node := self._one(self.awake)) and node.leaving is None:
            self.journal.tell(f"{node.name} is suspended")
            node.suspended = True

    def resume(self) -> None:
        """Let it go on."""
        if node := self._one([one for one in self.there if one.suspended]):
            self.journal.tell(f"{node.name} goes on")
            node.suspended = False

    def skew(self) -> None:
        """Set the clock of a node, forward or back."""
        if node := self._one(self.there):
            node.clock.skew = self._skew(self.nodes.index(node) + 1)
            self.journal.tell(f"{node.name} is {node.clock.skew.total_seconds():+.3f} s off")

    def storm(self) -> None:
        """From now on the store fails a node more often, or less."""
        if node := self._one(self.there):
            odds = self.rng.choice([0.0, 0.1, 0.3])
            node.store.at_random(self.rng, before=odds, after=odds, delayed=max(odds, 0.1))
            self.journal.tell(f"the store fails {node.name} with {odds}")

    def calm(self) -> None:
        """No more faults; there is a healthy node, and no schedule is paused."""
        for node in self.there:
            node.suspended = False
            node.store.calm()
        if not any(node.leaving is None for node in self.there):
            self.begin()
        for _ in self._schedules():
            self.unpause()

    # --- what nodes do --------------------------------------------------------------------

    async def work(self) -> None:
        """A pass of a dispatcher."""
        if node := self._one(self.awake):
            await node.work()

    def sweep(self) -> None:
        """A round of a housekeeper."""
        if node := self._one(self.awake):
            node.sweep()

    def tick(self) -> None:
        """A look at the schedules."""
        if node := self._one(self.awake):
            node.tick()

    def beat(self) -> None:
        """A round of a heartbeat."""
        if node := self._one(self.awake):
            node.beat()

    def end_body(self) -> None:
        """A body returns or raises; on a suspended node as well, where nobody notices."""
        if body := self._one([body for node in self.there for body in node.bodies]):
            if self.rng.random() < 0.7:
                body.finish()
            else:
                kind = self.rng.choice([SimulatedFailure, SimulatedFailure, SystemExit])
                body.raise_(kind(signed(body.context.fence)))

    def advance(self) -> None:
        """Time passes; in steps of 0.1 s, as ``_skew`` needs it."""
        self.clock.advance(seconds=self.rng.choice([0.1, 1, 5, 5, 10, 10, 40]))

    # --- what callers do ------------------------------------------------------------------

    def schedule(self) -> None:
        """Ask a node for an execution, or for some that depend on each other."""
        node = self._one(self.awake)
        if node is None or self._asked >= MOST_EXECUTIONS:
            return
        with suppress(StoreUnavailable):
            if self.rng.random() < 0.15:
                run = node.commands.schedule_workflow(self.rng.sample(_IDS, 4), {})
                self.accept(*run.values())
            else:
                self.ask(node, self.rng.choice(_IDS), self._options())

    def ask(self, node: VirtualNode, task_id: str, options: ScheduleOptions) -> None:
        """Ask for one execution."""
        self.accept(*node.commands.schedule(task_id, [((), {})], options, None))

    def accept(self, *ids: str) -> None:
        """Note what was promised."""
        self._asked += len(ids)
        self.accepted.update(ids)

    def cancel(self) -> None:
        """Ask a node to cancel an execution."""
        ids = [one for one, row in self.store.rows.items() if row.status in OPEN]
        if (node := self._one(self.awake)) and (chosen := self._one(ids)):
            self.journal.tell(f"{self.journal.name(chosen)} is to be cancelled")
            with suppress(StoreUnavailable):
                # Within a call it might come too late for what this very call has claimed.
                if node.commands.cancel(chosen) and not self._elsewhere:
                    self.watch.cancelled[chosen] = node.name

    def add_schedule(self) -> None:
        """One more schedule, with policies by chance."""
        now, text = self.clock.now(), _every(self.rng.choice([15, 20, 30]))
        trigger = CronTrigger(text, end_time=now + SCHEDULES_LAST)
        first = trigger.get_next_fire_time(None, now)
        self.store.put(
            Schedule(
                schedule_id=f"s{len(self.store.schedules()) + 1}",
                task_id=self.rng.choice(["plain", "stubborn", "once", "alone"]),
                trigger=trigger.to_json(),
                next_fire_time=first,
                ledger_from=first,
                misfire=self.rng.choice(list(MisfirePolicy)),
                max_catch_up=2,
                overlap=self.rng.choice(list(OverlapPolicy)),
                priority=self.rng.choice([None, *TaskPriority]),
            ),
            expected=None,
        )

    def pause(self) -> None:
        """Pause a schedule; once that has returned it must not fire."""
        if (node := self._one(self.awake)) and (chosen := self._one(self._schedules())):
            self.journal.tell(f"{chosen} is to be paused")
            with suppress(StoreUnavailable):
                node.schedules.pause(chosen)
                self.watch.paused.add(chosen)

    def unpause(self) -> None:
        """Let a paused schedule go on."""
        paused = [one.schedule_id for one in self.store.schedules() if one.paused]
        if (node := self._one(self.awake)) and (chosen := self._one(paused)):
            self.journal.tell(f"{chosen} is to go on")
            self.watch.paused.discard(chosen)
            with suppress(StoreUnavailable):
                node.schedules.resume(chosen, catch_up=self.rng.random() < 0.3)

    def edit(self) -> None:
        """Give a schedule other instants, or another policy."""
        if (node := self._one(self.awake)) and (chosen := self._one(self._schedules())):
            policy = {"overlap": self.rng.choice(list(OverlapPolicy))}
            text = _every(self.rng.choice([15, 20, 45]))
            trigger = self.rng.choice([None, {"expression": text}])
            self.journal.tell(f"{chosen} is to be edited: {trigger} {policy['overlap']}")
            # It may be over by now: then no trigger can be given to it.
            with suppress(StoreUnavailable, InvalidTrigger):
                node.schedules.update(chosen, Edit(trigger=trigger, policies=policy))

    def _schedules(self) -> list[str]:
        return [one.schedule_id for one in self.store.schedules()]

    def _options(self) -> ScheduleOptions:
        rng, options = self.rng, ScheduleOptions()
        if rng.random() < 0.5:
            options = replace(options, priority=rng.choice(list(TaskPriority)))
        if rng.random() < 0.3:
            options = replace(options, delay=rng.choice([0.1, 5, 20, 60]))
        if rng.random() < 0.2:
            options = replace(options, unique=rng.choice(["a", "b"]))
        if self.accepted and rng.random() < 0.2:
            options = replace(options, after=[rng.choice(sorted(self.accepted))])
        return options

    def _meanwhile(self, node: VirtualNode) -> None:
        """A call of this node's takes its time: others go on, as do its own other threads."""
        self.clock.advance(seconds=self.rng.choice([0, 0.1, 1, 5, 20, 40]))
        if self._elsewhere:
            return
        self._elsewhere = True
        try:
            others = [one for one in self.awake if one is not node]
            acts: list[Callable[[], None]] = [self.cancel, self.schedule, self.beat]
            if others:
                other = self.rng.choice(others)
                acts += [other.sweep, other.tick, other.tick]
            self.rng.choice(acts)()
        finally:
            self._elsewhere = False

    def _one(self, things: list[Any]) -> Any:
        return self.rng.choice(things) if things else None

    def _skew(self, number: int) -> timedelta:
        """At most 2.5 s to either side, and so 5 s between two nodes.

        Of its own to the millisecond: ids that two nodes make then differ in their time, and
        not only in their noise, which no seed decides.
        """
        return timedelta(milliseconds=100 * self.rng.randrange(-25, 25) + number)
