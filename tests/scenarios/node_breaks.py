"""Owns the faults of the scenarios of many nodes: crashes at a bad moment, and promises missing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import sqlalchemy as sa

from advanced_scheduler import lifecycle
from advanced_scheduler.engine import housekeeper, loop
from advanced_scheduler.engine import node as nodes
from advanced_scheduler.engine.housekeeper import Housekeeper
from advanced_scheduler.engine.lease_clock import LeaseClock
from advanced_scheduler.engine.node import Node
from advanced_scheduler.models import TaskExecution

Patch = Callable[[Any, str, Any], None]

RESCUED: Final = 4
"""How many executions ``dies-in-recovery`` recovers before it dies."""


def dies_in_recovery(patch: Patch) -> None:
    """No fault, but a misfortune: the node is killed after the first page of its recovery."""

    def die(self: Housekeeper, row: TaskExecution, after: TaskExecution) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    patch(housekeeper, "BATCH", RESCUED)
    patch(Housekeeper, "_tell", die)


def same_boot_id(patch: Patch) -> None:
    """A node is known by its name alone."""
    patch(nodes, "secrets", SimpleNamespace(token_hex=lambda size: "0"))


def claims_as_if_alone(patch: Patch) -> None:
    """A claim on PostgreSQL locks nothing between the look and the grasp, which take a while."""
    slow = sa.func.pg_sleep(0.001).is_not(None)  # for each row that is looked at
    patch(sa.Select, "with_for_update", lambda self, **options: self.where(slow))


def own_clock(patch: Patch) -> None:
    """Leases go by the clock of the node."""
    patch(LeaseClock, "now", lambda self: self._clock.now())


def holds_on(patch: Patch) -> None:
    """A node that cannot renew its leases goes on as if it held them."""
    patch(Node, "_lost", lambda self, gone: None)


def no_backoff(patch: Patch) -> None:
    """What failed is tried again at once, for ever."""
    patch(loop, "MAX_BACKOFF", 0.0)


def runs_again(patch: Patch) -> None:
    """``at_most_once`` is not looked at when a lease has run out."""
    recover = lifecycle.recover

    def careless(row: TaskExecution, **options: Any) -> lifecycle.Transition:
        return recover(replace(row, at_most_once=False), **options)

    patch(lifecycle, "recover", careless)


def no_trimming(patch: Patch) -> None:
    """The history grows."""
    patch(Housekeeper, "_prune", lambda self: None)


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "dies-in-recovery": dies_in_recovery,
    "same-boot-id": same_boot_id,
    "claims-as-if-alone": claims_as_if_alone,
    "own-clock": own_clock,
    "holds-on": holds_on,
    "no-backoff": no_backoff,
    "runs-again": runs_again,
    "no-trimming": no_trimming,
}
