"""``advanced-scheduler init`` and ``config``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advanced_scheduler.cli.app import app
from tests.support.programs import run_program
from tests.support.servers import free_port

OWN = "ADVANCED_SCHEDULER_"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):  # noqa: TID251 - the very thing under test
        if name.startswith((OWN, "REDIS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv(f"{OWN}STORE", "")  # so that what an --env-file sets goes again


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_a_first_application_runs_as_it_is(tmp_path: Path) -> None:
    told = run("init", str(tmp_path / "other")).stdout.splitlines()[-1]
    assert told.startswith(f"next: cd {tmp_path / 'other'} && advanced-scheduler run ")
    made = run("init", str(tmp_path / "app"), "-o", "json")
    assert [Path(one).name for one in json.loads(made.stdout)["written"]] == [
        "jobs.py",
        "scheduler.env",
    ]
    program = (
        "from jobs import fetch, scheduler, summarise\n"
        "with scheduler.running():\n"
        "    run = scheduler.schedule_workflow(['fetch', 'summarise'], {'fetch': {'pages': 4}})\n"
        "    print(scheduler.result(run['summarise'], timeout=20))\n"
        "print(len(scheduler.get_schedules()))\n"
        "scheduler.close()\n"
    )
    done = run_program(program, tmp_path / "app")
    assert (done.stdout, done.stderr) == ("4 pages\n1\n", "")


def test_files_that_are_there_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("mine")
    done = run("init", str(tmp_path))
    assert (done.exit_code, "jobs.py already" in done.stderr) == (4, True)
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.py"]
    assert (tmp_path / "jobs.py").read_text() == "mine"
    assert run("init", str(tmp_path), "--force").exit_code == 0
    assert (tmp_path / "jobs.py").read_text() != "mine"


def test_the_settings_are_shown_with_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://user:hush@locks:6379/0")
    monkeypatch.setenv("REDIS_PASSWORD", "hush")
    monkeypatch.setenv(f"{OWN}POLL_SECONDS", "0.5")
    done = run("config", "show", "-o", "json")
    assert "hush" not in done.stdout
    found = json.loads(done.stdout)
    assert found["settings"]["poll_seconds"] == 0.5
    assert found["settings"]["redis_url"] == "redis://user:**********@locks:6379/0"
    assert found["variables"] == {
        "poll_seconds": f"{OWN}POLL_SECONDS",
        "redis_url": "REDIS_URL",
        "redis_password": "REDIS_PASSWORD",
    }
    shown = [line.split() for line in run("config", "show").stdout.splitlines()]
    assert ["redis_url", "redis://user:**********@locks:6379/0", "REDIS_URL"] in shown


def test_what_a_setting_stands_for_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{OWN}LEASE_SECONDS", "6")
    words = ("config", "show", "--store", "sqlite:///mine.db")
    shown = [line.split(maxsplit=1) for line in run(*words).stdout.splitlines()]
    told = {name: " ".join(rest.split()) for name, rest in shown}
    assert told["renewal_seconds"] == "2 (a third of lease_seconds) default"
    assert told["store"] == "sqlite:///mine.db --store"
    found = json.loads(run(*words, "-o", "json").stdout)
    assert (found["settings"]["renewal_seconds"], found["variables"]["store"]) == (2, "--store")
    monkeypatch.setenv(f"{OWN}RENEWAL_SECONDS", "1")
    shown = [line.split() for line in run("config", "show").stdout.splitlines()]
    assert ["renewal_seconds", "1", f"{OWN}RENEWAL_SECONDS"] in shown


def test_a_store_that_nobody_else_can_see_is_a_warning(tmp_path: Path) -> None:
    done = run("config", "check")
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith("warning: the store is memory://")
    found = json.loads(run("config", "check", "-o", "json").stdout)
    assert (found["ok"], found["problems"], len(found["warnings"])) == (True, [], 1)
    elsewhere = run("config", "check", "--store", f"sqlite:///{tmp_path}/jobs.db")
    assert (elsewhere.exit_code, elsewhere.stdout) == (0, "all is well\n")


def test_a_file_of_settings_says_what_they_need_that_ask_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "scheduler.env"
    file.write_text(f"{OWN}API_KEY=mine\n")
    for words in (["version"], ["openapi"]):
        monkeypatch.setenv(f"{OWN}API_KEY", "")  # so that what the file sets goes again
        monkeypatch.delenv(f"{OWN}API_KEY")
        asked = [*words, "--url", "http://127.0.0.1:1", "--env-file", str(file)]
        assert run(*asked).exit_code == 5
        assert os.environ.get(f"{OWN}API_KEY") == "mine"  # noqa: TID251 - what is under test


def test_a_settings_file_counts_less_than_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "scheduler.env"
    file.write_text(f"{OWN}POLL_SECONDS=0.25\n# no\n{OWN}DRAIN_SECONDS='7'\n")
    monkeypatch.setenv(f"{OWN}DRAIN_SECONDS", "9")
    monkeypatch.setenv(f"{OWN}POLL_SECONDS", "1")  # so that monkeypatch takes it back
    monkeypatch.delenv(f"{OWN}POLL_SECONDS")
    done = run("config", "show", "-o", "json", "--env-file", str(file))
    monkeypatch.delenv(f"{OWN}POLL_SECONDS")
    settings = json.loads(done.stdout)["settings"]
    assert (settings["poll_seconds"], settings["drain_seconds"]) == (0.25, 9)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"LEESE_SECONDS": "5"}, f"is no setting; is {OWN}LEASE_SECONDS meant?"),
        ({"STORE": "redis://127.0.0.1:{port}/0"}, "the store: "),
        ({"REDIS_URL": "redis://127.0.0.1:{port}/0"}, "the lock server: "),
        ({"STORE": "sqlite:////nowhere/at/all.db"}, "the store: "),
    ],
)
def test_what_does_not_work_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(OWN + name, value.format(port=free_port()))
    done = run("config", "check")
    assert done.exit_code == 1, done.output
    assert told in done.stdout


def test_a_value_that_is_none_is_a_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{OWN}POLL_SECONDS", "soon")
    done = run("config", "check")
    told = f"error: {OWN}POLL_SECONDS='soon': it must be a valid number\n"
    assert (done.exit_code, done.stderr) == (2, told)
    listed = run("exec", "list", "--store", "sqlite:///jobs.db")
    assert (listed.exit_code, listed.stderr) == (2, told)


def test_tables_of_others_are_asked_for_and_not_made(
    monkeypatch: pytest.MonkeyPatch, postgres_schema: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(f"{OWN}STORE", postgres_schema)
    told = "the store has no tables of ours: advanced-scheduler db upgrade"
    assert [run("config", "check").stdout.strip() for _ in range(2)] == [told, told]
    assert run("db", "upgrade", "--store", postgres_schema).exit_code == 0
    assert run("config", "check").stdout.strip() == "all is well"
    monkeypatch.setenv(f"{OWN}STORE", f"sqlite:///{tmp_path}/new.db")
    assert run("config", "check").stdout.strip() == "all is well"
    assert not (tmp_path / "new.db").exists()
