"""What the demo shows while it runs and at its end."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from advanced_scheduler import AdvancedTaskScheduler, Event, EventType, TaskPriority, TaskStatus
from advanced_scheduler.demo.progress import LiveView, Tally, shown
from advanced_scheduler.models import TaskExecution

NOW = datetime(2030, 1, 1, tzinfo=UTC)
COLLECTED = {"distributions": 2, "files": 1_200}
ALTERED = {"path": "alpha/data.txt"}


@pytest.fixture
def scheduler() -> Iterator[AdvancedTaskScheduler]:
    scheduler = AdvancedTaskScheduler()
    yield scheduler
    scheduler.close()


def event(kind: EventType, task_id: str, result: Any = None, **more: Any) -> Event:
    data = more.pop("data", {})
    fields = {"status": TaskStatus.COMPLETED, "scheduled_time": NOW, **more}
    execution = TaskExecution(
        execution_id=f"{task_id}-id", task_id=task_id, task_name=task_id, result=result, **fields
    )
    return Event(kind, NOW, execution, data)


def finished(task_id: str, result: Any = None, **more: Any) -> Event:
    return event(EventType.FINISHED, task_id, result, **more)


def verified(files: int, *altered: dict[str, str]) -> Event:
    return finished("verify", {"files": files, "altered": altered, "missing": [], "unreadable": []})


def lines(scheduler: AdvancedTaskScheduler, *events: Event) -> list[str]:
    """What a console that is no terminal shows of these events."""
    file = io.StringIO()
    with shown(scheduler, Console(file=file, width=40)):
        for one in events:
            scheduler.events.publish(one)
    return file.getvalue().splitlines()


def test_what_was_collected_is_a_line(scheduler: AdvancedTaskScheduler) -> None:
    assert lines(scheduler, finished("collect", COLLECTED)) == [
        "collected 2 distributions, 1,200 files"
    ]


def test_progress_and_findings_are_lines_without_wrapping(scheduler: AdvancedTaskScheduler) -> None:
    events = [finished("collect", COLLECTED), verified(700, ALTERED), verified(499)]
    assert lines(scheduler, *events)[1:] == [
        "altered: alpha/data.txt",
        "verified 1 of 2 distributions, 700 of 1,200 files",
        "verified 2 of 2 distributions, 1,199 of 1,200 files",
    ]


def test_a_retry_is_a_line_with_its_delay_and_reason(scheduler: AdvancedTaskScheduler) -> None:
    failing = event(
        EventType.RETRYING,
        "verify",
        status=TaskStatus.RETRYING,
        error="OSError: [bold]",
        args=("folder", "alpha", "1.0"),
        data={"delay": 0.2},
    )
    assert lines(scheduler, failing) == ["retry verify alpha in 0.2 s: OSError: [bold]"]


def test_a_failure_is_a_line(scheduler: AdvancedTaskScheduler) -> None:
    failed = finished("verify", status=TaskStatus.FAILED, error="boom", args=("folder", "beta"))
    assert lines(scheduler, failed) == ["failed verify beta: boom"]


def test_a_quiet_console_stays_empty(scheduler: AdvancedTaskScheduler) -> None:
    file = io.StringIO()
    console = Console(file=file, quiet=True, force_terminal=True)
    with shown(scheduler, console):
        scheduler.events.publish(finished("collect", COLLECTED))
    assert file.getvalue() == ""


def test_nothing_is_heard_after_the_end(scheduler: AdvancedTaskScheduler) -> None:
    file = io.StringIO()
    with shown(scheduler, Console(file=file)):
        pass
    scheduler.events.publish(finished("collect", COLLECTED))
    assert file.getvalue() == ""


def rendered(view: LiveView) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(view.render())
    return file.getvalue()


def test_the_live_view_draws_bars_lanes_and_findings(scheduler: AdvancedTaskScheduler) -> None:
    view = LiveView(scheduler)
    scheduler.schedule_task(len, [])
    view.listen(finished("collect", COLLECTED))
    view.listen(verified(700, ALTERED))
    view.listen(event(EventType.STARTED, "unrecorded", priority=TaskPriority.LOW))
    picture = rendered(view).splitlines()
    assert any("1 / 2" in line for line in picture)
    assert any("700 / 1,200" in line for line in picture)
    lanes = {line.split()[0]: line.split()[1:] for line in picture if len(line.split()) == 4}
    assert lanes["normal"] == ["1", "0", "2"]
    assert lanes["low"] == ["0", "1", "0"]
    assert any("1 altered" in line for line in picture)
    assert "altered: alpha/data.txt" in picture


def test_the_live_view_begins_without_totals(scheduler: AdvancedTaskScheduler) -> None:
    assert "0 / 0" in rendered(LiveView(scheduler))


def test_a_terminal_gets_the_live_view(scheduler: AdvancedTaskScheduler) -> None:
    file = io.StringIO()
    with shown(scheduler, Console(file=file, force_terminal=True, width=80)):
        scheduler.events.publish(finished("collect", COLLECTED))
    assert "priority" in file.getvalue()
    assert "collected 2 distributions" in file.getvalue()


def test_what_an_earlier_audit_left_behind_counts_for_nothing() -> None:
    tally = Tally()
    checked = {"files": 7, "altered": [], "missing": [], "unreadable": []}
    tally.hear(event(EventType.STARTED, "collect", status=TaskStatus.RUNNING))
    left_over = finished("verify", checked, workflow_id="an older audit")
    assert tally.hear(left_over) == ["finished verify of an earlier audit"]
    assert tally.hear(finished("verify", checked, workflow_id="collect-id")) == []
    assert (tally.verified, tally.hashed) == (1, 7)
