"""The commands of who looks after a cluster: queue, nodes, locks, dead letters, keys, audit."""

from __future__ import annotations

import platform
from getpass import getuser

import pytest

from advanced_scheduler import TaskPriority
from tests.support.waiting import eventually

from .world import World


def test_the_queue_shows_its_lanes(world: World) -> None:
    world.later()
    found = world.json("queue", schema="QueueOut")
    assert [one["delayed"] for one in found["lanes"]] == [0, 0, 1, 0, 0]
    lines = world.good("queue", "show").splitlines()
    assert lines[3].split()[:4] == ["normal", "active", "1", "0"]
    assert lines[-2:] == ["running  0", "paused   -"]


def test_the_queue_is_paused_in_part_and_as_a_whole(world: World) -> None:
    assert world.good("queue", "pause", "--priority", "low") == "paused\n"
    assert world.good("queue", "pause", "--queue", "mail") == "paused\n"
    found = world.json("queue", schema="QueueOut")
    assert (found["paused"], found["paused_queues"]) == (False, ["mail"])
    assert [one["paused"] for one in found["lanes"]] == [False, False, False, True, False]
    assert world.json("queue", "pause", schema="StatusOut") == {"status": "paused"}
    shown = world.good("queue")
    assert ("paused   everything" in shown, "active" in shown) == (True, False)
    assert world.good("queue", "resume") == "resumed\n"


def test_dead_letters_are_run_again_or_deleted(world: World) -> None:
    for _ in range(2):
        world.scheduler.schedule_task("fail")
    world.work()
    (group,) = world.json("dead", "list", schema="DeadLetterPage")["items"]
    assert world.good("dead", "list").splitlines()[1].split()[:4] == [
        *(group["id"], "fail", "ValueError", "2"),
    ]
    assert world.good("dead", "retry", group["id"]) == "2 executions run again\n"
    world.work()
    assert world.run("dead", "discard", "--all").exit_code == 2
    refused = world.run("dead", "retry", "--all")
    assert (refused.exit_code, "in 1 group? Nobody is here" in refused.stderr) == (2, True)
    assert world.good("dead", "retry", "--all", "--yes") == "2 executions run again\n"
    world.work()
    done = world.json("dead", "discard", "--all", "--yes", schema="BatchOut")
    assert (done["action"], done["changed"]) == ("discard", 2)
    for action in ("retry", "discard"):  # nothing is left to be asked about
        assert world.good("dead", action, "--all").startswith("0 executions ")
    assert world.run("dead", "retry", "none").exit_code == 3
    assert world.run("dead", "retry").exit_code == 2


def test_a_lock_is_taken_from_its_holder(world: World) -> None:
    assert world.good("lock", "ttl", "after") == "free\n"
    locks = world.scheduler.lock_manager
    assert locks.acquire("after", timeout=300)
    (held,) = world.json("lock", "list", schema="LockPage")["items"]
    assert (held["task_id"], held["held"]) == ("after", True)
    assert world.json("lock", "ttl", "after", schema="LockOut")["ttl"] > 200
    assert "--force" in world.run("lock", "release", "after", "--yes").stderr
    assert world.run("lock", "release", "after", "--force").exit_code == 2
    assert world.good("lock", "release", "after", "--force", "--yes") == "released\n"
    assert world.run("lock", "release", "after", "--force", "--yes").exit_code == 4
    assert world.run("lock", "ttl", "none").exit_code == 3


def test_nodes_are_drained_and_forgotten(world: World) -> None:
    with world.scheduler.running():
        (node,) = world.json("node", "list", schema="NodePage")["items"]
        assert node["state"] == "alive"
        assert world.good("node", "drain", node["id"]) == "draining\n"
        assert world.json("node", "resume", node["id"], schema="StatusOut")["status"] == "resumed"
        assert world.run("node", "forget", node["id"], "--yes").exit_code == 4
        assert world.run("node", "forget", node["id"]).exit_code == 2
    assert world.run("node", "drain", "none").exit_code == 3


