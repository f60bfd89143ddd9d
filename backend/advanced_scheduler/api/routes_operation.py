"""The routes of the queue, nodes, locks, dead letters, keys, the audit, and what this is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from .access import COOKIE, cookie_path, is_encrypted
from .asking import ADMIN, READ, RUN, WRITE, Cursor, PageLimit, PathId, Planned
from .audit import AuditPage
from .auth import Key, Principal, Scope, csrf_of
from .cluster_schemas import LockPage, NodePage, QueueOut
from .fields import PriorityName
from .live import server_sent, wanted
from .operation_schemas import (
    DeadLetterPage,
    EventSearch,
    HealthOut,
    KeyAsked,
    KeyMade,
    KeyOut,
    KeyPage,
    KeyRevoked,
    LoginAsked,
    LoginOut,
    PauseAsked,
    ScopeName,
    SessionOut,
    SettingsOut,
    TicketOut,
    VersionInfo,
)
from .problems import Problem, not_found
from .schemas import BatchOut, StatusOut
from .service import Service
from .waiting import MOST, WaitingPage

_LAST_KEY: Final = (
    "that was the last key: calls on the machine of a service are let in without one from now on, "
    "with every scope, unless it has trust_local=False or a check of its own"
)


def add_cluster(router: APIRouter, service: Service) -> None:
    """The queue and the locks."""
    cluster = service.cluster

    @router.get("/queue", dependencies=[READ])
    def get_queue() -> QueueOut:
        """What waits, by priority, and what is paused."""
        return cluster.queue()

    @router.get("/queue/lanes/{priority}", dependencies=[READ])
    def get_lane(
        priority: PriorityName, limit: Annotated[int, Query(ge=1, le=MOST)] = 50
    ) -> WaitingPage:
        """Who is next at one priority, in the order in which nodes take them, and why each waits.

        Nothing grows more urgent by waiting: the priority shown is the one that counts.
        """
        return WaitingPage(items=service.waiting.lane(priority, limit))

    @router.post("/queue/pause", dependencies=[WRITE])
    def pause_queue(asked: PauseAsked) -> StatusOut:
        """Start nothing of a queue or a priority, or nothing at all, on any node."""
        cluster.pause(asked)
        return StatusOut(status="paused")

    @router.post("/queue/resume", dependencies=[WRITE])
    def resume_queue(asked: PauseAsked) -> StatusOut:
        """Take back just that pause."""
        cluster.go_on(asked)
        return StatusOut(status="resumed")

    @router.get("/locks", dependencies=[READ])
    def list_locks() -> LockPage:
        """The locks of the tasks that need one."""
        return cluster.locks()

    @router.post("/locks/{task_id}/release", dependencies=[ADMIN])
    def release_lock(task_id: PathId, plan: Planned) -> StatusOut:
        """Take it from its holder, who may still be at work: its result will not count."""
        if not cluster.release_lock(task_id, plan):
            raise Problem(409, "lock-free", f"nobody holds the lock of task {task_id!r}")
        return StatusOut(status="released")


def add_nodes(router: APIRouter, service: Service) -> None:
    """The nodes."""
    cluster = service.cluster

    @router.get("/nodes", dependencies=[READ])
    def list_nodes() -> NodePage:
        """The nodes that run, or were killed lately."""
        return cluster.nodes()

    @router.post("/nodes/{node_id}/drain", dependencies=[ADMIN])
    def drain_node(node_id: PathId) -> StatusOut:
        """Let it start nothing more, and end what it runs."""
        cluster.drain(node_id)
        return StatusOut(status="draining")

    @router.post("/nodes/{node_id}/resume", dependencies=[ADMIN])
    def resume_node(node_id: PathId) -> StatusOut:
        """Let a node that drains go on."""
        cluster.resume(node_id)
        return StatusOut(status="resumed")

    @router.delete("/nodes/{node_id}", dependencies=[ADMIN])
    def forget_node(node_id: PathId) -> StatusOut:
        """Show a dead node no more."""
        cluster.forget(node_id)
        return StatusOut(status="forgotten")


def add_dead_letters(router: APIRouter, service: Service) -> None:
    """What failed for good, by task and kind of error."""
    letters = service.dead_letters

    @router.get("/dead-letters", dependencies=[READ])
    def list_dead_letters() -> DeadLetterPage:
        """The groups, the largest first."""
        return letters.groups()

    @router.post("/dead-letters/{group_id}/retry", dependencies=[RUN])
    def retry_dead_letters(group_id: PathId, plan: Planned) -> BatchOut:
        """Run each of a group again."""
        return letters.retry(group_id, plan)

    @router.post("/dead-letters/{group_id}/discard", dependencies=[WRITE])
    def discard_dead_letters(group_id: PathId, plan: Planned) -> BatchOut:
        """Delete each of a group."""
        return letters.discard(group_id, plan)


def add_watching(router: APIRouter, service: Service) -> None:
    """Events, the audit, settings and versions."""

    @router.get("/events", dependencies=[READ], response_class=StreamingResponse)
    def stream_events(
        request: Request,
        chosen: Annotated[EventSearch, Query()],
    ) -> StreamingResponse:
        """What happens, as server-sent events; ``Last-Event-ID`` goes on where it broke off."""
        said = request.headers.get("last-event-id", "")
        after = int(said) if said.isascii() and said.isdigit() and len(said) <= 16 else None
        headers = {"x-accel-buffering": "no"}
        chosen_ones = wanted(chosen.model_dump())
        events = server_sent(service.live, chosen_ones, after, request.state.still)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    @router.get("/audit", dependencies=[READ])
    def list_audit(limit: PageLimit = 100, cursor: Cursor = None) -> AuditPage:
        """Who did what, the latest first."""
        return service.audit.page(limit, cursor)

    @router.get("/health", dependencies=[READ])
    def get_health() -> HealthOut:
        """The report of document 003."""
        return HealthOut.model_validate(service.about.health())

    @router.get("/settings", dependencies=[READ])
    def get_settings() -> SettingsOut:
        """The settings in effect; secrets are hidden."""
        return service.about.settings()

    @router.get("/version", dependencies=[READ])
    def get_version() -> VersionInfo:
        """What this is."""
        return service.about.version()


def add_keys(router: APIRouter, service: Service) -> None:
    """Keys, the sessions of browsers, and tickets."""
    keys = service.keys

    @router.get("/keys", dependencies=[ADMIN])
    def list_keys() -> KeyPage:
        """The keys, without themselves."""
        return KeyPage(items=[_key(one) for one in keys.all()])

    @router.post("/keys", status_code=201, dependencies=[ADMIN])
    def create_key(asked: KeyAsked, response: Response) -> KeyMade:
        """A new key: only this answer has it."""
        token, made = keys.create(
            asked.name, [Scope(one) for one in asked.scopes], asked.expires_time
        )
        response.headers["location"] = f"keys/{made.key_id}"
        return KeyMade(**_key(made).model_dump(), key=token)

    @router.delete("/keys/{key_id}", dependencies=[ADMIN])
    def revoke_key(key_id: Annotated[str, Path(min_length=1, max_length=64)]) -> KeyRevoked:
        """Let it open nothing more, at once, on all processes; a warning tells of the last one."""
        keys.revoke(key_id)
        return KeyRevoked(status="revoked", warning=None if keys.any() else _LAST_KEY)

    @router.post("/tickets", dependencies=[READ])
    def make_ticket(request: Request) -> TicketOut:
        """What opens one WebSocket, within 30 seconds."""
        caller: Principal = request.state.principal
        return TicketOut(ticket=keys.ticket(caller))

    @router.get("/session", dependencies=[READ])
    def get_session(request: Request) -> SessionOut:
        """Who calls; ``csrf`` is null where no word is needed."""
        caller: Principal = request.state.principal
        csrf = None if caller.session is None else csrf_of(request.cookies[COOKIE])
        return SessionOut(name=caller.name, scopes=_scopes(caller.scopes), csrf=csrf)

    @router.delete("/session")
    def log_out(request: Request, response: Response) -> StatusOut:
        """End the session of this browser."""
        cookie = request.cookies.get(COOKIE)
        if cookie is None:
            raise not_found("session", "of this browser")
        keys.log_out(cookie)
        response.delete_cookie(COOKIE, cookie_path(request))
        return StatusOut(status="ended")


def add_login(router: APIRouter, service: Service) -> None:
    """The one route that needs no key but in its body."""

    @router.post("/session", status_code=201)
    def log_in(asked: LoginAsked, request: Request, response: Response) -> LoginOut:
        """Open a session: its cookie stands for the key, and no script can read it."""
        session = service.keys.log_in(asked.key)
        request.state.principal = session.principal  # for the audit
        response.set_cookie(
            COOKIE,
            session.token,
            httponly=True,
            samesite="strict",
            secure=is_encrypted(request),
            path=cookie_path(request),
        )
        principal = session.principal
        scopes = _scopes(principal.scopes)
        return LoginOut(name=principal.name, scopes=scopes, csrf=session.csrf)


def _scopes(scopes: Collection[Scope]) -> list[ScopeName]:
    return [one.value for one in Scope if one in scopes]


def _key(key: Key) -> KeyOut:
    return KeyOut(
        id=key.key_id,
        name=key.name,
        scopes=_scopes(key.scopes),
        created_time=key.created_time,
        expires_time=key.expires_time,
    )
