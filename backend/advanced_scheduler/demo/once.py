"""One audit from its beginning to its end, and what is printed meanwhile."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from ..scheduler import AdvancedTaskScheduler
from .progress import shown
from .report import Report
from .summary import Summary, past_executions, scraped
from .workflow import Audit


def audit_once(
    scheduler: AdvancedTaskScheduler, folders: list[str], output: Path, console: Console
) -> Report:
    """Finish what an earlier run left behind, audit, and print how it went."""
    audit = Audit(scheduler, output)
    (schedule,) = scheduler.store.schedules([audit.every_night(folders)])
    earlier, executions = audit.reports(folders), past_executions(scheduler)
    address = f"{scheduler.serve_metrics(port=0).url}/metrics"
    with shown(scheduler, console), scheduler.running():
        if left := audit.unfinished():
            console.print(f"finishing {len(left)} executions that an earlier run left behind")
            audit.finish()
        report = audit.wait(audit.begin(folders))
        audit.finish()  # a nightly audit that was overdue
        samples, health = scraped(address), scheduler.get_health_status()
    console.print()
    summary = Summary(console)
    summary.report(report)
    summary.health(health)
    summary.metrics(address, samples)
    summary.schedule(schedule)
    summary.history(earlier, executions)
    summary.files(output / "report.json", output / "report.html", str(scheduler.asked_store))
    return report
