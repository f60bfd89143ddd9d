"""``advanced-scheduler db``: what it prints, and how it exits."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from advanced_scheduler.cli.app import app
from advanced_scheduler.stores.sql_schema import HEAD

RELEASED = Path(__file__).parents[1] / "contract" / "released" / "0001_sqlite.sql"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that is not there yet, which the environment names."""
    monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", f"sqlite:///{tmp_path}/jobs.db")
    return f"sqlite:///{tmp_path}/jobs.db"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["db", *arguments])


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "-o", "json").stdout)


def release(url: str) -> None:
    """Make the tables that the first release made."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        file.executescript(RELEASED.read_text())


@pytest.mark.usefixtures("url")
def test_a_look_at_a_database_makes_none(tmp_path: Path) -> None:
    assert answer("current") == {"current": None, "head": HEAD, "at_head": False}
    assert run("check").exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_an_upgrade_brings_the_tables_to_the_head(url: str) -> None:
    release(url)
    assert answer("current") == {"current": "0001", "head": HEAD, "at_head": False}
    assert answer("upgrade") == {"before": "0001", "after": HEAD}
    assert answer("upgrade") == {"before": HEAD, "after": HEAD}
    assert answer("check") == {"current": HEAD, "head": HEAD, "at_head": True}
    assert run("check").exit_code == 0


def test_a_check_says_what_to_do(url: str) -> None:
    release(url)
    checked = run("check", "--store", url)
    assert (checked.exit_code, checked.stderr) == (
        1,
        "run `advanced-scheduler db upgrade` with the same --store\n",
    )
    assert checked.stdout == f"now         0001\nneeded      {HEAD}\nup to date  no\n"


def test_a_table_is_for_people(url: str) -> None:
    assert run("upgrade", "--store", url).stdout == f"before  none\nafter   {HEAD}\n"
    told = f"now         {HEAD}\nneeded      {HEAD}\nup to date  yes\n"
    assert run("current", "--store", url).stdout == told


def test_the_statements_make_the_tables_without_the_package(url: str, tmp_path: Path) -> None:
    printed = run("sql", "--store", url)
    assert printed.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as file:
        file.executescript(printed.stdout)
    assert answer("check")["at_head"]


def test_the_statements_of_a_part_of_the_way(url: str) -> None:
    printed = run("sql", "--store", url, "--from", "0001", "--to", "0002").stdout
    assert "ALTER TABLE executions ADD COLUMN at_most_once" in printed
    assert "CREATE TABLE" not in printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("current", "--store", "memory://"), 2, "keeps nothing that another process could see"),
        (("current", "--store", "jobs.db"), 2, "is not a URL"),
        (("sql", "--from", "0009"), 2, "'0009' is no revision; use one of 0001, 0002, "),
        (("upgrade", "--store", "sqlite:////no/such/folder/x.db"), 5, "cannot be reached"),
        (("current", "--no-such-option"), 2, "No such option"),
    ],
)
@pytest.mark.usefixtures("url")
def test_an_error_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    failed = run(*arguments)
    assert (failed.exit_code, failed.stdout) == (code, "")
    assert words in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_file_that_is_no_database_is_a_failure(url: str, tmp_path: Path) -> None:
    (tmp_path / "jobs.db").write_text("not a database" * 100)
    failed = run("current", "--store", url)
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1
    assert failed.stderr.startswith(f"error: store={url}")


def test_an_interrupt_exits_with_130(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_store: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("advanced_scheduler.stores.sql.SqlStore.revisions", interrupted)
    assert run("current", "--store", url).exit_code == 130


@pytest.mark.usefixtures("url")
def test_the_way_back_is_told_and_drops_nothing() -> None:
    assert run("downgrade", "0001").exit_code == 3
    run("upgrade")
    assert answer("downgrade", "0001") == {"current": HEAD, "readable_from": "0001", "ok": True}
    assert "the tables stay as they are" in run("downgrade", HEAD).stdout
    assert run("downgrade", "0000").exit_code == 1
    assert [run("downgrade", no).exit_code for no in ("nope", "9999", "1")] == [2, 2, 2]
    assert answer("current")["current"] == HEAD
