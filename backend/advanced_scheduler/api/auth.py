"""Who may do what: keys, sessions of a browser and tickets, each kept in the store as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Any, Final

from ..clock import Clock
from ..models import Record, RecordKind
from ..stores.base import Store
from .problems import Problem, not_found

KEY_PREFIX: Final = "ask_"
SESSION: Final = timedelta(hours=12)
TICKET: Final = timedelta(seconds=30)

_KEY, _SESSION, _TICKET = RecordKind.KEY, RecordKind.SESSION, RecordKind.TICKET
_SWEPT: Final = 100  # of what has run out, at each new one
_BYTES: Final = 32


class Scope(StrEnum):
    """What a caller may do; each includes those before it."""

    READ = "read"  # see
    RUN = "run"  # run, cancel and retry what is registered
    WRITE = "write"  # make, edit, pause and delete
    ADMIN = "admin"  # drain nodes, release locks, manage keys


_ORDER: Final = tuple(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls: a name for the audit, and what it may do."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether one of its scopes is this one, or includes it."""
        least = _ORDER.index(scope)
        return any(_ORDER.index(one) >= least for one in self.scopes)


ANYBODY: Final = Principal(name="anybody", scopes=frozenset(Scope))
"""Who calls where nothing needs a key: the server is bound to this machine alone."""


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
    """Keys, sessions and tickets; all processes of a store know them at once."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, name: str, scopes: Collection[Scope], expires: datetime | None = None
    ) -> tuple[str, Key]:
        """A new key, 256 bits, and what is kept of it."""
        if not name.strip() or not scopes:
            raise Problem(422, "invalid-value", "a key needs a name, and at least one scope")
        token = KEY_PREFIX + secrets.token_urlsafe(_BYTES)
        self._keep(token, _KEY, Principal(name=name, scopes=frozenset(scopes)), expires)
        return token, self._known(token)

    def all(self) -> list[Key]:
        """The keys that are there, expired ones as well, by name."""
        found = self._store.records(RecordKind.KEY, limit=10_000)
        return sorted(map(_key, found), key=lambda one: one.name)

    def revoke(self, key_id: str) -> None:
        """Forget a key, at once on all processes, with the sessions it has opened."""
        gone = self._of_key(_KEY, key_id)
        if not gone:
            raise not_found("key", key_id)
        self._store.drop_records(_KEY, gone)
        self._store.drop_records(_SESSION, self._of_key(_SESSION, key_id))

    def bearer(self, token: str) -> Principal:
        """Who shows this key; raises ``Problem``."""
        return _principal(self._shown(token, _KEY))

    def log_in(self, token: str) -> Session:
        """Open a session for whoever shows this key; raises ``Problem``."""
        record = self._shown(token, _KEY)
        principal, session = _principal(record), secrets.token_urlsafe(_BYTES)
        csrf = secrets.token_urlsafe(_BYTES)
        ends = self._clock.now() + SESSION
        more = {"csrf": csrf, "key_id": record.data.get("key_id")}
        self._keep(session, _SESSION, principal, ends, more)
        return Session(token=session, csrf=csrf, principal=principal)

    def session(self, token: str) -> Session:
        """The session of a cookie; raises ``Problem``."""
        record = self._shown(token, _SESSION)
        csrf = str(record.data.get("csrf", ""))
        return Session(token=token, csrf=csrf, principal=_principal(record))

    def log_out(self, token: str) -> None:
        """End a session; safe to repeat."""
        self._store.drop_records(_SESSION, [_hash(token)])

    def ticket(self, principal: Principal) -> str:
        """What opens one WebSocket within 30 seconds."""
        token = secrets.token_urlsafe(_BYTES)
        self._keep(token, _TICKET, principal, self._clock.now() + TICKET)
        return token

    def take_ticket(self, token: str) -> Principal:
        """Whose ticket it is, which is used up now; raises ``Problem``."""
        record = self._shown(token, _TICKET)
        if self._store.drop_records(_TICKET, [record.record_id]) != 1:
            raise _unknown()  # somebody else was faster
        return _principal(record)

    def _of_key(self, kind: RecordKind, key_id: str) -> list[str]:
        found = self._store.records(kind, limit=10_000)
        return [one.record_id for one in found if one.data.get("key_id") == key_id]

    def _shown(self, token: str, kind: RecordKind) -> Record:
        found = self._store.records(kind, ids=[_hash(token)])
        now = self._clock.now()
        for one in found:
            if compare_digest(one.record_id, _hash(token)) and not _is_over(one.data, now):
                return one
        raise _unknown()

    def _known(self, token: str) -> Key:
        (record,) = self._store.records(RecordKind.KEY, ids=[_hash(token)])
        return _key(record)

    def _keep(
        self,
        token: str,
        kind: RecordKind,
        principal: Principal,
        expires: datetime | None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        now = self._clock.now()
        if kind is not _KEY:
            longest = SESSION if kind is _SESSION else TICKET
            self._store.drop_records_before(kind, now - longest, _SWEPT)
        data = {
            "name": principal.name,
            "scopes": sorted(principal.scopes),
            "expires": None if expires is None else expires.isoformat(),
            "key_id": _hash(token)[:12] if kind is _KEY else None,
            **(more or {}),
        }
        self._store.save_record(
            Record(kind=kind, record_id=_hash(token), written_time=now, data=data)
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_over(data: Mapping[str, Any], now: datetime) -> bool:
    expires = data.get("expires")
    return expires is not None and datetime.fromisoformat(expires) <= now


def _principal(record: Record) -> Principal:
    known = {one.value: one for one in Scope}
    scopes = frozenset(known[one] for one in record.data.get("scopes", ()) if one in known)
    return Principal(name=str(record.data.get("name", "")), scopes=scopes)


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
