"""``advanced-scheduler top``: what happens now, on one screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .client import path_of
from .lazy import alone
from .options import Session, asking
from .outcome import CommandFailed
from .output import Block, Table, ago, boxed, columns, plain, spoken
from .waiting import Every

if TYPE_CHECKING:
    from rich.console import RenderableType

KEYS: Final = "p pause all   r resume all   c cancel the first that runs   q quit"
_BARS: Final = " ▁▂▃▄▅▆▇█"
_SHOWN: Final = 8  # rows of each list
_STEPS: Final = 60  # of the line of what ended: ten minutes


@asking
def top(session: Session, *, every: Every = 2.0) -> None:
    """Throughput, lanes, what runs, what fails, locks: anew every two seconds.

    Keys: p pauses all dispatch, r resumes it, c cancels the first execution that runs, q quits.
    Where there is no terminal, it shows everything once.
    """
    if not (session.printer.for_people and sys.stdout.isatty() and sys.stdin.isatty()):
        found = _look(session)
        session.printer.show(found, *_blocks(found))
        return
    from rich.live import Live

    console = session.printer.console()
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        said = KEYS
        while True:
            found = _look(session)
            live.update(_screen(found, said), refresh=True)
            key = pressed(every)
            if key == "q":
                return
            said = _act(session, found, key) if key else KEYS


def _look(session: Session) -> dict[str, Any]:
    """All that is shown, as one document."""
    get = session.client.get
    return {
        "queue": get("/queue"),
        "series": get("/series", window="15m"),
        "running": get("/executions", status="running", limit=_SHOWN)["executions"],
        "failing": get("/dead-letters")["items"][:_SHOWN],
        "locks": [one for one in get("/locks")["items"] if one["held"]][:_SHOWN],
        "nodes": get("/nodes")["items"],
    }


def _blocks(found: Mapping[str, Any]) -> list[Block]:
    queue, nodes = found["queue"], found["nodes"]
    points, step = found["series"]["points"], found["series"]["step"]
    ended = [sum(one["finished"].values()) / step for one in points]
    alive = [one for one in nodes if one["state"] != "stale"]
    slots = sum(one["slots"] for one in alive)
    latest = points[-2] if len(points) > 1 else None  # the last one is still going on
    facts = {
        "running": f"{queue['running']} of {slots} slots on {len(alive)} nodes",
        "finished": f"{ended[-2] if latest else 0:.1f}/s  {_line(ended[-_STEPS:])}",
        "run time": _times(latest, "run"),
        "queue wait": _times(latest, "wait"),
        "paused": "everything" if queue["paused"] else queue["paused_queues"],
    }
    blocks: list[Block] = [facts, _lanes(queue)]
    lists: Sequence[tuple[str, Callable[[Any], Table]]] = (
        ("running", _running),
        ("failing", _failing),
        ("locks", _locks),
    )
    for name, table in lists:
        if rows := found[name]:
            blocks += ["", f"{name}:", table(rows)]
    return blocks


def _lanes(queue: Mapping[str, Any]) -> Table:
    return columns(
        queue["lanes"],
        lane="priority",
        ready="ready",
        delayed="delayed",
        blocked="blocked",
        retrying="retrying",
        oldest=lambda one: spoken(one["oldest_age"]),
        state=lambda one: "paused" if one["paused"] else "active",
    )


def _running(rows: Any) -> Table:
    return columns(
        rows, id="id", task="task_id", priority="priority", node="node", started=ago("start_time")
    )


def _failing(rows: Any) -> Table:
    return columns(rows, task="task_id", error="error_type", count="count", last=ago("last_seen"))


def _locks(rows: Any) -> Table:
    return columns(
        rows,
        lock="task_id",
        holder="holder",
        ttl=lambda one: "-" if one["ttl"] is None else spoken(one["ttl"]),
        waiting="waiting",
    )


def _line(values: Sequence[float]) -> str:
    """Numbers as a line of bars, the newest to the right."""
    most = max(values, default=0) or 1
    return "".join(_BARS[round(value / most * (len(_BARS) - 1))] for value in values)


def _times(point: Mapping[str, Any] | None, name: str) -> str:
    if point is None or point[f"{name}_p50"] is None:
        return "-"
    return f"p50 {spoken(point[f'{name}_p50'])}, p95 {spoken(point[f'{name}_p95'])}"


def _screen(found: Mapping[str, Any], said: str) -> RenderableType:
    from rich.console import Group

    shown = [boxed(one) if isinstance(one, Table) else plain(one) for one in _blocks(found)]
    return Group(*shown, plain(""), plain(said))


def _act(session: Session, found: Mapping[str, Any], key: str) -> str:
    """What a key asks for; answers what became of it, for the last line."""
    try:
        if key == "p":
            session.client.post("/queue/pause", {"everything": True})
            return "paused: nothing is started until r"
        if key == "r":
            session.client.post("/queue/resume", {"everything": True})
            return "resumed"
        if key == "c" and found["running"]:
            first = found["running"][0]["id"]
            session.client.post(path_of("executions", first, "cancel"))
            return f"cancelled {first}"
    except CommandFailed as error:
        return str(error)
    return KEYS


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Answers the next key within so many seconds, or nothing; the terminal is as before after."""
    import select
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def pressed(seconds: float) -> str:
        there, _, _ = select.select([terminal], [], [], seconds)
        return os.read(terminal, 1).decode(errors="replace") if there else ""

    try:
        tty.setcbreak(terminal)
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


commands = alone(top)
