"""Who may do what: keys, sessions of a browser and tickets, each kept in the store as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Any, Final

from ..clock import Clock
from ..faults import is_storable
from ..models import Record, RecordKind
from ..stores.base import Store
from .problems import Problem, not_found

KEY_PREFIX: Final = "ask_"
SESSION: Final = timedelta(hours=12)
TICKET: Final = timedelta(seconds=30)

_KEY, _SESSION, _TICKET = RecordKind.KEY, RecordKind.SESSION, RecordKind.TICKET
_SWEPT: Final = 100  # of what has run out, at each new one
_BYTES: Final = 32
_ID: Final = 12  # hexadecimal digits of the hash of a key, by which people know it
_PAGE: Final = 1000


class Scope(StrEnum):
    """What a caller may do; each includes those before it."""

    READ = "read"  # see
    RUN = "run"  # run, cancel and retry what is registered
    WRITE = "write"  # make, edit, pause and delete
    ADMIN = "admin"  # drain nodes, release locks, manage keys


_ORDER: Final = tuple(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: a name for the audit, and what it may do.

    ``key`` and ``session`` are the hashes of what it has shown, if that was ours to check.
    """

    name: str
    scopes: frozenset[Scope]
    key: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> str:
        """What no other caller has: two keys may have one name."""
        return f"name {self.name}" if self.key is None else f"key {self.key}"

    def may(self, scope: Scope) -> bool:
        """Whether one of its scopes is this one, or includes it."""
        least = _ORDER.index(scope)
        return any(_ORDER.index(one) >= least for one in self.scopes)


ANYBODY: Final = Principal(name="anybody", scopes=frozenset(Scope))
"""Who calls where nothing needs a key: the server is bound to this machine alone."""

