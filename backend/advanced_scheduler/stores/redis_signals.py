"""Signals between the nodes that share a Redis server, by publish and subscribe."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import redis

from ..errors import StoreError
from .abilities import Signal
from .redis_client import RedisClient

logger = logging.getLogger(__name__)

_LISTEN_SECONDS: Final = 1.0  # how long the end of a subscription may go unnoticed, at worst
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before each attempt to connect again

_KNOWN: Final = {signal.value.encode(): signal for signal in Signal}


class RedisSignals(RedisClient):
    """``SignalStore`` on a Redis server."""

    def publish(self, signal: Signal) -> None:
        """Tell all subscribers of this store."""
        self._run(lambda client: client.publish(self._channel, str(signal)))

    def subscribe(self, heard: Callable[[Signal], None]) -> Callable[[], None]:
        """Call ``heard`` for each signal, on a thread; answers how to end it."""
        return _Subscription(self, heard).end

    def rouse(self) -> None:
        """Let all subscribers hear something that is no signal."""
        self._run(lambda client: client.publish(self._channel, b""))

    @property
    def _channel(self) -> str:
        return f"{self._root}signals"

    def listener(self) -> Any:
        """A connection of its own that has subscribed; raises ``StoreError``."""

        def work(client: Any) -> Any:
            listener = client.pubsub(ignore_subscribe_messages=True)
            try:
                listener.subscribe(self._channel)
                listener.get_message(timeout=_LISTEN_SECONDS)  # that it has subscribed
            except BaseException:
                listener.close()
                raise
            return listener

        return self._run(work)


class _Subscription:
    """One thread that listens, and connects again when it must."""

    def __init__(self, store: RedisSignals, heard: Callable[[Signal], None]) -> None:
        self._store = store
        self._heard = heard
        self._over = threading.Event()
        self._pid = os.getpid()
        self._listener: Any = self._connected()
        self._thread = threading.Thread(target=self._run, name="redis-signals", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop the thread and wait for it; safe to repeat, and from ``heard`` itself.

        In a forked child there is no thread, and the connection is the parent's.
        """
        self._over.set()
        if os.getpid() != self._pid or threading.current_thread() is self._thread:
            return
        with suppress(StoreError):
            self._store.rouse()  # not by its connection, which may be closed or renewed by now
        self._thread.join()

    def _run(self) -> None:
        attempt = int(self._listener is None)
        while not self._over.is_set():
            if self._listener is None:
                attempt = self._connect_again(attempt)
            else:
                self._listen()
        if self._listener is not None:
            self._listener.close()

    def _connect_again(self, attempt: int) -> int:
        """Which attempt the next one is."""
        if self._over.wait(_PAUSES[min(attempt, len(_PAUSES) - 1)]):
            return attempt
        self._listener = self._connected(attempt)
        if self._listener is None:
            return attempt + 1
        for signal in Signal:  # some may have been missed
            self._tell(signal)
        logger.info("signals of other nodes are heard again")
        return 0

    def _connected(self, attempt: int = 0) -> Any:
        try:
            return self._store.listener()
        except StoreError as error:
            if attempt == 0:
                logger.warning("no signals of other nodes until this is over: %s", error)
            return None

    def _listen(self) -> None:
        try:
            message = self._listener.get_message(timeout=_LISTEN_SECONDS)
        except (redis.RedisError, OSError):
            self._listener.close()
            self._listener = None
            return
        if message is not None and message["type"] == "message" and message["data"] in _KNOWN:
            self._tell(_KNOWN[message["data"]])

    def _tell(self, signal: Signal) -> None:
        try:
            self._heard(signal)
        except Exception:  # of the listener; the next signal may find it well
            logger.exception("a listener to the signal %s failed", signal)
