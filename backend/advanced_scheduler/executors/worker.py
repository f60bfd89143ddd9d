"""One worker process as the scheduler sees it: ask it, notice its end, kill it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, Final

from ..errors import ProcessDied
from ..forks import renew_in_child
from .descendants import kill_descendants
from .wire import HEADER, Message, import_path, to_frame

_CHILD: Final = f"{__name__.rpartition('.')[0]}.child"
_BOOT: Final = (
    "import json, sys; descriptor, path = sys.argv[1:]; sys.path[:] = json.loads(path); "
    f"from {_CHILD} import main; main(int(descriptor))"
)
_CHUNK: Final = 1 << 20  # bytes

Hear = Callable[[Message], Awaitable[Message | None]]


class Worker:
    """A process that leads its own session, so that a signal reaches it with all its children.

    The constructor starts it, and raises ``OSError`` if the system cannot.
    """

    def __init__(self) -> None:
        self._home, away = socket.socketpair()
        self._home.setblocking(False)
        command = [sys.executable, "-c", _BOOT, str(away.fileno()), json.dumps(import_path())]
        try:
            with away:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[away.fileno()],
                    start_new_session=True,
                )
        except BaseException:
            self._home.close()
            raise
        self._lock = Lock()  # between a kill and the moment when the id may belong to others
        self._exit: Future[int] = Future()
        self._exit.set_running_or_notify_cancel()  # whoever waits for it cannot cancel it
        self._ours = True
        renew_in_child(self, Worker._leave_to_parent)
        name = f"advanced-scheduler-process-{self._process.pid}"
        Thread(target=self._watch, name=name, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return not self._exit.done()

    async def ask(self, call: Message, hear: Hear) -> Message:
        """Send a call and wait for its outcome; raises ``ProcessDied``, and closes then.

        ``hear`` is called with what the task tells or asks meanwhile, and answers its reply.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_sendall(self._home, to_frame(call))
            while "tell" in (answer := await self._message()):
                if (reply := await hear(answer)) is not None:
                    await loop.sock_sendall(self._home, to_frame(reply))
        except (EOFError, OSError, ValueError):  # ValueError: the task has written to our socket
            self.close()
            code = await asyncio.wrap_future(self._exit)
            raise ProcessDied(
                f"process {self._process.pid} {_how(code)} before the task ended"
            ) from None
        return answer

    def close(self) -> None:
        """Kill, and give up the connection, on which nobody may be waiting."""
        self.kill()
        self._home.close()

    def kill(self) -> None:
        """End the process and what descends from it, unless it has ended; does not wait."""
        with self._lock:
            if self._ours and not self._exit.done():
                try:
                    kill_descendants(self._process.pid)
                finally:
                    self._signal_group()

    def _leave_to_parent(self) -> None:
        """The worker ends when its socket does, of which a forked process has a copy."""
        self._ours = False
        self._home.close()

    def _signal_group(self) -> None:
        # PermissionError: what macOS says of a group of which only a zombie is left
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _message(self) -> Message:
        (size,) = HEADER.unpack(await self._read(HEADER.size))
        message: Message = json.loads(await self._read(size))
        return message

    async def _read(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < size:
            chunk = await loop.sock_recv(self._home, min(size - len(data), _CHUNK))
            if not chunk:
                raise EOFError
            data += chunk
        return bytes(data)

    def _watch(self) -> None:
        """Wait for the end in a thread: the socket may stay open in a child of the process."""
        waitid: Any = getattr(os, "waitid", None)
        if waitid is None:  # macOS before Python 3.13
            self._process.wait()
        else:  # without reaping it, so that the group's id cannot be given to others
            waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._signal_group()
            self._exit.set_result(self._process.wait())
        with suppress(OSError):
            self._home.shutdown(socket.SHUT_RDWR)


def _how(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"
