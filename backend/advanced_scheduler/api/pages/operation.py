"""The pages of those who operate: nodes, locks, dead letters, events, settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..auth import Scope
from .page import Context, Nav, Page, Visit

_LINES: Final = 50


def nodes(visit: Visit) -> Context:
    """Who runs what, and since when it was last heard of."""
    found = visit.service.cluster.nodes().items
    return {"nodes": found, "here": visit.service.about.version().node}


def locks(visit: Visit) -> Context:
    """Who holds what, for how long, and who waits."""
    found = visit.service.cluster.locks().items
    report = visit.service.about.health()
    counted = report["metrics"]["lock_acquisitions"] + report["metrics"]["lock_failures"]
    return {
        "locks": [
            (one, None if one.ttl is None else visit.now + timedelta(seconds=one.ttl))
            for one in sorted(found, key=lambda one: (not one.held, one.task_id))
        ],
        "tries": counted,
        "success_rate": report["lock_success_rate"],
    }


def dead_letters(visit: Visit) -> Context:
    """What failed for good, by task and kind of error."""
    page = visit.service.dead_letters.groups()
    return {"groups": page.items, "complete": page.complete}


def events(visit: Visit) -> Context:
    """What happens now, and who did what."""
    page = visit.service.audit.page(_LINES, visit.first("cursor"))
    return {"lines": page.items, "next_cursor": page.next_cursor}


def settings(visit: Visit) -> Context:
    """What this is, how it is set, who may use it."""
    about = visit.service.about
    return {
        "about": about.version(),
        "settings": about.settings().settings,
        "round_trips": about.round_trips(),
        "keys": visit.service.keys.all() if visit.may(Scope.ADMIN) else None,
        "scopes": list(Scope),
    }


PAGES: Final = (
    Page("nodes", "nodes.html", "Nodes", nodes, nav=Nav("Nodes", "server", 70)),
    Page("locks", "locks.html", "Locks", locks, nav=Nav("Locks", "lock", 80)),
    Page(
        "dead-letters",
        "dead_letters.html",
        "Dead letters",
        dead_letters,
        nav=Nav("Dead letters", "letter", 90),
    ),
    Page("events", "events.html", "Events", events, nav=Nav("Events", "events", 100)),
    Page("settings", "settings.html", "Settings", settings, nav=Nav("Settings", "settings", 110)),
)
