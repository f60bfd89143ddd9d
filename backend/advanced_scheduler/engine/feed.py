"""Carries events between the processes of a store, while somebody listens in one of them.

Whoever listens says so in a record; nodes see it with their orders, and then leave a record of
what happened on them a few times a second. Nothing is written, nor read, while nobody listens.
Events may get lost: then all who listen are told that they missed something.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from ..errors import StoreError
from ..events import Event
from ..forks import free_in_child, renew_in_child
from ..models import Record, RecordKind
from ..stores.abilities import Signal
from .ground import Ground
from .signals import Signals
from .told import TOLD, Told, from_json, told

logger = logging.getLogger(__name__)

LISTENERS: Final = "listeners"
"""The id of the order that says who listens: {process: until when}."""

EVERY: Final = 0.25  # seconds between two records of a process, and between two looks
MOST: Final = 200  # events in one record; of more, nobody is told but that there were more
LATE: Final = 2.0  # seconds that a record may be on its way
_LISTENS: Final = 15.0  # seconds for which one word that somebody listens is good
_RENEWAL: Final = 5.0
_KEPT: Final = 10.0  # seconds that a record is there for others
_LONGEST_PAUSE: Final = 5.0  # seconds between two tries while the store is away
_PAGE: Final = 50
_MANY: Final = 10_000

Heard = Callable[[Sequence[Told] | None], None]
"""Takes events of other processes, in the order of their writing; None if some were missed."""


class Feed:
    """One for each scheduler; a thread runs while somebody listens, here or elsewhere."""

    def __init__(self, ground: Ground, signals: Signals) -> None:
        self._shared = ground.store.durable  # nobody else sees what lives in this process
        self._store = ground.store
        self._clock = ground.clock
        self._leases = ground.leases
        self._sender = _Sender(ground)
        self._receiver = _Receiver(ground, signals)
        self._lock = free_in_child(threading.Lock())
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._heard: tuple[Heard, ...] = ()
        self._wanted_until = 0.0
        self._asks_itself = False
        self._renew_at = 0.0
        renew_in_child(self, Feed._begin_anew)

    def listen(self, heard: Heard) -> Callable[[], None]:
        """Call ``heard``, on a thread, with what happens in other processes; answers how to end."""

        def end() -> None:
            self._heard = tuple(one for one in self._heard if one is not heard)

        if self._shared:
            self._heard = (*self._heard, heard)
            self._renew_at = 0.0
            self._ensure()
        return end

    @property
    def has_company(self) -> bool:
        """Whether other processes told of something lately."""
        return self._receiver.has_company

    def heed(self, orders: Iterable[Record]) -> None:
        """What a node was asked, which may be to tell; it looks by itself, and often."""
        self._asks_itself = False
        until = [
            datetime.fromisoformat(until)
            for order in orders
            if order.record_id == LISTENERS
            for process, until in order.data.items()
            if process != self._sender.process
        ]
        seconds = (max(until) - self._leases.now()).total_seconds() if until else 0.0
        if seconds > 0:
            self._wanted_until = self._clock.monotonic() + min(seconds, _LISTENS)
            self._sender.begin()
            self._ensure()
        elif not self._is_wanted():
            self._sender.end()

    def look_for_listeners(self) -> None:
        """In a process without a node: ask who listens, but only when something happens here."""
        if self._shared:
            self._asks_itself = True
            self._sender.begin(self._ensure)

    def close(self) -> None:
        """Carry nothing more; safe to repeat."""
        self._heard = ()
        self._over.set()
        self._sender.end()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_LONGEST_PAUSE)

    def _is_wanted(self) -> bool:
        return self._clock.monotonic() < self._wanted_until

    def _ensure(self) -> None:
        with self._lock:
            if self._thread is None and not self._over.is_set():
                name = "advanced-scheduler-feed"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = EVERY
        while not self._over.wait(pause):
            try:
                self._round()
                if pause != EVERY:
                    self._tell(None)  # by now others may think that nobody listens
                pause = EVERY
            except StoreError as error:
                if pause == EVERY:
                    logger.warning("events are not carried between processes for now: %s", error)
                    self._tell(None)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception:
                logger.exception("events of other processes could not be told")
                self._tell(None)
            with self._lock:
                if not (self._heard or self._is_wanted() or self._sender.pending):
                    self._thread = None
                    return

    def _round(self) -> None:
        if self._asks_itself and self._sender.pending and not self._is_wanted():
            self.heed(self._store.records(RecordKind.ORDER, ids=[LISTENERS]))
            self._asks_itself = True
        if self._is_wanted():
            self._sender.send()
        elif self._asks_itself:
            self._sender.forget()
        else:
            self._sender.end()
        if self._heard:
            self._receive()

    def _receive(self) -> None:
        now = self._clock.monotonic()
        if now >= self._renew_at:
            self._receiver.say(self._sender.process, first=self._renew_at == 0.0)
            self._renew_at = now + _RENEWAL
        events, missed = self._receiver.read(self._sender.process)
        if missed:
            self._tell(None)
        if events:
            self._tell(events)

    def _tell(self, events: Sequence[Told] | None) -> None:
        for heard in self._heard:
            heard(events)

    def _begin_anew(self) -> None:
        """In a forked process: the thread is the parent's, and so is who listens there."""
        self._thread, self._heard, self._wanted_until = None, (), 0.0
        self._sender.begin_anew()


