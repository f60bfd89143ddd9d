"""Signals between nodes by LISTEN and NOTIFY, on one connection and one thread for each store."""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.sql import SQL, Identifier
from sqlalchemy.engine import Connection

from .abilities import Signal
from .sql_postgresql import PatientConnection, PostgresDialect

logger = logging.getLogger(__name__)

Heard = Callable[[Signal], None]

_NOTIFY: Final = sa.select(
    sa.func.pg_notify(sa.bindparam("channel", type_=sa.Text), sa.bindparam("signal", type_=sa.Text))
)
_FIRST_PAUSE: Final = 0.1  # seconds before another attempt to connect, doubled each time
_LONGEST_PAUSE: Final = 5.0
_CLOSE_SECONDS: Final = 1.0


class Listener:
    """Who wants to hear of the signals of a schema; the thread runs while there is somebody."""

    def __init__(self, dialect: PostgresDialect) -> None:
        self._dialect = dialect
        self._channel = f"as:{dialect.schema}"
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._thread: _Ear | None = None
        self._inherited: list[object] = []

    def tell(self, db: Connection, signal: Signal) -> None:
        """Tell all nodes when the transaction is committed; twice the same is told once."""
        statement, given = self.news(signal)
        db.execute(statement, given)

    def news(self, signal: Signal) -> tuple[sa.Select[Any], Mapping[str, str]]:
        """The statement that tells them, and its parameters."""
        return _NOTIFY, {"channel": self._channel, "signal": str(signal)}

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Call ``heard`` for each signal from now on; answers how to end it."""
        with self._lock:
            self._heard = [*self._heard, heard]
            if self._thread is None:
                self._thread = _Ear(self._dialect, self._channel, self._spread)
                self._thread.start()

        def end() -> None:
            with self._lock:
                self._heard = [one for one in self._heard if one is not heard]
                left, ear = self._heard, self._thread
                if not left:
                    self._thread = None
            if not left and ear is not None:
                ear.end()

        return end

    def close(self) -> None:
        """Nobody hears anything any more; safe to repeat."""
        with self._lock:
            self._heard, ear, self._thread = [], self._thread, None
        if ear is not None:
            ear.end()

    def begin_anew(self) -> None:
        """In a child that was just forked: whoever listened, and its thread, are in the parent."""
        self._inherited.append(self._thread)  # to free its connection would close it
        self._lock = threading.Lock()
        self._heard, self._thread = [], None

    def _spread(self, signal: Signal) -> None:
        for heard in self._heard:
            try:
                heard(signal)
            except Exception:  # of others
                logger.exception("whoever hears of signals has failed at %s", signal)


class _Ear(threading.Thread):
    """Listens, and connects again by itself, until it is told to end."""

    def __init__(self, dialect: PostgresDialect, channel: str, spread: Heard) -> None:
        super().__init__(name="advanced-scheduler signals", daemon=True)
        self._dialect = dialect
        self._channel = channel
        self._spread = spread
        self._ended = threading.Event()
        self._waker, self._woken = socket.socketpair()

    def end(self) -> None:
        """Stop listening; waits a moment for it, unless it is the thread itself that asks."""
        self._ended.set()
        self._waker.close()
        if threading.current_thread() is not self:
            self.join(_CLOSE_SECONDS)

    def run(self) -> None:
        """Hear of signals through any number of connections."""
        pause, deaf = _FIRST_PAUSE, False
        while not self._ended.is_set():
            try:
                with self._dialect.connect_apart() as db:
                    db.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
                    if deaf:
                        logger.info("signals of %s are heard again", self._dialect.shown)
                    pause, deaf = _FIRST_PAUSE, False
                    self._listen(db)
            except (psycopg.Error, OSError) as error:
                if not deaf and not self._ended.is_set():
                    why = " ".join(str(error).split())
                    logger.warning("no signals of %s for now: %s", self._dialect.shown, why)
                deaf = True
                self._ended.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        self._woken.close()

    def _listen(self, db: PatientConnection) -> None:
        for signal in Signal:
            self._spread(signal)  # what was told before nobody listened may have been missed
        with selectors.DefaultSelector() as selector:
            selector.register(db.pgconn.socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._ended.is_set():
                selector.select()
                db.pgconn.consume_input()
                while (told := db.pgconn.notifies()) is not None:
                    text = told.extra.decode()
                    if text in set(Signal):
                        self._spread(Signal(text))
