"""Runs plain functions in a pool of threads that survives functions that never return."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from enum import Enum, auto
from queue import SimpleQueue
from threading import Lock, Thread

from .base import Call, Outcome, perform


class ThreadExecutor:
    """At most ``size`` threads at work, started on demand, called ``name-1``, ``name-2``...

    A thread cannot be stopped. One whose caller was cancelled is abandoned: its result is
    dropped, it ends after its function, and another takes its place in the pool at once.

    The threads are daemons of our own, since ``concurrent.futures`` joins its threads when the
    interpreter exits: one function that never returns would hang the exit.
    """

    def __init__(self, size: int, name: str = "advanced-scheduler") -> None:
        self._size = size
        self._name = name
        self._former: list[_Crew] = []
        self._crew = _Crew(size, name)
        self._mailbox: _Mailbox | None = None

    @property
    def abandoned(self) -> int:
        """How many threads are in a function that nobody waits for."""
        return sum(crew.abandoned for crew in (self._crew, *self._former))

    def start(self) -> None:
        """Nothing to do: threads start on demand."""

    def shutdown(self) -> None:
        """End each thread after what it is doing; calls that wait already are still made."""
        self._crew.dismiss()
        self._former = [crew for crew in (self._crew, *self._former) if crew.abandoned]
        self._crew = _Crew(self._size, self._name)

    async def run(self, call: Call) -> Outcome:
        """Call the function in a thread, with a copy of the caller's context variables."""
        mailbox = self._mailbox_here()
        job = _Job(call, copy_context(), mailbox.loop.create_future(), mailbox)
        crew = self._crew
        try:
            crew.take(job)
            return await job.answer
        except RuntimeError as error:  # the system has no thread left to give
            crew.let_go(job)
            return Outcome(error=error)
        except BaseException:
            call.context.cancelled.set()
            if not crew.let_go(job):
                call.over()
            raise

    def _mailbox_here(self) -> _Mailbox:
        loop = asyncio.get_running_loop()
        if self._mailbox is None or self._mailbox.loop is not loop:
            self._mailbox = _Mailbox(loop)
        return self._mailbox


class _Mailbox:
    """Brings answers from threads to one event loop, as many as there are with one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._letters: deque[tuple[asyncio.Future[Outcome], Outcome]] = deque()
        self._announced = False

    def post(self, answer: asyncio.Future[Outcome], outcome: Outcome) -> None:
        """Safe from any thread; what comes after the end of the loop is dropped."""
        self._letters.append((answer, outcome))
        if not self._announced:
            self._announced = True
            try:
                self.loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:  # the loop was closed: nobody waits
                self._letters.clear()

    def _deliver(self) -> None:
        self._announced = False  # first: a letter that comes from now on announces itself
        while self._letters:
            answer, outcome = self._letters.popleft()
            if not answer.done():
                answer.set_result(outcome)


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    ENDED = auto()
    ABANDONED = auto()


@dataclass(slots=True, eq=False)
class _Job:
    call: Call
    context: Context
    answer: asyncio.Future[Outcome]
    mailbox: _Mailbox
    state: _State = field(default=_State.WAITING)


class _Crew:
    """The threads from one start to one shutdown, and the jobs that they share."""

    def __init__(self, size: int, name: str) -> None:
        self.abandoned = 0
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._lock = Lock()  # guards the counts and the states of the jobs
        self._threads = 0  # without abandoned ones
        self._load = 0  # jobs that wait or run, without abandoned ones
        self._hired = 0

    def take(self, job: _Job) -> None:
        """Queue a job; raises ``RuntimeError`` if the system refuses a thread that it needs."""
        with self._lock:
            self._load += 1
            self._hire()
        self._jobs.put(job)

    def let_go(self, job: _Job) -> bool:
        """Nobody waits for this job any more; answers whether a thread is still at it."""
        with self._lock:
            if job.state is _State.RUNNING:
                job.state = _State.ABANDONED
                self.abandoned += 1
                self._threads -= 1
                self._load -= 1
                with suppress(RuntimeError):  # no thread to be had: the next call asks again
                    self._hire()
            elif job.state is _State.WAITING:
                job.state = _State.ENDED
                self._load -= 1
            return job.state is _State.ABANDONED

    def dismiss(self) -> None:
        """Let every thread end when the jobs that wait now are done."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _hire(self) -> None:
        if self._threads < min(self._load, self._size):
            self._hired += 1
            Thread(target=self._work, name=f"{self._name}-{self._hired}", daemon=True).start()
            self._threads += 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._begin(job):
                outcome = job.context.run(perform, job.call)
                wanted = self._end(job)
                if wanted:
                    job.mailbox.post(job.answer, outcome)
                del outcome
                if not wanted:
                    job.call.over()
                    return
            del job  # while this thread waits it keeps nothing of a task alive

    def _begin(self, job: _Job) -> bool:
        with self._lock:
            if job.state is not _State.WAITING:
                return False
            job.state = _State.RUNNING
            return True

    def _end(self, job: _Job) -> bool:
        """False for an abandoned job, whose thread has been replaced."""
        with self._lock:
            if job.state is _State.ABANDONED:
                self.abandoned -= 1
                return False
            job.state = _State.ENDED
            self._load -= 1
            return True
