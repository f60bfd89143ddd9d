"""What runs in a worker process: makes one call after the other, for as long as it is asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import NoReturn

from .base import Outcome, perform
from .wire import HEADER, Message, pack_outcome, to_frame, unpack_call


def main(descriptor: int) -> NoReturn:
    """Serve the scheduler at the other end of the socket ``descriptor``.

    Calls are made in the main thread, where functions may set signal handlers.
    """
    home = socket.socket(fileno=descriptor)
    home.set_inheritable(False)
    calls: SimpleQueue[Message] = SimpleQueue()
    Thread(target=_listen, args=(home, calls), daemon=True).start()
    owner = os.getpid()
    try:
        while True:
            answer = to_frame(_answer(calls.get()))
            if os.getpid() != owner:  # the task forked, and let the copy return as well
                os._exit(0)
            home.sendall(answer)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # an ordinary exit would wait for threads that a task has left behind


def _listen(home: socket.socket, calls: SimpleQueue[Message]) -> None:
    """Read calls; when the scheduler is gone, in the midst of a call too, end it all at once."""
    with suppress(OSError), home.makefile("rb") as frames:
        while header := frames.read(HEADER.size):
            calls.put(json.loads(frames.read(*HEADER.unpack(header))))
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _answer(message: Message) -> Message:
    try:
        call = unpack_call(message)
    except BaseException as error:
        outcome = Outcome(error=error)
    else:
        outcome = copy_context().run(perform, call)
    answer = pack_outcome(outcome, message["limit_bytes"])
    for stream in (sys.stdout, sys.stderr):  # a worker is killed in the end: print what there is
        with suppress(Exception):
            stream.flush()
    return answer
