"""``advanced-scheduler audit``: who did what."""

from __future__ import annotations

from .lazy import alone
from .options import Cursor, Limit, Session, asking
from .output import ago, columns, said


@asking
def audit(session: Session, limit: Limit = 50, cursor: Cursor = None) -> None:
    """Every call that changed something, or was refused; the latest first."""
    page = session.client.get("/audit", limit=limit, cursor=cursor)
    table = columns(
        page["items"],
        time=ago("time"),
        who="who",
        action="action",
        on="target",
        status="outcome",
        asked=lambda one: [f"{name}: {said(value)}" for name, value in one["details"].items()],
    )
    session.printer.show(page, table)
    session.more(page)


commands = alone(audit)
