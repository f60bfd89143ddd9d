"""What runs in a worker process: makes one call after the other, for as long as it is asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import NoReturn

from ..clock import SystemClock
from .base import Outcome, perform
from .remote import PipeDesk
from .wire import HEADER, Message, pack_outcome, to_frame, unpack_call


def main(descriptor: int) -> NoReturn:
    """Serve the scheduler at the other end of the socket ``descriptor``.

    Calls are made in the main thread, where functions may set signal handlers.
    """
    home = socket.socket(fileno=descriptor)
    home.set_inheritable(False)
    calls: SimpleQueue[Message] = SimpleQueue()
    replies: SimpleQueue[Message] = SimpleQueue()
    Thread(target=_listen, args=(home, calls, replies), daemon=True).start()
    owner = os.getpid()

    def send(message: Message) -> None:
        if os.getpid() == owner:  # the task may have forked
            home.sendall(to_frame(message))

    try:
        while True:
            answer = _answer(calls.get(), send, replies)
            if os.getpid() != owner:  # and let the copy return as well
                os._exit(0)
            send(answer)
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # an ordinary exit would wait for threads that a task has left behind


def _listen(
    home: socket.socket, calls: SimpleQueue[Message], replies: SimpleQueue[Message]
) -> None:
    """Read calls and replies; when the scheduler is gone, in a call too, end it all at once."""
    with suppress(OSError), home.makefile("rb") as frames:
        while header := frames.read(HEADER.size):
            message = json.loads(frames.read(*HEADER.unpack(header)))
            (replies if "reply" in message else calls).put(message)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _answer(
    message: Message, send: Callable[[Message], None], replies: SimpleQueue[Message]
) -> Message:
    desk = PipeDesk(send, replies, SystemClock(), keeps_logs=message["keeps_logs"])
    try:
        call = unpack_call(message)
    except BaseException as error:
        outcome = Outcome(error=error)
    else:
        call.context.desk = desk
        outcome = copy_context().run(perform, call)
    desk.close()
    answer = pack_outcome(outcome, message["limit_bytes"])
    for stream in (sys.stdout, sys.stderr):  # a worker is killed in the end: print what there is
        with suppress(Exception):
            stream.flush()
    return answer
