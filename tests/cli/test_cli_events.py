"""``advanced-scheduler events``: what happens on any node, by both ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from advanced_scheduler.cli.events import told
from tests.support.waiting import repeating

from .world import World

FINISHED = "execution.finished"


@contextmanager
def busy(world: World, task: str, *args: int) -> Iterator[None]:
    """A node that runs a task again and again."""
    schedule = partial(world.scheduler.schedule_task, task, *args)
    with world.scheduler.running(), repeating(schedule, 0.2):
        yield


def test_the_next_events_are_printed(world: World) -> None:
    with busy(world, "add", 1):
        done = world.run("events", "-n", "2", "--type", FINISHED, "--task", "add", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["type"], one["data"]["task_id"]) for one in found] == [
        ("execution.finished", "add")
    ] * 2
    assert all(set(one) == {"id", "type", "time", "data"} for one in found)


def test_an_event_is_one_line_for_people(world: World) -> None:
    with busy(world, "fail"):
        done = world.run("events", "--type", FINISHED)
    assert done.stdout.split()[1:3] == [FINISHED, "fail"]
    assert " failed " in done.stdout


def test_a_stream_tells_where_something_was_lost() -> None:
    lines = ["retry: 2000", "", "id: 1", "event: completed", 'data: {"id":1}', "", ": heartbeat"]
    assert list(told([*lines, "", "event: resync", "data: {}"])) == [{"id": 1}, None]
