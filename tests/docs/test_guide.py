"""The guide is one program: each block runs, and prints what the page says that it prints."""

from __future__ import annotations

import pytest

import advanced_scheduler
from advanced_scheduler import InvalidTrigger
from advanced_scheduler.engine.schedule_fields import Policies
from tests.docs.pages import ROOT, Block, blocks_of, commands_of, run_python, targets_of, text_of

FOLDER = "backend/docs"
GUIDE = text_of(f"{FOLDER}/guide.md")
BLOCKS = blocks_of(GUIDE)
PROGRAM = [block for block in BLOCKS if block.language == "python"]
END = "\x1e"  # printed after each block


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block prints, in the order of the page."""
    folder = tmp_path_factory.mktemp("guide")
    program = folder / "guide.py"
    program.write_text(
        "".join(f"{block.text}\nprint({END!r}, end='', flush=True)\n" for block in PROGRAM),
        encoding="utf-8",
    )
    done = run_python(folder, str(program))
    assert done.returncode == 0, done.stderr
    return done.stdout.split(END)[:-1]


@pytest.mark.parametrize(("number", "block"), list(enumerate(PROGRAM)), ids=str)
def test_a_block_prints_what_the_guide_says(number: int, block: Block, printed: list[str]) -> None:
    assert printed[number] == (block.output or "")


def test_the_guide_runs_no_commands_that_nobody_tests() -> None:
    assert commands_of(BLOCKS) == []


def test_links_of_the_guide_lead_somewhere() -> None:
    targets = targets_of(GUIDE)
    assert targets
    for target in targets:
        assert (ROOT / FOLDER / target).exists(), target


def test_every_kind_of_trigger_and_every_policy_is_in_the_guide() -> None:
    triggers = [one for one in advanced_scheduler.__all__ if one.endswith("Trigger")]
    triggers.remove(InvalidTrigger.__name__)
    missing = [one for one in (*triggers, *Policies.__annotations__) if one not in GUIDE]
    assert missing == []
