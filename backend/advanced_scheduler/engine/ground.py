"""What most parts of one scheduler stand on."""

from __future__ import annotations

from dataclasses import dataclass

from ..clock import Clock
from ..events import EventBus
from ..registry import TaskRegistry
from ..stores.base import Store
from .lease_clock import LeaseClock
from .store_times import StoreTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The store, the clocks, the tasks and the news; ``times`` tells how long the store took.

    A part that needs several of them is given all, and what it needs besides by name.
    """

    clock: Clock
    leases: LeaseClock
    store: Store
    times: StoreTimes
    events: EventBus
    registry: TaskRegistry
