"""Turns what an audit found into a report, and the report into files."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

from jinja2 import Environment, StrictUndefined

from ..models import TaskExecution, TaskStatus
from .checks import Finding, Unrecorded, Verification

Kind = Literal["altered", "missing", "unreadable", "unrecorded"]
KINDS: Final[tuple[Kind, ...]] = ("altered", "missing", "unreadable", "unrecorded")
_SHOWN: Final = 500
"""How many rows of a table the page shows; the JSON has all."""


class Failure(TypedDict):
    """An execution that ended without a verdict."""

    what: str
    error: str
    execution_id: str


class Line(TypedDict):
    """One distribution, and how its verification went."""

    distribution: str
    version: str
    files: int
    bytes: int
    findings: int
    priority: str
    attempts: int
    seconds: float


class Changes(TypedDict):
    """How this audit differs from the one before: findings as ``kind: path``."""

    since: str
    appeared: list[str]
    disappeared: list[str]
    installed: list[str]
    removed: list[str]


class Totals(TypedDict):
    """Counts over the whole audit; ``work_seconds`` is the sum over all executions."""

    distributions: int
    files: int
    bytes: int
    altered: int
    missing: int
    unreadable: int
    unrecorded: int
    failed: int
    retries: int
    work_seconds: float


class Report(TypedDict):
    """Everything that an audit has to say; times in ISO 8601, durations in seconds."""

    audit: str
    folders: list[str]
    python: str
    started: str
    finished: str
    seconds: float
    totals: Totals
    altered: list[Finding]
    missing: list[Finding]
    unreadable: list[Finding]
    unrecorded: list[Finding]
    expected: list[Finding]
    without_record: list[str]
    failed: list[Failure]
    distributions: list[Line]
    changes: Changes | None


def build(
    collected: TaskExecution, rows: Sequence[TaskExecution], previous: Report | None, now: datetime
) -> Report:
    """The report on the executions of one audit, the first of which was ``collected``."""
    verified: list[tuple[TaskExecution, Verification]] = []
    others = Unrecorded(unrecorded=[], expected=[])
    failed: list[Failure] = []
    for row in rows:
        if row.status is not TaskStatus.COMPLETED:
            failed.append(_failure(row))
        elif row.task_id == "verify":
            verified.append((row, row.result))
        else:
            others = row.result
    started = collected.started_time or collected.scheduled_time
    report = Report(
        audit=collected.execution_id,
        folders=collected.result["folders"],
        python=platform.python_version(),
        started=started.isoformat(),
        finished=now.isoformat(),
        seconds=round((now - started).total_seconds(), 3),
        totals=_totals(rows, verified, failed),
        altered=[one for _, verdict in verified for one in verdict["altered"]],
        missing=[one for _, verdict in verified for one in verdict["missing"]],
        unreadable=[one for _, verdict in verified for one in verdict["unreadable"]],
        unrecorded=others["unrecorded"],
        expected=others["expected"],
        without_record=collected.result["without_record"],
        failed=failed,
        distributions=sorted(
            (_line(row, verdict) for row, verdict in verified),
            key=lambda line: (-line["findings"], -line["seconds"]),
        ),
        changes=None,
    )
    for kind in KINDS:
        report["totals"][kind] = len(report[kind])
    report["changes"] = previous and _changes(previous, report)
    return report


def write(report: Report, folder: Path) -> tuple[Path, Path]:
    """Put report.json and report.html into the folder, each wholly or not at all."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    return (
        _replace(folder / "report.json", text),
        _replace(folder / "report.html", to_html(report)),
    )


def to_html(report: Report) -> str:
    """The report as one page that needs no other file."""
    source = resources.files(__package__).joinpath("report.html.j2").read_text("utf-8")
    pages = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["size"] = readable_size
    pages.filters["moment"] = readable_moment
    return pages.from_string(source).render(report=report, kinds=KINDS, shown=_SHOWN)


def readable_size(size: float) -> str:
    """Bytes for people: ``4.2 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def readable_moment(iso: str) -> str:
    """``2030-01-01 02:30:00 UTC`` for an instant in ISO 8601."""
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S} UTC"


def _replace(path: Path, text: str) -> Path:
    content = text.encode()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    return beside.replace(path)


def _failure(row: TaskExecution) -> Failure:
    arguments = " ".join(str(one) for one in row.args if isinstance(one, str))
    return Failure(
        what=f"{row.task_id} {arguments}".rstrip(),
        error=row.error or row.reason or row.status.value,
        execution_id=row.execution_id,
    )


def _line(row: TaskExecution, verdict: Verification) -> Line:
    return Line(
        distribution=verdict["distribution"],
        version=verdict["version"],
        files=verdict["files"],
        bytes=verdict["bytes"],
        findings=sum(len(verdict[kind]) for kind in ("altered", "missing", "unreadable")),
        priority=row.priority.name,
        attempts=row.retry_count + 1,
        seconds=round(_seconds(row), 3),
    )


def _seconds(row: TaskExecution) -> float:
    return float(row.metrics.get("execution_time", 0))


def _totals(
    rows: Sequence[TaskExecution],
    verified: Sequence[tuple[Any, Verification]],
    failed: Sequence[Failure],
) -> Totals:
    return Totals(
        distributions=len(verified),
        files=sum(verdict["files"] for _, verdict in verified),
        bytes=sum(verdict["bytes"] for _, verdict in verified),
        altered=0,
        missing=0,
        unreadable=0,
        unrecorded=0,
        failed=len(failed),
        retries=sum(row.retry_count for row in rows),
        work_seconds=round(sum(map(_seconds, rows)), 3),
    )


def _changes(before: Report, after: Report) -> Changes:
    old_findings, new_findings = _findings(before), _findings(after)
    old, new = _installed(before), _installed(after)
    return Changes(
        since=before["finished"],
        appeared=sorted(new_findings[key] for key in new_findings.keys() - old_findings.keys()),
        disappeared=sorted(old_findings[key] for key in old_findings.keys() - new_findings.keys()),
        installed=sorted(new - old),
        removed=sorted(old - new),
    )


def _findings(report: Report) -> dict[tuple[str, str, str], str]:
    return {
        (kind, one["path"], one.get("actual", "")): f"{kind}: {one['path']}"
        for kind in KINDS
        for one in report[kind]
    }


def _installed(report: Report) -> set[str]:
    return {f"{line['distribution']} {line['version']}" for line in report["distributions"]}
