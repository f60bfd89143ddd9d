"""``advanced-scheduler doctor``, as a user's CI runs it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.cli.app import app

APPLICATION = """
from advanced_scheduler import AdvancedTaskScheduler

scheduler = AdvancedTaskScheduler(store={url!r})
other = 3


@scheduler.task(task_id="report")
def report(day: int) -> None: ...
"""


def report(day: str, copies: int = 1) -> None:
    """The task as it was before the change."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that an earlier build has used, beside the application of the next one."""
    url = f"sqlite:///{tmp_path}/jobs.db"
    earlier = AdvancedTaskScheduler(store=url)
    earlier.register_task(TaskDefinition("report", "Report", report))
    earlier.register_task(TaskDefinition("archive", "Archive", report, args=("today",)))
    earlier.schedule_task("report", "today")
    earlier.schedule_task("archive", "today")
    earlier.schedule_cron_task("archive", "0 3 * * *")
    earlier.close()
    module = f"application_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(APPLICATION.format(url=url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments])


def application() -> str:
    (file,) = Path.cwd().glob("application_*.py")
    return f"{file.stem}:scheduler"


def test_settings_come_from_a_file_as_well(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", "")  # so that what the file sets goes again
    monkeypatch.delenv("ADVANCED_SCHEDULER_STORE")
    (tmp_path / "our.env").write_text(f"ADVANCED_SCHEDULER_STORE={url}\n")
    assert run("--env-file", "our.env").exit_code == 0
    monkeypatch.delenv("ADVANCED_SCHEDULER_STORE")
    current = CliRunner().invoke(app, ["db", "check", "--env-file", "our.env"])
    assert (current.exit_code, current.stderr) == (0, "")


def answer(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "-o", "json").stdout)
    return found


@pytest.mark.usefixtures("url")
def test_what_the_next_build_lacks_is_an_exit_code_for_a_ci() -> None:
    diagnosed = run("--app", application())
    assert diagnosed.exit_code == 1
    assert diagnosed.stderr == ""
    for words in ("archive", "is not registered", "arguments", "report"):
        assert words in diagnosed.stdout


@pytest.mark.usefixtures("url")
def test_the_document_for_programs_has_a_fixed_shape() -> None:
    found = answer("--app", application())
    assert set(found) == {
        *("ok", "executions", "schedules", "tasks", "revision", "skew_seconds", "time_zones"),
        "findings",
    }
    assert (found["ok"], found["executions"], found["schedules"], found["tasks"]) == (
        False,
        2,
        1,
        1,
    )
    assert found["skew_seconds"] is None
    for finding in found["findings"]:
        assert set(finding) == {"kind", "id", "problem", "count"}
    assert [(one["kind"], one["count"]) for one in found["findings"]] == [
        ("task", 1),
        ("arguments", 1),
        ("schedule", 1),
    ]


def test_another_store_can_be_asked_of_the_same_application(url: str, tmp_path: Path) -> None:
    assert run("--app", application(), "--store", url).exit_code == 1
    empty = f"sqlite:///{tmp_path}/empty.db"
    AdvancedTaskScheduler(store=empty).close()
    assert run("--app", application(), "--store", empty).exit_code == 0


def test_without_an_application_it_says_what_was_not_compared(url: str) -> None:
    diagnosed = run("--store", url)
    assert diagnosed.exit_code == 0
    words = [line.split("  ")[0] for line in diagnosed.stdout.splitlines()]
    assert words == [
        *("executions that wait or run", "schedules", "registered tasks", "tables at revision"),
        *("clock ahead by", "time zones from", "nothing is lacking"),
    ]
    assert diagnosed.stderr == "tasks and arguments were not compared: give --app MODULE:NAME\n"
    assert answer("--store", url)["tasks"] is None


def test_tables_that_are_too_old_are_lacking(tmp_path: Path) -> None:
    diagnosed = run("--store", f"sqlite:///{tmp_path}/none.db")
    assert diagnosed.exit_code == 1
    assert "schema" in diagnosed.stdout


def test_what_the_application_schedules_while_it_is_imported_is_not_stored(url: str) -> None:
    file = Path(application().partition(":")[0] + ".py")
    file.write_text(
        APPLICATION.format(url=url)
        + "\n\n@scheduler.task(task_id='new')\ndef new() -> None: ...\n"
        + "\n\nnew.cron('0 4 * * *')\nnew.schedule()\n"
    )
    before = answer("--app", application())
    assert {one["id"] for one in before["findings"]} >= {"archive"}
    assert (before["schedules"], before["executions"]) == (1, 2)
    assert answer("--app", application()) == before


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("application", "write package.module:name"),
        ("no_such_module:scheduler", "No module named 'no_such_module'; modules are looked for in"),
        ("no_such.module:scheduler", "No module named 'no_such'; modules are looked for in"),
        ("{}:other", "other is 3, not an AdvancedTaskScheduler; is {}:scheduler meant?"),
        ("{}:missing", "{} has no missing; is {}:scheduler meant?"),
        (
            "json:scheduler",
            "json has no scheduler; there is no AdvancedTaskScheduler in that module",
        ),
        ("..:scheduler", "write package.module:name"),
        ("src/{}:scheduler", "write package.module:name"),
        ("broken:scheduler", "cannot be imported: ZeroDivisionError: division by zero"),
        ("lacking:scheduler", "lacking.py, line 2)"),
        ("leaving:scheduler", "cannot be imported: SystemExit: 0"),
    ],
)
def test_an_application_that_is_not_there_is_a_wrong_use(path: str, words: str) -> None:
    Path("broken.py").write_text("1 / 0")
    Path("lacking.py").write_text("\nimport no_such_module")
    Path("leaving.py").write_text("raise SystemExit(0)")
    module = application().partition(":")[0]
    refused = run("--app", path.format(module))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert words.format(module, module) in refused.stderr
    assert "Traceback" not in refused.stderr
