"""How this node asks for locks: at once, or in batches from a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

from ..errors import LockUnavailable
from ..locks import DistributedTaskLock, Exchanged, Grant
from .offload import InThreads

T = TypeVar("T")

_Given: TypeAlias = tuple[Grant, "asyncio.Future[bool]"]
_Wanted: TypeAlias = tuple[tuple[str, float], "asyncio.Future[Grant | None]"]


class LockCalls(Protocol):
    """What of ``DistributedTaskLock`` may take time, for a caller that must not block."""

    @property
    def locks(self) -> DistributedTaskLock:
        """The locks that are asked."""
        ...

    def take(self, task_id: str, timeout: float) -> Awaitable[Grant | None]:
        """``try_acquire``; what is granted after its caller was cancelled is released."""
        ...

    def let_go(self, grant: Grant) -> Awaitable[bool]:
        """``let_go``, also if its caller is cancelled."""
        ...

    async def settle(self) -> None:
        """Wait until nothing is on its way."""
        ...


class AtOnce:
    """For locks in this process, where waiting for a thread would cost more than the call."""

    def __init__(self, locks: DistributedTaskLock) -> None:
        self.locks = locks

    async def take(self, task_id: str, timeout: float) -> Grant | None:
        """See ``LockCalls.take``."""
        return self.locks.try_acquire(task_id, timeout)

    async def let_go(self, grant: Grant) -> bool:
        """See ``LockCalls.let_go``."""
        return self.locks.let_go(grant)

    async def settle(self) -> None:
        """Nothing is ever on its way."""


class Batched:
    """What is asked in one turn of the loop, and while a batch is away, goes as one batch.

    So 50 executions that begin or end together cost one round trip, and one thread. A request
    waits no longer than one command may last: if a batch meets an outage, what waits for its
    return meets that too, and is not sent after it.
    """

    def __init__(self, locks: DistributedTaskLock, threads: InThreads) -> None:
        self.locks = locks
        self._threads = threads
        self._home: asyncio.AbstractEventLoop | None = None
        self._given: list[_Given] = []
        self._wanted: list[_Wanted] = []
        self._idle = asyncio.Event()

    def take(self, task_id: str, timeout: float) -> asyncio.Future[Grant | None]:
        """See ``LockCalls.take``."""
        answer: asyncio.Future[Grant | None] = self._begin().create_future()
        self._wanted.append(((task_id, timeout), answer))
        return answer

    def let_go(self, grant: Grant) -> asyncio.Future[bool]:
        """See ``LockCalls.let_go``."""
        answer: asyncio.Future[bool] = self._begin().create_future()
        self._given.append((grant, answer))
        return answer

    async def settle(self) -> None:
        """No longer than two commands last: what is away, and what waits for its return."""
        if self._home is asyncio.get_running_loop():
            await self._idle.wait()

    def _begin(self) -> asyncio.AbstractEventLoop:
        home = asyncio.get_running_loop()
        if home is not self._home:  # what was under way on a loop that has ended never comes back
            self._home, self._given, self._wanted = home, [], []
            self._idle = asyncio.Event()
            self._idle.set()
        if self._idle.is_set():
            self._idle.clear()
            home.call_soon(self._send)  # after all that this turn wants
        return home

    def _send(self) -> None:
        given, self._given = self._given, []
        wanted = [one for one in self._wanted if not one[1].cancelled()]
        self._wanted = []
        if not given and not wanted:
            self._idle.set()
            return
        batch = self._threads.submit(
            self.locks.exchange, [grant for grant, _ in given], [wish for wish, _ in wanted]
        )
        batch.add_done_callback(partial(self._deliver, given, wanted))

    def _deliver(
        self, given: list[_Given], wanted: list[_Wanted], batch: asyncio.Future[Exchanged]
    ) -> None:
        try:
            kept, grants, outage = batch.result()
        except Exception as error:
            for _, released in given:
                _tell(released, error)
            for _, taken in wanted:
                _tell(taken, error)
        else:
            for (_, released), ours in zip(given, kept, strict=True):
                _tell(released, ours)
            for (_, taken), grant in zip(wanted, grants, strict=True):
                if isinstance(grant, Grant) and taken.cancelled():
                    self.let_go(grant)
                _tell(taken, grant)
            if outage is not None:
                self._share(outage)
        asyncio.get_running_loop().call_soon(self._send)  # after what they ask who were told

    def _share(self, outage: LockUnavailable) -> None:
        given, self._given = self._given, []
        wanted, self._wanted = self._wanted, []
        for grant, released in given:
            _tell(released, self.locks.let_go_later(grant))
        for _, taken in wanted:
            _tell(taken, LockUnavailable(*outage.args))


def _tell(caller: asyncio.Future[T], answer: T | Exception) -> None:
    if caller.done():
        return
    if isinstance(answer, Exception):
        caller.set_exception(answer)
    else:
        caller.set_result(answer)
