"""Locks with fencing tokens: on Redis, in a store, or within this process."""

from .base import Exchanged, Grant
from .lock import DistributedTaskLock

__all__ = ["DistributedTaskLock", "Exchanged", "Grant"]
