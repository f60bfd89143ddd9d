"""What the parts of one scheduler are, and how they are put together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from ..clock import Clock, SystemClock
from ..config import Settings
from ..dag import TaskDependencyGraph
from ..errors import ConfigurationError
from ..events import EventBus, EventType
from ..health import SchedulerHealthMonitor
from ..lock_store import LockStore
from ..locks import DistributedTaskLock
from ..registry import TaskRegistry
from ..retry import TaskRetryManager
from ..stores import open_store
from ..stores.base import Store
from .arguments import Arguments
from .backlog import Backlog, backlog_of
from .feed import Feed
from .ground import Ground
from .intake import Intake
from .kinds import kinds_for
from .lease_clock import LeaseClock
from .ledger import Ledger
from .parked import count_parked
from .probe import BRIEF, HURRY, PATIENCE, Probe
from .rehearsal import or_rehearsed, staged
from .runner import Runner
from .settler import Settler
from .signals import Signals
from .steps import Steps
from .store_times import StoreTimes
from .ticker import Ticker


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(Ground):
    """What a scheduler has whether it runs or not; ``Node`` adds what runs."""

    settings: Settings
    asked_store: str | Store  # as the caller named it
    asked_locks: Any  # the same: a client of Redis, its URL, or None
    probe: Probe[Backlog]
    lock_probe: Probe[None]
    parked: Probe[dict[str, int]]  # apart: it counts all schedules, and nothing is judged by it
    signals: Signals
    feed: Feed
    graph: TaskDependencyGraph
    retries: TaskRetryManager
    monitor: SchedulerHealthMonitor
    locks: DistributedTaskLock
    fallback_locks: DistributedTaskLock | None
    locks_apart: bool  # on a server that is not the store's
    arguments: Arguments
    settler: Settler
    intake: Intake
    runner: Callable[..., Runner]  # makes the one of a node
    steps: Steps
    ticker: Ticker
    ledger: Ledger

    def close(self) -> None:
        """Release what is held of servers and files."""
        self.feed.close()
        self.locks.close()
        if self.fallback_locks is not None:
            self.fallback_locks.close()
        self.store.close()


def assemble(
    redis_client: Any,
    *,
    store: str | Store | None,
    settings: Settings,
    clock: Clock | None,
    tracer_provider: Any = None,
) -> Parts:
    """Make all parts; the store is open afterwards."""
    settings, kinds = _checked(settings), kinds_for(tracer_provider)
    clock = clock or SystemClock(settings.clock_offset_seconds)
    asked = settings.store if store is None else store
    store = _opened(or_rehearsed(asked), settings)
    ground = _ground(store, clock)
    arguments, settler = _arguments(store, settings), Settler(ground)
    intake = kinds.intake(ground, arguments=arguments, settler=settler)
    steps = Steps(ground, intake=intake, arguments=arguments)
    ticker = kinds.ticker(ground, steps=steps, intake=intake, settler=settler)
    locks, fallback = _locks(redis_client, ground, settings)
    signals = _signals(store, ground.events)
    return Parts(
        clock=clock,
        leases=ground.leases,
        store=store,
        times=ground.times,
        events=ground.events,
        registry=ground.registry,
        settings=settings,
        asked_store=asked,
        asked_locks=redis_client,
        probe=_backlog_probe(ground, settings),
        lock_probe=_lock_probe(locks, ground),
        parked=_parked_probe(ground, ticker),
        signals=signals,
        feed=Feed(ground, signals),
        graph=TaskDependencyGraph(),
        retries=TaskRetryManager(clock=clock),
        monitor=_monitor(ground.events, clock),
        locks=locks,
        fallback_locks=fallback,
        locks_apart=redis_client is not None or settings.redis_url is not None,
        arguments=arguments,
        settler=settler,
        intake=intake,
        runner=kinds.runner,
        steps=steps,
        ticker=ticker,
        ledger=_ledger(ground, settings, ticker),
    )


def _checked(settings: object) -> Settings:
    if isinstance(settings, Settings):
        return settings
    raise ConfigurationError(f"settings={settings!r} must be a Settings")


def _ground(store: Store, clock: Clock) -> Ground:
    events = EventBus()
    return Ground(
        clock=clock,
        leases=LeaseClock(store, clock),
        store=store,
        times=StoreTimes(store, events, clock),
        events=events,
        registry=TaskRegistry(),
    )


def _arguments(store: Store, settings: Settings) -> Arguments:
    return Arguments(
        as_json=store.durable,
        check=settings.strict_arguments,
        limit_bytes=settings.arguments_limit_bytes,
        result_limit=settings.result_limit_bytes,
    )


def _ledger(ground: Ground, settings: Settings, ticker: Ticker) -> Ledger:
    return Ledger(
        ground,
        kept=timedelta(days=settings.history_days),
        unfired=lambda: ticker.parked,
        fired=lambda: ticker.last_fired,
    )


def _backlog_probe(ground: Ground, settings: Settings) -> Probe[Backlog]:
    ask = partial(backlog_of, ground.store, ground.clock, settings)
    return Probe(ask, ground.clock, patience=PATIENCE if ground.store.blocking else None)


def _lock_probe(locks: DistributedTaskLock, ground: Ground) -> Probe[None]:
    may_hang = locks.kind == "redis" or ground.store.blocking
    return Probe(locks.ping, ground.clock, patience=PATIENCE if may_hang else None)


def _parked_probe(ground: Ground, ticker: Ticker) -> Probe[dict[str, int]]:
    return Probe(
        lambda: count_parked(ground.store, ground.registry, ticker.parked),
        ground.clock,
        patience=BRIEF if ground.store.blocking else None,
        rest=20.0,
        hurry=HURRY,
    )


def _opened(store: str | Store, settings: Settings) -> Store:
    if isinstance(store, str):
        store = open_store(store or settings.store, auto_migrate=settings.auto_migrate)
    elif not hasattr(store, "exchange"):
        raise ConfigurationError(
            f"store={store!r} is neither a URL, such as sqlite:///jobs.db, nor a store"
        )
    store = staged(store)
    store.open()
    return store


def _signals(store: Store, events: EventBus) -> Signals:
    signals = Signals(store)
    events.subscribe(signals.pass_on, [EventType.REVOKED])
    return signals


def _monitor(events: EventBus, clock: Clock) -> SchedulerHealthMonitor:
    monitor = SchedulerHealthMonitor(clock)
    events.subscribe(monitor.listen, monitor.HEARD)
    return monitor


def _locks(
    redis_client: Any, ground: Ground, settings: Settings
) -> tuple[DistributedTaskLock, DistributedTaskLock | None]:
    """On Redis if there is one, else in the store if others may share it, else in process."""
    client = redis_client if redis_client is not None else _redis_url(settings)
    if client is None:
        client = getattr(ground.store, "lock_url", None)
    lock_store = ground.store if isinstance(ground.store, LockStore) else None
    deadline = settings.lock_wait_seconds
    beside = DistributedTaskLock(store=lock_store, clock=ground.leases, command_deadline=deadline)
    if client is None:
        return beside, None
    return DistributedTaskLock(client, clock=ground.leases, command_deadline=deadline), beside


def _redis_url(settings: Settings) -> str | None:
    """The address with the password put in, unless the address has one."""
    url, password = settings.redis_url, settings.redis_password
    if url is None or password is None or "@" in url:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://:{quote(password.get_secret_value(), safe='')}@{rest}"
