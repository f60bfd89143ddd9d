"""The command line of the demo."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from rich.console import Console

    from .progress import shown
    from .summary import Summary, past_executions, scraped
    from .workflow import Audit
except ModuleNotFoundError as error:
    sys.exit(f"the demo needs {error.name}: pip install 'advanced-scheduler[demo]'")

from ..config import Settings
from ..errors import SchedulerError
from ..scheduler import AdvancedTaskScheduler
from .environment import site_folders
from .report import Report

INTERRUPTED = 130


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m advanced_scheduler.demo",
        description="Verify every installed file of a Python environment against its RECORD.",
    )
    options.add_argument(
        "--environment",
        type=Path,
        metavar="PATH",
        help="a virtual environment or a site-packages folder; default: the running Python's",
    )
    options.add_argument(
        "--output",
        type=Path,
        default=Path(".demo"),
        metavar="DIR",
        help="where audit.db, report.json and report.html go; default: %(default)s",
    )
    options.add_argument(
        "--store", metavar="URL", help="another store than audit.db, such as sqlite:///jobs.db"
    )
    options.add_argument(
        "--concurrency",
        type=int,
        default=max(4, os.cpu_count() or 1),
        metavar="N",
        help="how many executions run at the same time; default: %(default)s",
    )
    options.add_argument("--quiet", action="store_true", help="print nothing but errors")
    options.add_argument(
        "--strict", action="store_true", help="exit with 1 if a file is altered or missing"
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one audit; answers the exit code: 0, 1 (failed, or ``--strict``) or 130."""
    asked = parser()
    options = asked.parse_args(arguments)
    try:
        folders = site_folders(options.environment)
        options.output.mkdir(parents=True, exist_ok=True)
        output = options.output.resolve()
        store = options.store or f"sqlite:///{output / 'audit.db'}"
        scheduler = AdvancedTaskScheduler(
            max_concurrent_tasks=options.concurrency, store=store, settings=_settings()
        )
    except (ValueError, OSError, SchedulerError) as error:
        asked.error(str(error))
    console = Console(quiet=options.quiet)
    try:
        report = run(scheduler, Audit(scheduler, folders, output), console)
        Summary(console).files(output / "report.json", output / "report.html", store)
    except KeyboardInterrupt:
        print("interrupted; the next run finishes what was begun", file=sys.stderr)
        return INTERRUPTED
    except SchedulerError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        scheduler.close()
    totals = report["totals"]
    return int(options.strict and totals["altered"] + totals["missing"] > 0)


def run(scheduler: AdvancedTaskScheduler, audit: Audit, console: Console) -> Report:
    """Finish what an earlier run left behind, audit, and print how it went."""
    (schedule,) = scheduler.store.schedules([audit.every_night()])
    earlier, executions = audit.reports(), past_executions(scheduler)
    address = f"{scheduler.serve_metrics(port=0).url}/metrics"
    with shown(scheduler, console), scheduler.running():
        if left := audit.unfinished():
            console.print(f"finishing {len(left)} executions that an earlier run left behind")
            audit.finish()
        report = audit.wait(audit.begin())
        audit.finish()  # a nightly audit that was overdue
        samples, health = scraped(address), scheduler.get_health_status()
    console.print()
    summary = Summary(console)
    summary.report(report)
    summary.health(health)
    summary.metrics(address, samples)
    summary.schedule(schedule)
    summary.history(earlier, executions)
    return report


def _settings() -> Settings:
    """Short leases, so that the work of a killed run is soon taken up; a history of many audits."""
    return Settings(
        lease_seconds=5,
        drain_seconds=5,
        history_limit=50_000,
        result_limit_bytes=64 * 1024 * 1024,
        redis_url=None,
    )


if __name__ == "__main__":
    sys.exit(main())
