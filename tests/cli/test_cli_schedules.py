"""``advanced-scheduler schedule``: to make, to edit, to preview, to look back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from advanced_scheduler import SystemClock
from advanced_scheduler.triggers import IntervalTrigger

from .world import World, must_fit, serving


def add(world: World, *words: str) -> str:
    """The id of a new schedule of the task ``add``."""
    made: str = world.json("schedule", "add", "add", "--json", "[1]", *words, schema="ScheduleOut")[
        "id"
    ]
    return made


def test_a_schedule_is_made_shown_and_listed(world: World) -> None:
    made = add(
        world, "--cron", "30 2 * * *", "--tz", "Europe/Berlin", "--tag", "x", "--id", "night"
    )
    assert made == "night"
    found = world.json("schedule", "show", "night", schema="ScheduleDetail")
    assert (found["timezone"], found["tags"], found["args"]) == ("Europe/Berlin", ["x"], [1])
    shown = world.good("schedule", "show", "night")
    assert found["words"] in shown
    assert "02:30:00" in shown
    page = world.json("schedule", "list", "--task", "add", "--tag", "x", schema="SchedulePage")
    assert [one["id"] for one in page["items"]] == ["night"]
    assert world.good("schedule", "list", "--status", "active").splitlines()[1].startswith("night")


def test_there_are_four_ways_to_say_when(world: World) -> None:
    ways = {
        "cron": ["--cron", "0 3 * * *"],
        "interval": ["--every", "90s"],
        "once": ["--at", "2090-01-01T12:00Z"],
        "daily": ["--trigger", '{"type": "daily", "times": ["02:30"]}'],
    }
    for kind, words in ways.items():
        made = world.json("schedule", "add", "add", "--json", "[1]", *words, schema="ScheduleOut")
        assert made["trigger"]["type"] == kind
    both = world.run("schedule", "add", "add", *ways["cron"], *ways["interval"])
    assert (both.exit_code, both.stdout) == (2, "")
    none = world.run("schedule", "add", "add", "--json", "[1]")
    assert (none.exit_code, "give a trigger" in none.stderr) == (2, True)


def test_policies_are_kept(world: World) -> None:
    made = add(
        world,
        *("--cron", "0 3 * * *", "--priority", "high", "--timeout", "10m", "--misfire", "skip"),
        *("--grace", "1m", "--overlap", "queue_one", "--max-runs", "3", "--pause-on-failure", "2"),
    )
    found = world.json("schedule", "show", made)
    names = ("priority", "timeout", "misfire", "grace_seconds", "overlap", "max_runs")
    assert [found[name] for name in names] == ["high", 600, "skip", 60, "queue_one", 3]


def test_an_edit_minds_the_version_that_was_seen(world: World) -> None:
    made = add(world, "--cron", "0 3 * * *")
    changed = world.json(
        *("schedule", "edit", made, "--cron", "0 4 * * *", "--changelog", "later"),
        *("--if-version", "1"),
        schema="ScheduleOut",
    )
    assert changed["version"] == 2
    nothing = world.run("schedule", "edit", made)
    assert (nothing.exit_code, "nothing is given to change" in nothing.stderr) == (2, True)
    clash = world.run("schedule", "edit", made, "--cron", "0 5 * * *", "--if-version", "1")
    assert (clash.exit_code, clash.stdout) == (4, "")
    page = world.json("schedule", "history", made, schema="VersionPage")
    assert [one["changelog"] for one in page["items"]] == ["later", None]
    assert "trigger: " in world.good("schedule", "history", made)


def test_a_schedule_is_paused_run_and_removed(world: World) -> None:
    made = add(world, "--cron", "0 3 * * *")
    assert world.good("schedule", "pause", made) == "paused\n"
    assert world.json("schedule", "pause", made, schema="ScheduleOut")["status"] == "paused"
    assert world.good("schedule", "resume", made, "--catch-up") == "active\n"
    started = world.json("schedule", "run", made, "--json", "[5]", schema="ExecutionStarted")
    world.work()
    assert world.scheduler.result(started["execution_id"], 0) == 7
    refused = world.run("schedule", "remove", made)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert world.good("schedule", "remove", made, "--yes") == "removed\n"
    assert world.run("schedule", "show", made).exit_code == 3


def test_the_past_is_made_good(world: World) -> None:
    made = add(world, "--cron", "0 * * * *")
    end = SystemClock().now()
    window = [(end - timedelta(hours=3)).isoformat(), end.isoformat()]
    dry = world.json("schedule", "backfill", made, *window, "--dry-run", schema="BackfillOut")
    assert (len(dry["instants"]), dry["created"], dry["existing"]) == (3, [], [])
    assert len(world.good("schedule", "backfill", made, *window).splitlines()) == 4
    world.work()
    again = world.good("schedule", "backfill", made, *window)
    assert again == "3 of 3 were backfilled before, and left out: --force runs them again\n"
    forced = world.json("schedule", "backfill", made, *window, "--force", schema="BackfillOut")
    assert (len(forced["created"]), len(forced["existing"])) == (3, 3)
    assert "; backfilled: execution" in world.good("schedule", "explain", made, dry["instants"][0])


def test_a_schedule_is_found_by_its_name(world: World) -> None:
    made = add(world, "--cron", "0 3 * * *", "--name", "each night")
    assert "each night" in world.good("schedule", "list")
    assert world.json("schedule", "show", "each night")["id"] == made
    assert world.good("schedule", "pause", "each night") == "paused\n"
    other = add(world, "--cron", "0 4 * * *", "--id", "each night")
    torn = world.run("schedule", "remove", "each night", "--yes")
    assert (torn.exit_code, torn.stdout) == (4, "")
    assert repr(made) in torn.stderr
    assert world.good("schedule", "edit", made, "--name", "mine")
    assert world.good("schedule", "remove", other, "--yes") == "removed\n"


def of_the_release_before(served: ASGIApp) -> ASGIApp:
    """A service that looks at no parameter of a list, and refuses ``force``."""

    async def older(scope: Scope, receive: Receive, send: Send) -> None:
        async def received() -> Message:
            message = await receive()
            return {**message, "body": message.get("body", b"").replace(b'"force"', b'"unknown"')}

        listed = scope.get("path", "").endswith("/schedules")
        await served({**scope, "query_string": b""} if listed else scope, received, send)

    return older


@pytest.mark.parametrize("world", ["store"], indirect=True)
def test_a_service_of_the_release_before_is_asked_in_its_words(world: World) -> None:
    made = [add(world, "--every", "1h", "--id", one, "--name", f"{one} name") for one in "abc"]
    end = SystemClock().now()
    window = [(end - timedelta(hours=3)).isoformat(), end.isoformat()]
    with serving(world.scheduler, wrapped=of_the_release_before) as url:
        old = World(world.scheduler, ways=["--url", url])
        assert old.json("schedule", "show", "b")["id"] == "b"
        assert old.json("schedule", "show", "c name")["id"] == "c"
        assert old.good("schedule", "remove", "b", "--yes") == "removed\n"
        assert old.run("schedule", "remove", "b", "--yes").exit_code == 3
        assert old.good("schedule", "remove", "c name", "--yes") == "removed\n"
        left = old.json("schedule", "list", schema="SchedulePage")["items"]
        assert [one["id"] for one in left] == made[:1]
        assert old.json("schedule", "backfill", "a", *window, "--dry-run", schema="BackfillOut")
        refused = old.run("schedule", "backfill", "a", *window, "--dry-run", "--force")
        assert (refused.exit_code, "unknown" in refused.stderr) == (2, True)


def test_an_instant_is_explained(world: World) -> None:
    made = add(world, "--cron", "0 0 1 1 *")
    words = ["schedule", "explain", made, "2190-01-01T00:00Z"]
    assert world.json(*words, schema="TickOut")["reason"] == "still to come"
    assert "still to come" in world.good(*words)
    assert "not an instant of this" in world.good("schedule", "explain", made, "now")
    wrong = world.run("schedule", "explain", made, "noon")
    assert (wrong.exit_code, "'noon' is no time" in wrong.stderr) == (2, True)
    unknown = world.run("schedule", "explain", "none", "noon")
    assert (unknown.exit_code, "none" in unknown.stderr) == (3, True)


def test_a_preview_needs_no_scheduler() -> None:
    alone = World.alone()
    words = ["schedule", "preview", "30 2 * * *", "--tz", "Europe/Berlin", "-n", "3"]
    found = alone.json(*words, "--from", "2030-03-30T00:00Z")
    must_fit(found, "PreviewOut")
    assert [one["instant"] for one in found["runs"]] == [
        "2030-03-30T01:30:00Z",
        "2030-03-31T01:00:00Z",
        "2030-04-01T00:30:00Z",
    ]
    shown = alone.good(*words, "--from", "2030-03-30T00:00Z")
    assert shown.splitlines()[0] == found["words"]
    assert "2030-03-31 03:00:00 CEST" in shown
    wrong = alone.run("schedule", "preview", "61 * * * *")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "minute" in wrong.stderr
    assert alone.run("schedule", "preview").exit_code == 2


def test_a_name_may_have_any_character(world: World) -> None:
    name = "a/b %2F ?#& é任务"
    world.scheduler.create_schedule("add", IntervalTrigger(3600), schedule_id=name, args=[1])
    assert world.json("schedule", "show", name)["id"] == name
    assert world.json("schedule", "pause", name)["status"] == "paused"
    for dots in (".", ".."):
        assert world.run("schedule", "show", dots).exit_code == 3
