"""What the demo prints at its end: findings, health, metrics, the schedule, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from rich.console import Console

from ..lifecycle import FINAL
from ..models import Schedule
from ..scheduler import AdvancedTaskScheduler
from .report import KINDS, Changes, Report, readable_moment, readable_size

_SHOWN: Final = "advanced_scheduler_executions_finished_total{"
_EARLIER: Final = 5  # audits that are listed


def past_executions(scheduler: AdvancedTaskScheduler) -> int:
    """How many executions that have ended the store has."""
    counts = scheduler.store.counts()
    return sum(count for (status, _), count in counts.items() if status in FINAL)


def scraped(address: str) -> list[str]:
    """Some samples of what Prometheus would read at this address."""
    with urlopen(address, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith(_SHOWN) and not line.endswith(" 0.0")]


class Summary:
    """Prints in sections of aligned lines."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def report(self, report: Report) -> None:
        """What was verified, found, and how that differs from the last audit."""
        totals, changes = report["totals"], report["changes"]
        self._line(
            "audit",
            f"{totals['files']:,} files ({readable_size(totals['bytes'])}) of "
            f"{totals['distributions']} distributions verified in {report['seconds']:.1f} s",
        )
        found = ", ".join(f"{totals[kind]} {kind}" for kind in KINDS)
        self._line("found", f"{found}; {totals['failed']} executions failed")
        if changes is not None:
            self._line("changes", f"since {readable_moment(changes['since'])}: {_news(changes)}")

    def health(self, health: Mapping[str, Any]) -> None:
        """What ``get_health_status`` answered while the scheduler ran."""
        self._line(
            "health",
            f"{health['status']}; success rate {health['success_rate']:.1f} %, average execution "
            f"time {health['average_execution_time']:.3f} s, "
            f"{health['metrics']['tasks_executed']} executions",
        )
        for reason in health["reasons"]:
            self._line("", reason)

    def metrics(self, address: str, samples: Sequence[str]) -> None:
        """Where they were served, and some of them."""
        self._line("metrics", f"{address} (served until the demo ended)")
        self._line("", "in a program that goes on: scheduler.serve_metrics(port=9464)")
        for sample in samples:
            self._line("", sample)

    def schedule(self, schedule: Schedule) -> None:
        """The nightly schedule and its next instant."""
        assert schedule.next_fire_time is not None, "a cron text without an end goes on"
        at = readable_moment(schedule.next_fire_time.isoformat())
        self._line("nightly", f"{schedule.schedule_id}, next at {at} if a node runs then")

    def history(self, earlier: Sequence[Report], executions: int) -> None:
        """What earlier runs left in the store."""
        if not executions:
            self._line("history", "none yet: this was the first run on this store")
            return
        self._line(
            "history",
            f"{executions:,} executions of earlier runs; earlier audits of this environment: "
            f"{len(earlier)}",
        )
        for one in earlier[:_EARLIER]:
            found = ", ".join(f"{one['totals'][kind]} {kind}" for kind in KINDS)
            self._line("", f"{readable_moment(one['finished'])}: {found}")

    def files(self, json: Path, html: Path, store: str) -> None:
        """Where to read more."""
        self._line("report", str(html))
        self._line("", str(json))
        self._line("store", store)

    def _line(self, title: str, text: str) -> None:
        self._console.print(f"{title:<9}{text}", soft_wrap=True, markup=False, highlight=False)


def _news(changes: Changes) -> str:
    news = {
        "findings that are new": changes["appeared"],
        "findings that are gone": changes["disappeared"],
        "distributions installed": changes["installed"],
        "distributions removed": changes["removed"],
    }
    return "; ".join(f"{len(all_)} {what}" for what, all_ in news.items() if all_) or "nothing"
