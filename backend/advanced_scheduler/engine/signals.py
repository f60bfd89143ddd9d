"""Tells the nodes of this process, and others on a store that can; polling does the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import StoreError
from ..events import Event, EventType
from ..stores.abilities import Signal, SignalStore
from ..stores.base import Store

logger = logging.getLogger(__name__)


class Signals:
    """Signals may get lost: nothing depends on one but how soon it is noticed."""

    def __init__(self, store: Store) -> None:
        self._store = store if isinstance(store, SignalStore) else None
        self._listeners: tuple[Callable[[Signal], None], ...] = ()

    def tell(self, signal: Signal) -> None:
        """Tell all nodes; raises nothing."""
        for heard in self._listeners:
            heard(signal)
        if self._store is None:
            return
        try:
            self._store.publish(signal)
        except StoreError as error:
            logger.warning("other nodes are not told of %s and will find out: %s", signal, error)

    def pass_on(self, event: Event) -> None:
        """The node that runs what was cancelled here is to stop it soon."""
        if event.type is EventType.REVOKED and event.data["node"] is not None:
            self.tell(Signal.REVOKED)

    def hear(self, heard: Callable[[Signal], None]) -> Callable[[], None]:
        """Call ``heard``, on any thread, for each signal; answers how to end it."""
        self._listeners = (*self._listeners, heard)
        unsubscribe = None if self._store is None else self._store.subscribe(heard)

        def end() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not heard)
            if unsubscribe is not None:
                unsubscribe()

        return end
