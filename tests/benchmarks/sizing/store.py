"""The simulated store: what its calls cost, what waits in it, and whom it tells of work."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tests.benchmarks.sizing.costs import Cost, Costs
from tests.benchmarks.sizing.events import Command, Cores, Disk, Mutex, Simulation

GROUPS: Final = 16  # of nodes that hear of a signal at the same moment
_NOTHING: Final = Cost()


class Caller(Protocol):
    """A node, or an application that is none."""

    def compute(self, seconds: float) -> Generator[float | Command, None, None]:
        """Take its own CPU for so long."""
        ...

    def hear(self) -> None:
        """Be told of work."""
        ...

    def connected(self, more: int) -> None:
        """Note that a connection is taken, or given back."""
        ...


@dataclass(slots=True)
class Seen:
    """What ``due`` answered: the schedules from one number up to, without, another."""

    first: int
    last: int


class Store:
    """One server with its cores, its disk, and its locks; ``due`` are instants of schedules.

    ``serial`` says that one thread does all there is to do, signals included.
    """

    def __init__(
        self,
        simulation: Simulation,
        costs: Costs,
        *,
        cores: Cores,
        serial: bool,
        trip: float,
        due: Iterator[float],
    ) -> None:
        self.cores = cores
        self.disk = Disk(simulation, costs.commit / 1e6)
        self.telling = Mutex(simulation)  # NOTIFY holds a lock of the whole server at commit
        self.firing: defaultdict[int, Mutex] = defaultdict(lambda: Mutex(simulation))
        self.calls: Counter[str] = Counter()
        self.pending: deque[float] = deque()  # due times of executions
        self.arriving = 0  # executions in calls that are not committed yet
        self.claiming = 0  # rows that claims have locked, and not committed yet
        self.held = 0  # by nodes
        self.ended = 0
        self.pruned = 0
        self.fired = 0
        self.nodes: Sequence[Caller] = ()
        self._simulation = simulation
        self._costs = costs
        self._serial = serial
        self._thread = Mutex(simulation)
        self._trip = trip + costs.hop / 1e6
        self._due = due
        self._following = next(due, None)
        self._ripe: deque[float] = deque()
        self._recorded = 0  # of the fired ones: others do not see what is not committed
        self._told: set[int] = set()  # groups that are about to be told

    def call(
        self,
        caller: Caller,
        name: str,
        rows: int = 0,
        *,
        during: Callable[[], float] | None = None,
        committed: Callable[[], None] = lambda: None,
        writes: bool = False,
        tells: bool = False,
    ) -> Generator[float | Command, None, None]:
        """One call, from the question to the answer; ``during`` is asked what it takes."""
        cost = self._costs.calls.get(name, _NOTHING)
        self.calls[name] += 1
        caller.connected(1)
        if wait := cost.trips * self._trip:
            yield wait
        yield from self._serve(during or (lambda: cost.on_server(rows)), tells)
        if writes and self._costs.commit:
            if tells and self.nodes:
                yield self.telling.take
            yield self.disk.commit
            if tells and self.nodes:
                self.telling.release()
        committed()
        caller.connected(-1)
        yield from caller.compute(cost.on_client(rows))

    def exchange(
        self, caller: Caller, ends: int, free: int
    ) -> Generator[float | Command, None, list[float]]:
        """Store so many ends and claim at most so many; answers the due times of those."""
        claimed: list[float] = []
        costs = self._costs.calls

        def during() -> float:
            claimed.extend(self.pending.popleft() for _ in range(min(free, len(self.pending))))
            skipped = self._costs.skipped * self.claiming / 1e6 if free else 0.0
            self.claiming += len(claimed)
            if not ends and not claimed:
                return costs["poll"].on_server(0) + skipped
            full = costs["exchange"]
            return full.on_server(0) + (ends + len(claimed)) / 2e6 * full.server_row + skipped

        def committed() -> None:
            self.claiming -= len(claimed)
            self.held += len(claimed) - ends
            self.ended += ends

        busy = bool(ends or self.pending)
        name = "exchange" if busy else "poll"
        yield from self.call(caller, name, during=during, committed=committed, writes=busy)
        yield from caller.compute((ends + len(claimed)) / 2e6 * costs["exchange"].client_row)
        return claimed

    def add(self, caller: Caller, rows: int) -> Generator[float | Command, None, None]:
        """Executions that are due now."""
        since = self._simulation.now
        self.arriving += rows

        def committed() -> None:
            self.arriving -= rows
            self.pending.extend([since] * rows)
            self._tell()

        yield from self.call(caller, "add", rows, committed=committed, writes=True, tells=True)

    def ripe(self) -> int:
        """How many schedules are due."""
        now = self._simulation.now
        while self._following is not None and self._following <= now:
            self._ripe.append(self._following)
            self._following = next(self._due, None)
        return len(self._ripe)

    def due(self, caller: Caller, limit: int) -> Generator[float | Command, None, Seen]:
        """The first schedules that are due, which others see as well."""
        seen = Seen(self._recorded, self._recorded + min(limit, self.ripe()))
        yield from self.call(caller, "due", seen.last - seen.first)
        return seen

    def fire(self, caller: Caller, seen: Seen) -> Generator[float | Command, None, int]:
        """Fire those that nobody has fired meanwhile; answers how many."""
        cost = self._costs.calls["fire"]
        won = 0

        def during() -> float:
            nonlocal won
            won = max(seen.last - max(self.fired, seen.first), 0)
            self.fired += won
            self.arriving += won
            lost = seen.last - seen.first - won
            return cost.on_server(won) + lost * self._costs.refused / 1e6

        def committed() -> None:
            if lock is not None:
                lock.release()
            self.arriving -= won
            self._recorded += won
            self.pending.extend(self._ripe.popleft() for _ in range(won))
            if won:
                self._tell()

        # Whoever fires the same rows waits for the first of them, and a script for any other.
        lock = None if self._serial else self.firing[seen.first]
        if lock is not None:
            yield lock.take
        yield from self.call(
            caller, "fire", during=during, committed=committed, writes=True, tells=True
        )
        yield from caller.compute((seen.last - seen.first) * cost.client_row / 1e6)
        return won

    def next_fire(self, caller: Caller) -> Generator[float | Command, None, float | None]:
        """When the next schedule is due."""
        yield from self.call(caller, "next_fire")
        return self._ripe[0] if self.ripe() else self._following

    def prune(self, caller: Caller, keep: int, limit: int) -> Generator[float | Command, None, int]:
        """Delete what has ended."""
        rows = max(min(self.ended - self.pruned - keep, limit), 0)
        if rows:
            self.pruned += rows
            yield from self.call(caller, "prune", rows, writes=True)
        return rows

    def _serve(
        self, during: Callable[[], float], tells: bool
    ) -> Generator[float | Command, None, None]:
        if not self._serial:
            yield self.cores.work(during)
            return
        signal = self._costs.told * len(self.nodes) / 1e6 if tells else 0.0
        yield self._thread.take
        yield self.cores.work(lambda: during() + signal)
        self._thread.release()

    def _tell(self) -> None:
        """Each node's connection is woken by itself; while it is, it need not be again."""
        if self._serial:
            for node in self.nodes:
                node.hear()
            return
        size = -(-len(self.nodes) // GROUPS) or 1
        for number, first in enumerate(range(0, len(self.nodes), size)):
            if number not in self._told:
                self._told.add(number)
                self._simulation.spawn(self._tell_group(number, self.nodes[first : first + size]))

    def _tell_group(
        self, number: int, nodes: Sequence[Caller]
    ) -> Generator[float | Command, None, None]:
        def during() -> float:
            self._told.discard(number)  # who is told from now on, hears of later work as well
            return self._costs.told * len(nodes) / 1e6

        yield self.cores.work(during)
        yield self._trip / 2
        for node in nodes:
            node.hear()
