"""The pages for those who run it: commands that exist, programs that run, manifests that fit."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup
from typer.exceptions import TyperException

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.cli.app import app
from advanced_scheduler.cli.lazy import LazyCommand, ShowGroup
from advanced_scheduler.metrics import SchedulerMetrics
from advanced_scheduler.metrics.server import Pages
from tests.docs.pages import ROOT, Block, blocks_of, run_python, targets_of, text_of

FOLDER = "backend/docs"
NAMES = ("operations", "troubleshooting", "extending", "embedding", "security")
PAGES = {name: text_of(f"{FOLDER}/{name}.md") for name in NAMES}
BLOCKS = [(name, block) for name, page in PAGES.items() for block in blocks_of(page)]
MANIFESTS = [
    document
    for _, block in BLOCKS
    if block.language == "yaml"
    for document in yaml.safe_load_all(block.text)
]


def commands() -> Iterator[str]:
    """Our commands on these pages: typed, in the text, and in what starts containers."""
    for page in PAGES.values():
        for found in re.findall(r"(?:^\$ |`)(advanced-scheduler [^`\n]*)", page, re.MULTILINE):
            yield found.partition("  #")[0].strip()
    for manifest in MANIFESTS:
        for container in containers_of(manifest):
            yield shlex.join(["advanced-scheduler", *container["args"]])


def containers_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        manifest["spec"].get("template", {}).get("spec", {}).get("containers", [])
    )
    return found


def parsed(words: list[str]) -> None:
    """Raise ``TyperException`` unless these words are a command of ours."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="advanced-scheduler")
    while isinstance(command, TyperGroup):
        if isinstance(command, ShowGroup) and (not words or words[0].startswith("-")):
            words = ["show", *words]
        name, found, words = command.resolve_command(context, words)
        command = found.real() if isinstance(found, LazyCommand) else found
        context = typer.Context(command, parent=context, info_name=name)
    if words:  # else it is only named
        command.parse_args(context, words)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_a_command_and_its_options_exist(command: str) -> None:
    words = shlex.split(command)[1:]
    try:
        parsed(words)
    except TyperException as error:
        pytest.fail(f"{command}: {error}")


def test_a_command_that_does_not_exist_is_found_out() -> None:
    for words in (["fly"], ["queue", "fly"], ["exec", "list", "--fly"]):
        with pytest.raises(TyperException):
            parsed(words)


PROGRAMS = [
    block
    for name, block in BLOCKS
    if name in {"extending", "operations"} and block.language == "python"
]


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_program_prints_what_the_page_says(block: Block, tmp_path: Path) -> None:
    done = run_python(tmp_path, "-c", block.text)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (block.output or "")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    targets = targets_of(PAGES[name])
    assert targets
    for target in targets:
        assert (ROOT / FOLDER / target).exists(), target


def test_probes_of_kubernetes_are_pages_that_there_are() -> None:
    scheduler = AdvancedTaskScheduler()
    known = Pages(scheduler, SchedulerMetrics(scheduler)).by_path
    probed = [
        (container[name]["httpGet"], container)
        for manifest in MANIFESTS
        for container in containers_of(manifest)
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
        if name in container
    ]
    assert len(probed) == 3
    for probe, container in probed:
        assert probe["path"] in known
        (port,) = [one for one in container["ports"] if one["name"] == probe["port"]]
        assert str(port["containerPort"]) in container["args"]
    scheduler.close()


def test_the_unit_of_systemd_waits_longer_than_a_node_drains() -> None:
    (unit,) = [block.text for _, block in BLOCKS if block.language == "ini"]
    read = configparser.ConfigParser()
    read.read_string(unit)
    assert float(read["Service"]["TimeoutStopSec"]) > AdvancedTaskScheduler().settings.drain_seconds
    parsed(shlex.split(read["Service"]["ExecStart"])[1:])


def test_the_container_starts_with_a_command_of_ours() -> None:
    (text,) = [block.text for _, block in BLOCKS if block.language == "dockerfile"]
    (started,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    parsed(yaml.safe_load(started))
    (extras,) = re.findall(r"advanced-scheduler\[([\w,]+)\]", text)
    project = text_of("pyproject.toml")
    assert all(f"\n{extra} = [" in project for extra in extras.split(","))