class _Sender:
    """Gathers what happens in this process, and writes it down."""

    def __init__(self, ground: Ground) -> None:
        self._store = ground.store
        self._events = ground.events
        self._leases = ground.leases
        self._gathered: deque[Event] = deque()
        self._missed = False
        self._number = 0
        self._unsubscribe: Callable[[], None] | None = None
        self._woken: Callable[[], None] | None = None
        self._lock = free_in_child(threading.Lock())
        self.process = secrets.token_hex(8)

    @property
    def pending(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._gathered) or self._missed

    def begin(self, woken: Callable[[], None] | None = None) -> None:
        """Gather from now on, and call ``woken`` when there is something; safe to repeat."""
        with self._lock:
            self._woken = woken or self._woken
            if self._unsubscribe is None:
                self._unsubscribe = self._events.subscribe(self._hear, TOLD)

    def end(self) -> None:
        """Gather no more; safe to repeat."""
        with self._lock:
            if self._unsubscribe is not None:
                self._unsubscribe()
            self._unsubscribe = self._woken = None
        self.forget()

    def forget(self) -> None:
        """Nobody wants it."""
        self._gathered.clear()
        self._missed = False

    def send(self) -> None:
        """One record at most; raises ``StoreError``, and then tells that there was something."""
        events = [self._gathered.popleft() for _ in range(len(self._gathered))]
        missed, self._missed = self._missed, False
        if not events and not missed:
            return
        self._number += 1
        now = self._leases.now()
        record = Record(
            kind=RecordKind.EVENTS,
            record_id=f"{_key(now)}:{self.process}:{self._number:012d}",
            written_time=now,
            data={
                "process": self.process,
                "number": self._number,
                "missed": missed,
                "events": [] if missed else [told(one).to_json() for one in events],
            },
        )
        try:
            self._store.save_record(record)
        except StoreError:
            self._missed = True
            raise

    def begin_anew(self) -> None:
        """In a forked process, which is another one."""
        self.process = secrets.token_hex(8)
        self._number = 0
        if self._unsubscribe is not None and self._woken is None:
            self._unsubscribe()
            self._unsubscribe = None
        self.forget()

    def _hear(self, event: Event) -> None:
        """On the thread that publishes."""
        if len(self._gathered) < MOST:
            self._gathered.append(event)
        else:
            self._missed = True
        if self._woken is not None:
            self._woken()


class _Receiver:
    """Reads what other processes have written, each record once."""

    def __init__(self, ground: Ground, signals: Signals) -> None:
        self._store = ground.store
        self._leases = ground.leases
        self._signals = signals
        self._seen: set[str] = set()
        self._numbers: dict[str, int] = {}  # the last of each process
        self._since: datetime | None = None
        self._heard_at: float | None = None

    @property
    def has_company(self) -> bool:
        """Whether another process has told of something within the last seconds."""
        heard = self._heard_at
        return heard is not None and self._leases.monotonic() - heard < _KEPT

    def say(self, process: str, *, first: bool) -> None:
        """That somebody listens here; and take away what all have read by now."""
        now = self._leases.now()
        if first:
            self._since, self._seen, self._numbers = now, set(), {}
        found = self._store.records(RecordKind.ORDER, ids=[LISTENERS])
        others = {
            other: until
            for order in found
            for other, until in order.data.items()
            if datetime.fromisoformat(until) > now
        }
        until = (now + timedelta(seconds=_LISTENS)).isoformat()
        order = Record(
            kind=RecordKind.ORDER,
            record_id=LISTENERS,
            written_time=now,
            data={**others, process: until},
        )
        self._store.save_record(order)
        if first:
            self._signals.tell(Signal.ORDERS)
        kept = now - timedelta(seconds=_KEPT)
        self._store.drop_records_before(RecordKind.EVENTS, kept, _MANY)

    def read(self, process: str) -> tuple[list[Told], bool]:
        """What others have told since the last call, and whether some of it was missed."""
        now = self._leases.now()
        since = self._since or now
        first = _key(since - timedelta(seconds=LATE))
        new: list[Record] = []
        cursor: str | None = None
        while True:
            page = self._store.records(RecordKind.EVENTS, cursor=cursor, limit=_PAGE)
            recent = [one for one in page if one.record_id >= first]
            new += [one for one in recent if one.record_id not in self._seen]
            if len(recent) < _PAGE:
                break
            cursor = page[-1].record_id
        self._since = now
        self._seen = {one for one in self._seen if one >= first}
        self._seen.update(one.record_id for one in new)
        found = [self._taken(one) for one in reversed(new) if one.data["process"] != process]
        return [one for events, _ in found for one in events], any(missed for _, missed in found)

    def _taken(self, record: Record) -> tuple[list[Told], bool]:
        data, process = record.data, str(record.data["process"])
        before, number = self._numbers.get(process), int(data["number"])
        self._numbers[process] = number
        self._heard_at = self._leases.monotonic()
        gap = before is not None and number != before + 1
        return [from_json(one) for one in data["events"]], gap or bool(data["missed"])


def _key(time: datetime) -> str:
    """Sorts like the time."""
    return f"{int(time.timestamp() * 1_000_000):020d}"
