"""A discrete simulation: a clock of its own, processes as generators, and what they wait for.

A process yields how many seconds it waits, or a command: a function that is given what to call
when the process may go on. Nothing is random here, and what comes first is served first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from heapq import heappop, heappush
from typing import TypeAlias

Resume: TypeAlias = Callable[[], None]
Command: TypeAlias = Callable[[Resume], None]
Process: TypeAlias = Generator[float | Command, None, None]


class Simulation:
    """Calls what is due, in order; ``now`` is in seconds from the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._queue: list[tuple[float, int, Resume]] = []
        self._count = 0

    def after(self, seconds: float, call: Resume) -> None:
        """Call it then; of two at the same time, first what was asked for first."""
        self._count += 1
        heappush(self._queue, (self.now + seconds, self._count, call))

    def spawn(self, process: Process, delay: float = 0.0) -> None:
        """Let a process begin."""
        self.after(delay, partial(self._go_on, process))

    def run(self, until: float) -> None:
        """Go on until nothing happens any more before that time."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, call = heappop(self._queue)
            call()
        self.now = until

    def _go_on(self, process: Process) -> None:
        try:
            wanted = next(process)
        except StopIteration:
            return
        if callable(wanted):
            wanted(partial(self._go_on, process))
        else:
            self.after(wanted, partial(self._go_on, process))


class _Use:
    """How many are at work, added up over time."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._active = 0
        self._since = 0.0
        self._added = 0.0

    @property
    def busy(self) -> float:
        """Seconds of work until now."""
        return self._added + self._active * (self._simulation.now - self._since)

    def _work(self, more: int) -> None:
        self._added, self._since = self.busy, self._simulation.now
        self._active += more


class Cores(_Use):
    """So many pieces of work at a time; the others stand in line."""

    def __init__(self, simulation: Simulation, count: int = 1) -> None:
        super().__init__(simulation)
        self.count = count
        self._free = count
        self._line: deque[tuple[Callable[[], float], Resume]] = deque()

    def work(self, seconds: Callable[[], float]) -> Command:
        """Wait until it is done; ``seconds`` is asked when it begins."""

        def command(resume: Resume) -> None:
            if self._free:
                self._free -= 1
                self._work(1)
                self._begin(seconds, resume)
            else:
                self._line.append((seconds, resume))

        return command

    def use(self, seconds: float) -> Command:
        """The same, where it is known before how long it takes."""
        return self.work(lambda: seconds)

    def _begin(self, seconds: Callable[[], float], resume: Resume) -> None:
        self._simulation.after(seconds(), partial(self._end, resume))

    def _end(self, resume: Resume) -> None:
        if self._line:
            self._begin(*self._line.popleft())
        else:
            self._free += 1
            self._work(-1)
        resume()


class Mutex(_Use):
    """Held by one at a time."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation)
        self._held = False
        self._line: deque[Resume] = deque()

    def take(self, resume: Resume) -> None:
        """A command: wait until it is ours."""
        if self._held:
            self._line.append(resume)
            return
        self._held = True
        self._work(1)
        self._simulation.after(0.0, resume)

    def release(self) -> None:
        """Give it to the next in line."""
        if self._line:
            self._simulation.after(0.0, self._line.popleft())
        else:
            self._held = False
            self._work(-1)


class Disk(_Use):
    """Writes all commits at once that came while it wrote those before."""

    def __init__(self, simulation: Simulation, seconds: float) -> None:
        super().__init__(simulation)
        self._takes = seconds
        self._waiting: list[Resume] = []
        self._writing = False

    def commit(self, resume: Resume) -> None:
        """A command: wait until it is written."""
        self._waiting.append(resume)
        if not self._writing:
            self._write()

    def _write(self) -> None:
        if not self._writing:
            self._writing = True
            self._work(1)
        batch, self._waiting = self._waiting, []
        self._simulation.after(self._takes, partial(self._written, batch))

    def _written(self, batch: list[Resume]) -> None:
        for resume in batch:
            resume()
        if self._waiting:
            self._write()
        else:
            self._writing = False
            self._work(-1)


class Alarm:
    """What one loop of a node waits on: until some time, or until it is woken."""

    def __init__(self, simulation: Simulation) -> None:
        self.woken = False
        self._simulation = simulation
        self._waiting: Resume | None = None
        self._turn = 0

    def wake(self) -> None:
        """End the wait, or the next one before it begins."""
        if not self.woken:
            self.woken = True
            self._ring(self._turn)

    def wait(self, seconds: float) -> Command:
        """Wait, unless it was woken since ``woken`` was set to False."""

        def command(resume: Resume) -> None:
            if self.woken:
                self._simulation.after(0.0, resume)
                return
            self._waiting = resume
            self._turn += 1
            self._simulation.after(seconds, partial(self._ring, self._turn))

        return command

    def _ring(self, turn: int) -> None:
        if turn == self._turn and self._waiting is not None:
            resume, self._waiting = self._waiting, None
            self._simulation.after(0.0, resume)
