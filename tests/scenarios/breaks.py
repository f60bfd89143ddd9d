"""Owns the faults of the controls: each takes one promise out of the library.

A fault gets ``patch(owner, name, value)``: ``setattr`` in a node, ``monkeypatch.setattr`` in a
test's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from advanced_scheduler.engine.housekeeper import Housekeeper
from advanced_scheduler.engine.intake import Intake
from advanced_scheduler.engine.settler import Settler
from advanced_scheduler.lifecycle import Transition

Patch = Callable[[Any, str, Any], None]


def no_fence(patch: Patch) -> None:
    """Whoever comes last wins: the status is looked at, the fence is not."""
    patch(Transition, "fits", lambda self, status, fence: status in self.sources)


def no_lease(patch: Patch) -> None:
    """Nobody looks for executions whose node was lost."""
    patch(Housekeeper, "_rescue", lambda self: 0)


def no_cascade(patch: Patch) -> None:
    """The end of an execution has no consequence for those that wait for it."""
    patch(Settler, "consequences", lambda self, changes, applied, waiting: [])
    patch(Intake, "due_changes", lambda self, rows: [])


BREAKS: Final[dict[str, Callable[[Patch], None]]] = {
    "no-fence": no_fence,
    "no-lease": no_lease,
    "no-cascade": no_cascade,
}


def apply(name: str, patch: Patch = setattr) -> None:
    """Build the fault ``name`` into this process; KeyError for an unknown one."""
    BREAKS[name](patch)