NOBODY: Final = Principal(name="nobody", scopes=frozenset())
"""Who calls where nobody is asked who it is, and may do nothing but log in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as it is listed; the key itself is told once, when it is made."""

    key_id: str
    name: str
    scopes: frozenset[Scope]
    created_time: datetime
    expires_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that has shown a key: ``token`` goes into a cookie, ``csrf`` into a header."""

    token: str
    csrf: str
    principal: Principal


class Keyring:
    """Keys, sessions and tickets; all processes of a store know them at once.

    What is shown is looked up by its hash each time, and so is the key that has opened it: a
    session or a ticket holds no longer than its key.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, name: str, scopes: Collection[Scope], expires: datetime | None = None
    ) -> tuple[str, Key]:
        """A new key, 256 bits, and what is kept of it; raises ``Problem``."""
        if not name.strip() or not scopes or not is_storable(name):
            raise Problem(422, "invalid-value", "a key needs a name, and at least one scope")
        if expires is not None and expires <= self._clock.now():
            raise Problem(422, "invalid-value", "a key needs an end that is in the future")
        token = KEY_PREFIX + secrets.token_urlsafe(_BYTES)
        data = {"name": name, "scopes": sorted(scopes), "key_id": _hash(token)[:_ID]}
        return token, _key(self._keep(_KEY, token, data, expires))

    def all(self) -> list[Key]:
        """The keys that are there, expired ones as well, by name."""
        return sorted(map(_key, self._every(_KEY)), key=lambda one: one.name)

    def any(self) -> bool:
        """Whether there is a key, be it an expired one."""
        return bool(self._store.records(_KEY, limit=1))

    def revoke(self, key_id: str) -> None:
        """Forget a key, and so, at once on all processes, all that it has opened."""
        gone = [one.record_id for one in self._every(_KEY) if one.data.get("key_id") == key_id]
        if not gone:
            raise not_found("key", key_id)
        self._store.drop_records(_KEY, gone)
        for kind in (_SESSION, _TICKET):
            opened = [one.record_id for one in self._every(kind) if one.data.get("key") in gone]
            self._store.drop_records(kind, opened)

    def bearer(self, token: str) -> Principal:
        """Who shows this key; raises ``Problem``."""
        return self._of_key(_hash(token))

    def log_in(self, token: str) -> Session:
        """Open a session for whoever shows this key; raises ``Problem``."""
        principal, session = self.bearer(token), secrets.token_urlsafe(_BYTES)
        self._open(_SESSION, session, principal, SESSION)
        return self.session(session)

    def session(self, token: str) -> Session:
        """The session of a cookie; raises ``Problem``."""
        principal = self._of_session(_hash(token))
        return Session(token=token, csrf=csrf_of(token), principal=principal)

    def log_out(self, token: str) -> None:
        """End a session; safe to repeat."""
        self._store.drop_records(_SESSION, [_hash(token)])

    def ticket(self, principal: Principal) -> str:
        """What opens one WebSocket within 30 seconds."""
        token = secrets.token_urlsafe(_BYTES)
        self._open(_TICKET, token, principal, TICKET)
        return token

    def take_ticket(self, token: str) -> Principal:
        """Whose ticket it is, which is used up now; raises ``Problem``."""
        record = self._found(_TICKET, _hash(token))
        if self._store.drop_records(_TICKET, [record.record_id]) != 1:
            raise _unknown()  # somebody else was faster
        return self.still(_principal(record))

    def still(self, principal: Principal) -> Principal:
        """The same caller as of now; raises ``Problem`` where what it has shown holds no more."""
        if principal.session is not None:
            return self._of_session(principal.session)
        return principal if principal.key is None else self._of_key(principal.key)

    def _of_key(self, key: str) -> Principal:
        return replace(_principal(self._found(_KEY, key)), key=key)

    def _of_session(self, session: str) -> Principal:
        opened_by = self._found(_SESSION, session).data.get("key")
        return replace(self._of_key(str(opened_by)), session=session)

    def _found(self, kind: RecordKind, record_id: str) -> Record:
        for one in self._store.records(kind, ids=[record_id]):
            if compare_digest(one.record_id, record_id) and not self._is_over(one):
                return one
        raise _unknown()

    def _is_over(self, record: Record) -> bool:
        expires = record.data.get("expires")
        return expires is not None and datetime.fromisoformat(expires) <= self._clock.now()

    def _every(self, kind: RecordKind) -> Iterator[Record]:
        cursor: str | None = None
        while page := self._store.records(kind, cursor=cursor, limit=_PAGE):
            yield from page
            cursor = page[-1].record_id

    def _open(self, kind: RecordKind, token: str, principal: Principal, length: timedelta) -> None:
        now = self._clock.now()
        self._store.drop_records_before(kind, now - length, _SWEPT)
        data = {
            "name": principal.name,
            "scopes": sorted(principal.scopes),
            "key": principal.key,
            "session": principal.session,
        }
        self._keep(kind, token, data, now + length)

    def _keep(
        self, kind: RecordKind, token: str, data: dict[str, Any], expires: datetime | None
    ) -> Record:
        record = Record(
            kind=kind,
            record_id=_hash(token),
            written_time=self._clock.now(),
            data={**data, "expires": None if expires is None else expires.isoformat()},
        )
        self._store.save_record(record)
        return record


def csrf_of(token: str) -> str:
    """The word that goes with a session: whoever has the cookie may know it, and nobody else."""
    return hmac.digest(token.encode(), b"advanced-scheduler csrf", "sha256").hex()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _principal(record: Record) -> Principal:
    known = {one.value: one for one in Scope}
    scopes = frozenset(known[one] for one in record.data.get("scopes", ()) if one in known)
    return Principal(
        name=str(record.data.get("name", "")),
        scopes=scopes,
        key=record.data.get("key"),
        session=record.data.get("session"),
    )


def _key(record: Record) -> Key:
    expires = record.data.get("expires")
    return Key(
        key_id=str(record.data.get("key_id", "")),
        name=str(record.data.get("name", "")),
        scopes=_principal(record).scopes,
        created_time=record.written_time,
        expires_time=None if expires is None else datetime.fromisoformat(expires),
    )


def _unknown() -> Problem:
    return Problem(401, "unauthorized", "no key, or one that is unknown, expired or revoked")
