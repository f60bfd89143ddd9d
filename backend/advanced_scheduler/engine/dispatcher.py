"""Claims due executions, starts them, and settles what has ended, a batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from .. import lifecycle
from ..context import TaskContext
from ..errors import StoreUnavailable, TaskNotRegistered
from ..faults import describe_error
from ..lifecycle import Transition
from ..models import NO_PAUSES, Duties, ExecutionFilter, Role, TaskExecution, TaskStatus
from ..stores.base import Claim, Exchange, ExecutionStore
from .desk import Desk
from .ground import Ground
from .loop import Loop
from .offload import Offload
from .runner import Run, Runner, Stop
from .settler import Change, Settler
from .turns import Turns

logger = logging.getLogger(__name__)

DeskOf = Callable[[Mapping[str, Run]], Desk]

NO_DUTIES: Final = Duties(roles=frozenset())
INTERRUPT_SECONDS = 5.0  # how long an interrupted body may take to let go


class _Early(dict[str, Stop]):
    """Interrupts that come while the store is about to answer with what they are for."""

    listening = False

    def __enter__(self) -> None:
        self.clear()
        self.listening = True

    def __exit__(self, *_: object) -> None:
        self.listening = False


class Dispatcher:
    """Keeps at most ``limit`` executions running; a claim never exceeds the free slots."""

    def __init__(
        self,
        ground: Ground,
        *,
        runner: Runner,
        settler: Settler,
        node: str,
        limit: int,
        duties: Duties,
        lease: timedelta,
        poll_seconds: float,
        offload: Offload,
        desk: DeskOf,
    ) -> None:
        self.running: dict[str, Run] = {}
        self.held: dict[str, int] = {}  # leases to renew: until the end is stored, not reached
        self.limit: Final = limit
        self.duties: Final = duties
        self.accepting = True
        self.draining = False  # asked to start nothing more, but to stay up
        self.pauses = NO_PAUSES
        self.started = 0  # runs, since this node was made
        self.spare = False  # whether the last claim found less than there were slots for
        self.loop: Loop | None = None
        self.last_pass: float | None = None
        self._store = ground.store
        self._registry = ground.registry
        self._runner = runner
        self._settler = settler
        self._clock = ground.clock
        self._leases = ground.leases
        self._node = node
        self._lease = lease
        self._poll = poll_seconds
        self._offload = offload
        self._times = ground.times
        self._desk = desk(self.running)
        self._outbox: list[Change] = []
        self._unknown: set[str] = set()
        self._pass = asyncio.Lock()
        self._doubtful: datetime | None = None  # when a claim was made that went unanswered
        self._early = _Early()
        self._turns = Turns()

    @property
    def serving(self) -> Duties:
        """Its duties, or none while it starts nothing more."""
        return self.duties if self.accepting and not self.draining else NO_DUTIES

    @property
    def free_slots(self) -> int:
        """How many more executions may run now."""
        may = Role.WORKER in self.serving.roles and not self.pauses.everything
        return self.limit - len(self.running) if may else 0

    async def work(self) -> float:
        """One pass: store what ended, claim what fits; answers how long it may wait."""
        async with self._pass:
            return await self._work()

    async def _work(self) -> float:
        self.last_pass = self._clock.monotonic()  # made, whether or not the store answers
        self._home = self._desk.home = asyncio.get_running_loop()
        if self._doubtful is not None:
            await self._adopt(self._doubtful)
        changes, self._outbox = self._outbox, []
        free = self.free_slots
        exchange = None
        if changes or free > 0:
            try:
                exchange = await self._exchange(changes, free)
            except BaseException as error:
                self.spare = True
                if isinstance(error, StoreUnavailable) or not isinstance(error, Exception):
                    self._outbox[:0] = changes
                else:  # one of them is to blame, and must not hold up the others for ever
                    await self._offload(self._store_singly, changes)
                raise
        claimed = len(exchange.claimed) if exchange is not None else 0
        self.spare = claimed < free
        if self._outbox or (claimed and not self.running):
            return 0.0
        if exchange is None or claimed >= free:
            return self._poll
        return await self._idle_seconds(exchange)

    async def step(self) -> int:
        """Claim once, run it all, settle it: for tests and scripts; answers how many ran."""
        before = self.started
        await self.work()
        while self.running:
            await asyncio.wait({run.job for run in self.running.values() if run.job})
            await asyncio.sleep(0)  # callbacks of interrupts fill the outbox as well
        self.accepting = False
        try:
            while self._outbox:
                await self.work()
        finally:
            self.accepting = True
        return self.started - before

    async def drain(self, seconds: float) -> None:
        """Claim no more; let running work end within ``seconds``, then give the rest back."""
        self.accepting = False
        async with self._pass:
            pass  # a claim that is under way comes to its end
        await self._wait_for_running(seconds)
        for run in list(self.running.values()):
            self._interrupt(run, Stop.SHUTDOWN)
        await self._wait_for_running(INTERRUPT_SECONDS)
        for run in list(self.running.values()):  # a coroutine that will not let go
            self._runner.leave_behind(run)
            self._settle(run, self._runner.interrupted(run))
        await self.work()
        while self._outbox:
            await self.work()

    def interrupt(self, execution_id: str, why: Stop, fence: int | None = None) -> None:
        """Stop a run of this node, if it is (still) here under this fence."""
        run = self.running.get(execution_id)
        if run is None:
            if self._early.listening and fence is None:
                self._early[execution_id] = why
        elif fence in (None, run.row.fence):
            self._interrupt(run, why)

    def wake(self) -> None:
        """Ask for a pass; safe from any thread."""
        if self.loop is not None:
            self.loop.wake()

    async def _exchange(self, changes: list[Change], free: int) -> Exchange:
        self._doubtful = self._clock.now()
        with self._early:
            exchange = await self._offload(self._ask, changes, free, self._doubtful)
        self._doubtful = None
        self._let_go(changes)
        self._start_all(exchange.claimed)
        self._outbox += self._settler.consequences(changes, exchange)
        return exchange

    def _let_go(self, stored: Sequence[Change]) -> None:
        """Renew these leases no more."""
        for change in stored:
            if self.held.get(change.row.execution_id) == change.row.fence:
                del self.held[change.row.execution_id]

    def _ask(self, changes: Sequence[Change], free: int, now: datetime) -> Exchange:
        claim = Claim(
            node=self._node,
            limit=free,
            now=now,
            lease_until=self._leases.now() + self._lease,
            exclude=frozenset(one for one in self._unknown if one not in self._registry),
            queues=self.duties.queues,
            pauses=self.duties.beside(self.pauses),
        )
        transitions = [change.transition for change in changes]
        return self._times.call("exchange", self._store.exchange, transitions, claim)

    async def _adopt(self, asked: datetime) -> None:
        """Tell of ends that were stored, and start what was claimed, and never answered.

        Of the claims nothing but that: what this node has given up may still be under its name.
        """
        if doubted := list(self._outbox):
            done, more = await self._offload(self._settler.acknowledge, doubted)
            self._let_go(done)
            known = set(map(id, done))
            self._outbox = [one for one in self._outbox if id(one) not in known] + more
        running = ExecutionFilter(statuses=frozenset({TaskStatus.RUNNING}), limit=10_000)
        with self._early:
            rows = await self._offload(self._store.find, running)
        self._doubtful = None
        self._start_all(
            row
            for row in rows
            if row.node == self._node
            and row.started_time == asked
            and self.held.get(row.execution_id) != row.fence
        )

    def _store_singly(self, changes: Sequence[Change]) -> None:
        """What cannot be stored becomes a failure that can; else its lease runs out."""
        for change in changes:
            row = change.row
            try:
                self._settler.settle([change])
            except StoreUnavailable:
                self._outbox.append(change)
                continue
            except Exception as error:
                logger.exception("the end of execution %s cannot be stored", row.execution_id)
                text = f"its end could not be stored: {describe_error(error)}"
                if change.transition.target not in (TaskStatus.FAILED, TaskStatus.PENDING):
                    failed = lifecycle.fail(row, error=text, now=self._clock.now())
                    self._outbox.append(Change(row, failed))
                    continue
            self.held.pop(row.execution_id, None)

    async def _idle_seconds(self, exchange: Exchange) -> float:
        due = exchange.next_due
        if not exchange.looked_ahead:
            due = await self._offload(self._store.next_due)
        if due is None:
            return self._poll
        wait = (due - self._clock.now()).total_seconds()
        # What is due and was not claimed is not for this node: look again after a poll.
        return min(wait, self._poll) if wait > 0 else self._poll

    def _start_all(self, claimed: Iterable[TaskExecution]) -> None:
        started, starter = self._clock.now(), asyncio.current_task()
        for row in claimed:
            self._start(row, started, starter)
        for execution_id, why in self._early.items():
            self.interrupt(execution_id, why)

    def _start(
        self, row: TaskExecution, started: datetime, starter: asyncio.Task[Any] | None
    ) -> None:
        older = self.running.get(row.execution_id)
        if older is not None:  # its lease ran out, and the row has come back to this node
            self._interrupt(older, Stop.LEASE_LOST)
        self.held[row.execution_id] = row.fence
        if not self.accepting:
            reason = f"given back by node {self._node}, which is stopping"
            self._outbox.append(Change(row, lifecycle.give_back(row, due=row.due, reason=reason)))
            return
        try:
            task = self._registry.get(row.task_id)
        except TaskNotRegistered:
            reason = f"parked: task {row.task_id!r} is not registered on node {self._node}"
            self._outbox.append(Change(row, lifecycle.give_back(row, due=row.due, reason=reason)))
            _tell_once(row, reason, self._unknown)
            return
        context = TaskContext(
            execution=row,
            node=self._node,
            started=started,
            deadline=None if row.timeout is None else started + timedelta(seconds=row.timeout),
            load_results=partial(_results_of, self._store, row),
            desk=self._desk,
        )
        run = Run(row, task, context, starter)
        self.running[row.execution_id] = run
        self._turns.leave(row)
        self.started += 1
        run.job = self._home.create_task(self._perform(run), name=row.execution_id)

    async def _perform(self, run: Run) -> None:
        """Settled here and not in a done-callback, which comes a turn of the loop later."""
        transition: Transition | None
        try:
            transition = await self._runner.run(run)
        except asyncio.CancelledError:
            transition = self._runner.interrupted(run)
        except BaseException as error:
            transition = self._runner.after_failure(run, error)
        if self._desk.knows(run.row) and not run.cut_off:
            await self._desk.finish(run.row)
        self._settle(run, transition)

    def _interrupt(self, run: Run, why: Stop) -> None:
        # Cancelled before its first step, it never reaches a try block.
        if run.interrupt(why) and run.job is not None:
            run.job.add_done_callback(lambda _: self._settle(run, self._runner.interrupted(run)))

    def _settle(self, run: Run, transition: Transition | None) -> None:
        row = run.row
        if self.running.get(row.execution_id) is not run:
            return  # settled before, while the body would not let go
        del self.running[row.execution_id]
        if transition is None:
            if self.held.get(row.execution_id) == row.fence:
                del self.held[row.execution_id]
        else:
            self._outbox.append(Change(row, transition))
            if run.task.definition.require_lock:
                self._queue_for_lock(run, transition)
        self.wake()

    def _queue_for_lock(self, run: Run, transition: Transition) -> None:
        """Whoever found the lock busy asks again by itself; a release here calls the oldest."""
        if run.grant is not None:
            if waiting := self._turns.call(run.row.task_id):
                due = waiting.scheduled_time  # its old place in line
                self._outbox.append(Change(waiting, lifecycle.expedite(waiting, due=due)))
        elif transition.target is TaskStatus.PENDING:
            self._turns.wait(transition.on(run.row))

    async def _wait_for_running(self, seconds: float) -> None:
        home = asyncio.get_running_loop()
        end = home.time() + seconds
        while self.running and (left := end - home.time()) > 0:
            jobs = {run.job for run in self.running.values() if run.job is not None}
            await asyncio.wait(jobs, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)


def _tell_once(row: TaskExecution, reason: str, told: set[str]) -> None:
    """Say that a task is unknown here, unless that was said of another execution of it."""
    if row.task_id not in told:
        told.add(row.task_id)
        logger.warning("execution %s and others of its task are %s", row.execution_id, reason)


def _results_of(store: ExecutionStore, row: TaskExecution) -> Mapping[str, Any]:
    ids = [one.execution_id for one in row.dependencies if one.execution_id is not None]
    return {found.task_id: found.result for found in store.get(ids)}
