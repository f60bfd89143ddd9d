"""Every block of the README runs, and prints what the README says that it prints."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskDefinition
from advanced_scheduler.stores import open_store
from tests.docs.pages import ROOT, Block, blocks_of, commands_of, run_python, targets_of, text_of

README = text_of("README.md")
BLOCKS = blocks_of(README)
PROGRAMS = [block for block in BLOCKS if block.language == "python"]


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_prints_what_the_readme_says(block: Block, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(block.text, encoding="utf-8")
    done = run_python(tmp_path, str(program))
    assert done.returncode == 0, done.stderr
    assert block.output is not None, f"{block}: say in a text block what the program prints"
    assert done.stdout == block.output


def test_the_quick_start_has_ten_lines() -> None:
    quick_start = README.partition("## Quick start")[2]
    first = next(block for block in PROGRAMS if block.text in quick_start)
    assert len([line for line in first.text.splitlines() if line.strip()]) <= 10


def ran_on_a_real_store(words: list[str], request: pytest.FixtureRequest, folder: Path) -> int:
    """The exit code of our command, with the addresses of the README replaced by real ones."""
    (folder / "myapp").mkdir()
    (folder / "myapp" / "jobs.py").write_text(
        "from advanced_scheduler import AdvancedTaskScheduler\n"
        "scheduler = AdvancedTaskScheduler(store='sqlite:///jobs.db')\n"
        "@scheduler.task(task_id='greet')\n"
        "def greet(name: str) -> None: ...\n"
    )
    used = open_store(f"sqlite:///{folder}/jobs.db")  # by the build that is deployed
    used.open()
    used.close()
    if any(word.startswith("postgresql://") for word in words):
        url = request.getfixturevalue("postgres_schema")
        words = [url if word.startswith("postgresql://") else word for word in words]
        if "check" in words:
            store = open_store(url, auto_migrate=True)
            store.open()
            store.close()
    done = run_python(folder, "-m", "advanced_scheduler.cli", *words, path=":.")
    assert done.stdout, done.stderr
    return done.returncode


@pytest.mark.parametrize("command", commands_of(BLOCKS))
def test_a_command_is_one_that_works(
    command: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        make = shutil.which("make")
        assert make is not None
        dry = subprocess.run(
            [make, "-n", words[1]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert dry.returncode == 0, dry.stderr
    elif words[:2] == ["pip", "install"]:
        extra = re.fullmatch(r"\.(?:\[(\w+)\])?", words[2])
        assert extra is not None, command
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        assert not extra[1] or f"\n{extra[1]} = [" in project
    elif words[0] == "advanced-scheduler":
        assert ran_on_a_real_store(words[1:], request, tmp_path) == 0
    else:
        assert words[:2] == [".venv/bin/python", "examples.py"], command
        done = subprocess.run(
            [sys.executable, *words[1:]],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "backend"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_the_state_diagram_shows_every_state() -> None:
    diagram = README.partition("## States of an execution")[2].partition("## ")[0]
    for state in ("PENDING", "RUNNING", "RETRYING", "COMPLETED", "FAILED", "CANCELLED", "SKIPPED"):
        assert state in diagram


def test_the_table_of_settings_gives_the_true_defaults() -> None:
    from advanced_scheduler import Settings

    table = README.partition("## Settings")[2]
    known = Settings.model_fields
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    checked: set[str] = set()
    for names, defaults in rows[1:]:
        keys = re.findall(r"`(\w+)`", names)
        values = [value.strip(" `") for value in defaults.split(",")]
        for key, value in zip(keys, values * (len(keys) // len(values)), strict=True):
            assert key in known, f"the README names a setting that does not exist: {key}"
            if value not in ("none", "lease / 3"):
                assert str(known[key].default).lower() == value
            checked.add(key)
    assert checked == set(known), "the README says that every setting is in its table"


def test_the_table_of_a_task_has_every_parameter_and_every_field() -> None:
    table = README.partition("| `@scheduler.task(...)` ")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[:2] for line in table.splitlines()[2:]]
    said = [set(re.findall(r"`(\w+)`", " ".join(column))) for column in zip(*rows, strict=True)]
    parameters = inspect.signature(AdvancedTaskScheduler.task).parameters
    assert said[0] == set(parameters) - {"self"}
    assert said[1] == {field.name for field in fields(TaskDefinition)}


def test_links_into_the_repository_lead_somewhere() -> None:
    targets = targets_of(README)
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target
