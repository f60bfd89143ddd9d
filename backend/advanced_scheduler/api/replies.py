"""Idempotency keys: a request that is sent again is answered as the first time, and done once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from ..clock import Clock
from ..engine.ids import ExecutionIds, ids_under
from ..models import Record, RecordKind
from ..stores.base import Store
from .problems import Problem

KEPT: Final = timedelta(days=1)
_SWEPT: Final = 100  # old replies that go at each new one
_BODY: Final = 1024 * 1024  # characters of a reply that are kept

LEASE: Final = timedelta(seconds=60)
"""How long a request counts as under way from which nothing more is heard."""

_TRIES: Final = 20  # of one request, of each but the last of which nobody knows what became


class Begun(NamedTuple):
    """A request under way: the name of its record, and the hash of what was asked.

    ``new_id`` is for what it makes, the same at each try: what one has made that was killed, or
    lost its store before it heard the answer, the next does not make again.
    """

    name: str
    request: str
    new_id: str


class Reply(NamedTuple):
    """What was answered."""

    status: int
    body: str
    location: str | None
    etag: str | None = None


class Replies:
    """By who asks, the key and the path; all processes of a store know them.

    Who begins a request has a lease on it, renewed while it is under way: where a process is
    killed in the midst, the request may be sent again once that has run out.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._ids = ExecutionIds()

    def begin(self, who: str, key: str, path: str, body: bytes) -> tuple[Begun, Reply | None]:
        """A request that is under way now, or the reply if it was made before.

        Raises ``Problem``: the key was used for another request, or the first one is under way.
        """
        if not 0 < len(key) <= 255 or not key.isprintable():
            what = "one Idempotency-Key of 1 to 255 characters"
            raise Problem(400, "invalid-idempotency-key", what)
        name = _hash(f"{who}\0{key}")
        request = _hash(path.encode() + b"\0" + body)
        now = self._clock.now()
        self._store.drop_records_before(RecordKind.REPLY, now - KEPT, _SWEPT)
        tries = self._tries(name)
        new_id = (tries[0].data.get("new_id") if tries else None) or self._ids.make(now)
        for one in tries:
            if one.data.get("request") != request:
                raise Problem(
                    422, "idempotency-key-reused", "this key was used for another request"
                )
            if "status" in one.data:
                told = (one.data.get(name) for name in ("location", "etag"))
                reply = Reply(int(one.data["status"]), str(one.data["body"]), *told)
                return Begun(one.record_id, request, new_id), reply
        number = int(tries[-1].record_id.rpartition("-")[2]) + 1 if tries else 0
        begun = Begun(f"{name}-{number}", request, new_id)
        held = tries and "over" not in tries[-1].data and tries[-1].written_time + LEASE > now
        if held or number == _TRIES or not self._save(begun, {}, new=True):
            raise Problem(409, "request-under-way", "the first request of this key is under way")
        return begun, None

    def plan(self, begun: Begun, choose: Callable[[], Iterable[str]]) -> dict[str, str]:
        """What the request is about, and for each the id of what it makes of it.

        The first try chooses for all that follow: what has come since, this request does not
        concern, and what it has made itself, it does not find.
        """
        wanted = RecordKind.REPLY, _plan_of(begun)
        if not (found := self._store.records(wanted[0], ids=[wanted[1]])):
            found = [self._record(wanted[1], {"chosen": [*choose()]})]
            if not self._store.save_record(found[0], new=True):  # another try was as fast
                found = self._store.records(wanted[0], ids=[wanted[1]]) or found
        chosen = found[0].data["chosen"]
        return dict(zip(chosen, ids_under(begun.new_id, "request"), strict=False))

    def renew(self, begun: Begun) -> None:
        """It is still under way."""
        self._save(begun, {})

    def end(self, begun: Begun, reply: Reply) -> None:
        """Keep what was answered; a fault of the server, or a long reply, is not kept."""
        if reply.status >= 500 or len(reply.body) > _BODY:
            self.doubt(begun)
        else:
            self._save(begun, reply._asdict())

    def give_up(self, begun: Begun) -> None:
        """The request was refused: it may be sent again, as if it had not been."""
        first = begun.name.endswith("-0")
        gone = [begun.name, _plan_of(begun)] if first else [begun.name]
        self._store.drop_records(RecordKind.REPLY, gone)

    def doubt(self, begun: Begun) -> None:
        """The request failed, maybe after it was done: it may be sent again, and makes no more."""
        self._save(begun, {"over": True})

    def _tries(self, name: str) -> list[Record]:
        """From the first to the last; a new one is a new record, so that only one can make it."""
        ids = [f"{name}-{number}" for number in range(_TRIES)]
        found = {one.record_id: one for one in self._store.records(RecordKind.REPLY, ids=ids)}
        return [found[one] for one in ids if one in found]

    def _save(self, begun: Begun, reply: Mapping[str, Any], *, new: bool = False) -> bool:
        asked = {"request": begun.request, "new_id": begun.new_id}
        return self._store.save_record(self._record(begun.name, {**asked, **reply}), new=new)

    def _record(self, name: str, data: Mapping[str, Any]) -> Record:
        now = self._clock.now()
        return Record(kind=RecordKind.REPLY, record_id=name, written_time=now, data=data)


def _plan_of(begun: Begun) -> str:
    """The name of the record that all tries of a request have in common."""
    return f"{begun.name.rpartition('-')[0]}-plan"


def _hash(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
