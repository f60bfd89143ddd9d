"""Shows an audit while it runs: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..events import Event, EventType
from ..models import TaskExecution, TaskPriority, TaskStatus
from ..scheduler import AdvancedTaskScheduler
from .report import KINDS

_LINES: Final = 6  # of news under the bars
_STEP: Final = 10  # plain lines come every ten percent


@dataclass(slots=True)
class Tally:
    """What is known so far, gathered from the events of the scheduler."""

    audit: str | None = None
    distributions: int = 0
    files: int = 0
    verified: int = 0
    hashed: int = 0
    retries: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    ended: Counter[TaskPriority] = field(default_factory=Counter)
    running: dict[str, TaskPriority] = field(default_factory=dict)

    def hear(self, event: Event) -> list[str]:
        """Take an event in; answers what is worth a line."""
        row = event.execution
        if row is None:
            return []
        if event.type is EventType.STARTED:
            self.running[row.execution_id] = row.priority
            if row.task_id == "collect":
                self._begin(row.execution_id)
            return []
        if event.type is EventType.RETRYING:
            self.running.pop(row.execution_id, None)
            self.retries += 1
            return [f"retry {_name(row)} in {event.data['delay']:.1f} s: {row.error}"]
        if event.type is EventType.FINISHED:
            self.running.pop(row.execution_id, None)
            self.ended[row.priority] += 1
            return self._ended(row)
        return []

    def _ended(self, row: TaskExecution) -> list[str]:
        if self.audit not in (row.workflow_id, row.execution_id):
            return [f"finished {_name(row)} of an earlier audit"]
        self.verified += row.task_id == "verify"
        if row.status is not TaskStatus.COMPLETED:
            return [f"{row.status} {_name(row)}: {row.error or row.reason}"]
        if row.task_id == "collect":
            self.distributions, self.files = row.result["distributions"], row.result["files"]
            return [f"collected {self.distributions} distributions, {self.files:,} files"]
        if row.task_id == "verify":
            self.hashed += row.result["files"]
        return [] if row.task_id == "report" else list(self._found(row.result))

    def _begin(self, audit: str) -> None:
        """A new audit counts from nothing; the checks of an older one may still be ending."""
        self.audit = audit
        self.distributions = self.files = self.verified = self.hashed = 0
        self.findings.clear()

    def _found(self, result: dict[str, Any]) -> Iterator[str]:
        for kind in KINDS:
            for one in result.get(kind, ()):
                self.findings[kind] += 1
                yield f"{kind}: {one['path']}"


def _name(row: TaskExecution) -> str:
    return " ".join([row.task_id, *(one for one in row.args[1:2] if isinstance(one, str))])


@contextmanager
def shown(scheduler: AdvancedTaskScheduler, console: Console) -> Iterator[None]:
    """Show what the scheduler does while the block runs."""
    live = console.is_terminal and not console.quiet
    view = LiveView(scheduler) if live else PlainView(console)
    unsubscribe = scheduler.events.subscribe(view.listen)
    try:
        if isinstance(view, LiveView):
            with Live(get_renderable=view.render, console=console, refresh_per_second=8):
                yield
        else:
            yield
    finally:
        unsubscribe()


class PlainView:
    """Prints a line for what is new, and every ten percent."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tally = Tally()
        self._percent = 0

    def listen(self, event: Event) -> None:
        """A listener of the scheduler's events."""
        tally = self._tally
        for line in tally.hear(event):
            self._say(line)
        percent = 100 * tally.verified // tally.distributions if tally.distributions else 0
        if percent >= self._percent + _STEP:
            self._percent = percent - percent % _STEP
            self._say(
                f"verified {tally.verified} of {tally.distributions} distributions, "
                f"{tally.hashed:,} of {tally.files:,} files"
            )

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


class LiveView:
    """Draws bars, lanes and findings."""

    def __init__(self, scheduler: AdvancedTaskScheduler) -> None:
        self._scheduler = scheduler
        self._tally = Tally()
        self._news: list[str] = []

    def listen(self, event: Event) -> None:
        """A listener of the scheduler's events."""
        self._news = [*self._news, *self._tally.hear(event)][-_LINES:]

    def render(self) -> RenderableType:
        """The view as it is now."""
        news = (Text(line, overflow="ellipsis", no_wrap=True) for line in self._news)
        return Group(self._bars(), self._lanes(), self._found(), *news)

    def _bars(self) -> RenderableType:
        tally = self._tally
        bars = Table.grid(padding=(0, 1))
        for name, done, total in (
            ("distributions", tally.verified, tally.distributions),
            ("files", tally.hashed, tally.files),
        ):
            bar = ProgressBar(total=total or None, completed=done, width=40, pulse=not total)
            bars.add_row(name, bar, f"{done:,} / {total:,}")
        return bars

    def _lanes(self) -> RenderableType:
        tally = self._tally
        running = Counter(list(tally.running.values()))
        waiting = self._scheduler.task_queue.by_priority()
        lanes = Table("priority", box=None, pad_edge=False)
        for name in ("waiting", "running", "ended"):
            lanes.add_column(name, justify="right")
        for one in TaskPriority:
            lanes.add_row(one.word, *(str(count[one]) for count in (waiting, running, tally.ended)))
        return lanes

    def _found(self) -> RenderableType:
        tally = self._tally
        found = Text("found ")
        for kind in KINDS:
            count = tally.findings[kind]
            found.append(f"{count} {kind}, ", style="bold red" if count else "")
        return found.append(f"{tally.retries} retries")
