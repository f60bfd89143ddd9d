"""The plugin as a user's pytest finds it: by its entry point, in a project that says nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

APPLICATION = """
from advanced_scheduler import AdvancedTaskScheduler

scheduler = AdvancedTaskScheduler()

@scheduler.task(task_id="greet")
def greet(name): return f"hello {name}"

greet.cron("0 9 * * *", args=["all"])
"""


def test_pytest_finds_the_plugin_by_its_entry_point() -> None:
    (ours,) = entry_points(group="pytest11", name="advanced_scheduler")
    assert ours.value == "advanced_scheduler.pytest_plugin", "out of date: make env"


def test_the_plugin_costs_a_run_of_pytest_nothing_but_itself() -> None:
    program = (
        "import pytest, sys\n"
        "before = {*sys.modules}\n"
        "import advanced_scheduler.pytest_plugin\n"
        "print(*sorted({*sys.modules} - before))\n"
    )
    asked = [sys.executable, "-c", program]
    answer = subprocess.run(asked, capture_output=True, check=True, text=True)
    assert answer.stdout.split() == ["advanced_scheduler", "advanced_scheduler.pytest_plugin"]


def test_the_fixtures_serve_plain_and_coroutine_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        application=APPLICATION,
        test_user="""
        import asyncio, threading
        import application
        import pytest

        def test_plain(advanced_scheduler):
            advanced_scheduler.scheduler.schedule_task(len, [1, 2])
            advanced_scheduler.assert_scheduled("builtins.len", count=1)
            (row,) = advanced_scheduler.drain()
            assert row.result == 2

        def test_each_test_has_one_of_its_own(advanced_scheduler):
            assert advanced_scheduler.scheduled() == []
            assert advanced_scheduler.scheduler.executions() == []

        @pytest.mark.anyio
        async def test_coroutine(advanced_scheduler):
            loops = []
            async def note(): loops.append(asyncio.get_running_loop())
            advanced_scheduler.scheduler.schedule_task(note)
            await advanced_scheduler.advance_async(minutes=5)
            assert loops == [asyncio.get_running_loop()]

        @pytest.fixture
        def anyio_backend(): return "asyncio"

        def test_the_application(advanced_scheduler_for):
            tester = advanced_scheduler_for(application.scheduler)
            application.greet.schedule("ada")
            assert [row.result for row in tester.advance(days=1)] == ["hello ada", "hello all"]

        def test_nothing_is_left():
            assert application.scheduler.executions() == []
            application.scheduler.close()
        """,
    )
    result = pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=5)


def test_a_failure_shows_the_line_of_the_test_and_what_the_task_raised(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile(
        """
        def test_missing(advanced_scheduler):
            advanced_scheduler.scheduler.schedule_task(len, [])
            advanced_scheduler.assert_scheduled("report")

        def test_broken(advanced_scheduler):
            def divide(): return 1 / 0
            advanced_scheduler.scheduler.schedule_task(divide)
            advanced_scheduler.drain()
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            '>       advanced_scheduler.assert_scheduled("report")',
            "E       AssertionError: not scheduled: 'report'; what is scheduled:",
            "E         builtins.len(*) at 2030-01-01 00:00:00+00:00, NORMAL, execution *",
            ">   def divide(): return 1 / 0",
            "E   ZeroDivisionError: division by zero",
            "The above exception was the direct cause of the following exception:",
            ">       advanced_scheduler.drain()",
            "E       advanced_scheduler.errors.TaskFailed: task * failed: ZeroDivisionError: *",
        ]
    )
    result.stdout.no_fnmatch_line("*tester.py*")


def test_pytest_lists_the_fixtures_and_does_without_the_plugin_where_it_is_told_to(
    pytester: pytest.Pytester,
) -> None:
    listed = pytester.runpytest_inprocess("--fixtures", "-p", "no:cacheprovider")
    listed.stdout.fnmatch_lines(
        [
            "advanced_scheduler -- *pytest_plugin.py:*",
            "*A scheduler in memory whose clock only the test moves*",
            "advanced_scheduler_for -- *pytest_plugin.py:*",
        ]
    )
    pytester.makepyfile(
        """
        def test_of_something_else(): pass
        def test_that_asks(advanced_scheduler): pass
        """
    )
    without = pytester.runpytest_inprocess("-p", "no:advanced_scheduler", "-p", "no:cacheprovider")
    without.assert_outcomes(passed=1, errors=1)
    without.stdout.fnmatch_lines(["E       fixture 'advanced_scheduler' not found"])
