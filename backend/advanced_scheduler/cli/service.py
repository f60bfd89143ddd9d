"""Where a client finds its service: over the network, or in this very process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from getpass import getuser
from typing import TYPE_CHECKING, Final

from .client import PREFIX, SECONDS, Client
from .outcome import CommandFailed, Exit
from .sources import scheduler_at, store_at, twin_of

if TYPE_CHECKING:
    import httpx

    from ..scheduler import AdvancedTaskScheduler
    from ..stores.base import Store

_HERE: Final = "http://localhost"


@contextmanager
def client_of(url: str | None, store: str | None, app: str | None) -> Iterator[Client]:
    """A client of the service at ``url``, or of one in this process for ``store`` and ``app``.

    What is not given, the settings say: ``url`` before ``store``. Raises ``CommandFailed`` and
    ``SchedulerError``.
    """
    if url is not None and (store is not None or app is not None):
        raise CommandFailed("give --url, or --store and --app, not both", Exit.USAGE)
    if url is None and store is None and app is None:
        url = _configured_url()
    if url is not None:
        with remote(url) as client:
            yield client
        return
    with scheduler_of(store, app) as found, _served(found.scheduler) as http:
        yield Client(http, knows_tasks=found.knows_tasks, fleeting=found.fleeting)


@contextmanager
def remote(url: str) -> Iterator[Client]:
    """A client of the service at a URL; the key is that of the settings."""
    import httpx

    from ..config import ClientSettings, read_settings

    base = url.rstrip("/").removesuffix(PREFIX)
    try:
        known = base.startswith(("http://", "https://")) and bool(httpx.URL(base).host)
    except httpx.InvalidURL:
        known = False
    if not known:
        raise CommandFailed(f"--url {url!r}: write http://host:port", Exit.USAGE)
    key = read_settings(ClientSettings).api_key
    headers = {} if key is None else {"authorization": f"Bearer {key.get_secret_value()}"}
    with httpx.Client(base_url=base, headers=headers, timeout=SECONDS) as http:
        yield Client(http, remote=True)


@contextmanager
def in_memory() -> Iterator[Client]:
    """A client of a service that has nothing: for what no service needs to be asked."""
    from ..scheduler import AdvancedTaskScheduler

    with closing(AdvancedTaskScheduler(store="memory://")) as scheduler, _served(scheduler) as http:
        yield Client(http, fleeting=True)


@dataclass(frozen=True, slots=True)
class Found:
    """A scheduler that nobody starts: ``fleeting``, if it keeps everything in this process."""

    scheduler: AdvancedTaskScheduler
    knows_tasks: bool = True
    fleeting: bool = False


@contextmanager
def scheduler_of(store: str | None, app: str | None) -> Iterator[Found]:
    """The tasks of an application on its own store, or on another one; without it, a store alone.

    Raises ``CommandFailed`` and ``SchedulerError``.
    """
    from ..scheduler import AdvancedTaskScheduler
    from ..stores import open_store

    code = None if app is None else scheduler_at(app)
    asked: str | Store | None = _configured_store(store) if code is None else store
    if code is not None and store is None:
        asked = code.asked_store
        if not (open_store(asked) if isinstance(asked, str) else asked).durable:
            with closing(code):
                yield Found(code, fleeting=True)
            return
    with store_at(asked) as target:
        _check_made(target)
        made = AdvancedTaskScheduler(store=target) if code is None else twin_of(code, target)
        with closing(made):
            yield Found(made, knows_tasks=code is not None)


def _configured_store(store: str | None) -> str | None:
    from ..config import Settings, read_settings

    if store is None and "store" not in read_settings(Settings).model_fields_set:
        raise CommandFailed(
            "say which scheduler: --url, --store or --app, or ADVANCED_SCHEDULER_URL or "
            "ADVANCED_SCHEDULER_STORE",
            Exit.USAGE,
        )
    return store


def _check_made(store: Store) -> None:
    """A look at a database must not make one."""
    from ..stores.abilities import MigratedStore

    if isinstance(store, MigratedStore) and store.revisions().current is None:
        raise CommandFailed(
            "the store has no tables of ours yet; is its address right? "
            "`advanced-scheduler db upgrade` makes them",
            Exit.NOT_FOUND,
        )


@contextmanager
def _served(scheduler: AdvancedTaskScheduler) -> Iterator[httpx.Client]:
    """REST over a scheduler of this process, with all scopes, in the name of who is logged in."""
    import httpx

    from ..api import Principal, Scope, create_app
    from .bridge import Bridge

    local = Principal(name=f"{getuser()}@cli", scopes=frozenset(Scope))
    app = create_app(scheduler, run=False, dashboard=False, authenticate=lambda _: local)
    with _event_loop() as loop, httpx.Client(transport=Bridge(app, loop), base_url=_HERE) as http:
        yield http


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop on a thread of its own; what still runs there is cancelled at the end."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="advanced-scheduler-cli", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    """End the streams that nobody reads any more."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _configured_url() -> str | None:
    from ..config import ClientSettings, read_settings

    return read_settings(ClientSettings).url
