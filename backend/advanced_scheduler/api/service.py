"""All that the service can do, without a framework: what REST, pages and commands call."""

from __future__ import annotations

from typing import Final

from ..scheduler import AdvancedTaskScheduler
from .about import About
from .audit import AuditTrail
from .auth import Keyring
from .cluster import Cluster
from .dead_letters import DeadLetters
from .executions import Executions
from .live import LiveEvents
from .replies import Replies
from .schedules import ScheduleService
from .series import TimeSeries
from .shared_time import SharedClock
from .tasks import Tasks
from .waiting import Waiting
from .workflows import Workflows


class Service:
    """One part for each kind of thing; each call raises ``Problem`` or ``SchedulerError``."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        store, clock = scheduler.store, scheduler.clock
        shared = SharedClock(store, clock)
        self.scheduler: Final = scheduler
        self.tasks: Final = Tasks(scheduler)
        self.executions: Final = Executions(scheduler)
        self.schedules: Final = ScheduleService(scheduler)
        self.workflows: Final = Workflows(scheduler)
        self.cluster: Final = Cluster(scheduler)
        self.waiting: Final = Waiting(scheduler)
        self.dead_letters: Final = DeadLetters(scheduler)
        self.keys: Final = Keyring(store, shared)
        self.audit: Final = AuditTrail(store, clock)
        self.replies: Final = Replies(store, shared)
        self.about: Final = About(scheduler)
        self.live: Final = LiveEvents(scheduler)
        self.series: Final = TimeSeries(store, clock)

    def close(self) -> None:
        """Hear no more of the scheduler, which stays."""
        self.live.close()