def test_keys_are_made_and_revoked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.good("key", "create", "ops", "--scope", "admin").strip()
    monkeypatch.setenv("ADVANCED_SCHEDULER_API_KEY", first)  # from now on nobody goes without
    made = world.json("key", "create", "ci", "--scope", "run", "--expires", "90d", schema="KeyMade")
    assert made["scopes"] == ["run"]
    assert world.good("key", "create", "reader").startswith("ask_")
    page = world.json("key", "list", schema="KeyPage")
    assert [one["name"] for one in page["items"]] == ["ci", "ops", "reader"]
    assert made["key"] not in world.good("key", "list")
    assert world.run("key", "revoke", made["id"]).exit_code == 2
    assert world.good("key", "revoke", made["id"], "--yes") == "revoked\n"
    assert world.run("key", "revoke", made["id"], "--yes").exit_code == 3
    _, ops, reader = (one["id"] for one in page["items"])
    assert world.good("key", "revoke", reader, "--yes") == "revoked\n"
    assert "It is the last" in world.run("key", "revoke", ops).stderr
    assert "warning: that was the last key" in world.run("key", "revoke", ops, "--yes").stderr


def test_the_audit_says_who_did_what(world: World) -> None:
    world.good("queue", "pause")
    page = world.json("audit", "--limit", "1", schema="AuditPage")
    (line,) = page["items"]
    who = "anybody" if "--url" in world.ways else f"{getuser()}@cli"
    assert (line["who"], line["outcome"]) == (who, 200)
    assert line["action"].endswith("/queue/pause")
    assert who in world.run("audit").stdout


def test_the_audit_says_what_only_was_a_trial(world: World) -> None:
    made = world.scheduler.schedule_cron_task("add", "0 * * * *", args=[1])
    window = ("2020-01-01T00:00Z", "2020-01-01T02:00Z")
    world.good("schedule", "backfill", made, *window, "--dry-run")
    world.good("schedule", "backfill", made, *window)
    titles, real, trial = world.good("audit").splitlines()
    assert titles.split()[-1] == "asked"
    assert ("dry_run: no" in real, "dry_run: yes" in trial) == (True, True)


def test_health_is_an_exit_code(world: World) -> None:
    for words in ([], ["--live"], ["--ready"], ["--full"]):
        until_health(world, "pass" if is_idle(world, words) else "fail", *words)
    with world.scheduler.running():
        for words in ([], ["--live"], ["--ready"], ["--full"]):
            until_health(world, "pass", *words)
    assert world.run("health", "--live", "--ready").exit_code == 2


def test_a_full_report_says_what_was_seen(world: World) -> None:
    with world.scheduler.running():
        world.scheduler.pause_dispatch(priority=TaskPriority.LOW)
        shown = until_health(world, "pass", "--full").splitlines()
    assert shown[-1] == "paused  priority low"
    said = "success rate" if "--url" in world.ways else "alive"
    assert any(said in line for line in shown)


def until_health(world: World, status: str, *words: str) -> str:
    """What is shown of this status: a service has a second to tell, too short if all is busy."""

    def told() -> str:
        done = world.run("health", *words)
        assert done.exit_code == (1 if done.stdout.startswith("fail\n") else 0), done.output
        return done.stdout if done.stdout.startswith(f"{status}\n") else ""

    return eventually(told, what=status)


def is_idle(world: World, words: list[str]) -> bool:
    """A service whose engine was not started reports no fault of its own; no probe passes."""
    return "--url" in world.ways and words in ([], ["--full"])


@pytest.mark.parametrize("world", ["store"], indirect=True)  # a service tells of itself
def test_the_heartbeats_of_a_machine_or_a_node_are_told_apart(world: World) -> None:
    with world.scheduler.running():
        assert world.run("health", "--live", "--node", world.scheduler.name).exit_code == 0
        other = world.run("health", "--live", "--node", "other")
        assert (other.exit_code, other.stdout) == (1, "fail\nno such node has been seen lately\n")
    assert platform.node() in world.scheduler.name


def test_metrics_and_versions_are_told(world: World) -> None:
    assert "# TYPE advanced_scheduler_queue_depth gauge" in world.good("metrics")
    assert world.json("version", schema="VersionInfo")["store"] == "SqliteStore"


def test_the_description_is_the_one_of_rest(world: World) -> None:
    if "--url" in world.ways:
        assert world.json("openapi")["openapi"].startswith("3.1")
    else:
        assert "openapi: 3.1" in World.alone().good("openapi", "-o", "yaml")
