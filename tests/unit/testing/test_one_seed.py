"""What a simulation reports; that it is right, is for tests/scenarios/test_simulation.py."""

from __future__ import annotations

import asyncio
import logging

import pytest

from advanced_scheduler.engine.housekeeper import Housekeeper
from advanced_scheduler.engine.node import Node
from advanced_scheduler.testing import simulate
from advanced_scheduler.testing.__main__ import main


def test_a_seed_that_is_well_says_so_and_tells_a_story() -> None:
    report = simulate(1)
    assert not report.violations
    assert str(report) == f"seed 1: all well in {report.executions} executions"
    assert report.starts > 0
    assert any("-> completed by n" in line for line in report.story)


def test_the_same_seed_tells_the_same_story_and_another_one_another() -> None:
    assert simulate(1).story == simulate(1).story != simulate(2).story


def test_more_steps_make_a_longer_story() -> None:
    assert len(simulate(1, steps=10).story) < len(simulate(1).story)


def test_nothing_is_logged_meanwhile_and_the_level_is_as_before() -> None:
    ours = logging.getLogger("advanced_scheduler")
    before = ours.level
    simulate(1, steps=5)
    assert ours.level == before


def test_the_command_line_runs_seeds_and_exits_by_what_they_show(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["1", "2"]) == 0
    assert "seed 2: all well" in capsys.readouterr().out
    assert main([]) == main(["one"]) == 2
    assert "usage" in capsys.readouterr().err

    def fails(self: Housekeeper) -> int:
        raise ZeroDivisionError("by the test")

    monkeypatch.setattr(Housekeeper, "sweep", fails)
    assert main(["3"]) == 1
    printed = capsys.readouterr().out
    assert "the engine raised ZeroDivisionError('by the test')" in printed
    assert "run it again: python -m advanced_scheduler.testing 3" in printed


def test_an_exception_that_nobody_catches_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Node, *_: object) -> None:
        asyncio.get_running_loop().call_soon(divmod, 1, 0)

    monkeypatch.setattr(Node, "_hear", fails)
    (violation,) = simulate(1).violations
    assert violation.startswith("the engine raised ZeroDivisionError")
