"""Idempotency keys: a request that is sent again is answered as the first time, and done once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final, NamedTuple

from ..clock import Clock
from ..models import Record, RecordKind
from ..stores.base import Store
from .problems import Problem

KEPT: Final = timedelta(days=1)
_SWEPT: Final = 100  # old replies that go at each new one
_BODY: Final = 64 * 1024  # bytes of a reply that are kept


class Reply(NamedTuple):
    """What was answered."""

    status: int
    body: str
    location: str | None


class Replies:
    """By who asks, the key and the path; all processes of a store know them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def begin(self, who: str, key: str, path: str, body: bytes) -> tuple[str, Reply | None]:
        """A name for this request, and the reply if it was made before.

        Raises ``Problem``: the key was used for another request, or the first one is under way.
        """
        if not 0 < len(key) <= 255 or not key.isprintable():
            raise Problem(400, "invalid-idempotency-key", "Idempotency-Key: 1 to 255 characters")
        name = _hash(f"{who}\0{key}")
        request = _hash(path.encode() + b"\0" + body)
        now = self._clock.now()
        self._store.drop_records_before(RecordKind.REPLY, now - KEPT, _SWEPT)
        begun = Record(
            kind=RecordKind.REPLY, record_id=name, written_time=now, data={"request": request}
        )
        if self._store.save_record(begun, new=True):
            return name, None
        (found,) = self._store.records(RecordKind.REPLY, ids=[name]) or [begun]
        if found.data.get("request") != request:
            raise Problem(422, "idempotency-key-reused", "this key was used for another request")
        if "status" not in found.data:
            raise Problem(409, "request-under-way", "the first request of this key is under way")
        location = found.data.get("location")
        return name, Reply(int(found.data["status"]), str(found.data["body"]), location)

    def end(self, name: str, path: str, body: bytes, reply: Reply) -> None:
        """Keep what was answered; a fault of the server, or a long reply, is not kept."""
        if reply.status >= 500 or len(reply.body) > _BODY:
            self._store.drop_records(RecordKind.REPLY, [name])
            return
        self._store.save_record(
            Record(
                kind=RecordKind.REPLY,
                record_id=name,
                written_time=self._clock.now(),
                data={"request": _hash(path.encode() + b"\0" + body), **reply._asdict()},
            )
        )

    def give_up(self, name: str) -> None:
        """The request failed without an answer: it may be sent again."""
        self._store.drop_records(RecordKind.REPLY, [name])


def _hash(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()
