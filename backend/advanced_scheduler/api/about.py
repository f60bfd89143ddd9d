"""What this is, how it is set, and how long its servers take to answer."""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from .. import __version__
from ..engine.probe import Probe
from ..scheduler import AdvancedTaskScheduler
from ..stores.abilities import MigratedStore
from .operation_schemas import SettingsOut, VersionInfo
from .views import HIDDEN

_SECRET: Final = frozenset({"store", "redis_url", "redis_password"})


class RoundTrip(NamedTuple):
    """How many seconds a server took to answer; ``error`` if it did not."""

    server: str
    seconds: float | None
    error: str | None


class About:
    """Over one scheduler and what it stands on."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler
        asked = (
            (f"store ({type(scheduler.store).__name__})", scheduler.store.ping),
            (f"locks ({scheduler.lock_manager.kind})", scheduler.lock_manager.ping),
        )
        self._probes = [
            (name, Probe(partial(self._seconds, ping), scheduler.clock)) for name, ping in asked
        ]

    def settings(self) -> SettingsOut:
        """The settings in effect; secrets are hidden."""
        told = self._scheduler.settings.in_effect()
        settings = {
            key: HIDDEN if value and key in _SECRET else value for key, value in told.items()
        }
        return SettingsOut(settings=settings)

    def health(self) -> dict[str, Any]:
        """The report of document 003."""
        return self._scheduler.get_health_status()

    def version(self) -> VersionInfo:
        """What this is; raises ``StoreError``."""
        store = self._scheduler.store
        revision = store.revisions().current if isinstance(store, MigratedStore) else None
        return VersionInfo(
            version=__version__,
            python=platform.python_version(),
            store=type(store).__name__,
            revision=revision,
            node=self._scheduler.name,
        )

    def round_trips(self) -> list[RoundTrip]:
        """How long each server takes, asked now; one that hangs is not waited for."""
        found = []
        for name, probe in self._probes:
            seconds, error = probe.answer()
            found.append(RoundTrip(name, seconds, error))
        return found

    def _seconds(self, ping: Callable[[], None]) -> float:
        began = self._scheduler.clock.monotonic()
        ping()
        return self._scheduler.clock.monotonic() - began
