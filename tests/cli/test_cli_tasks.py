"""``advanced-scheduler task`` and ``exec``: to run, to see, to cancel, to run again."""

from __future__ import annotations

from .world import World


def test_tasks_are_listed(world: World) -> None:
    found = world.json("task", "list", schema="TaskPage")
    assert [one["id"] for one in found["tasks"]] == ["add", "after", "chat", "fail"]
    first, *rest = world.good("task", "list").splitlines()
    assert first.split() == ["id", "status", "priority", "kind", "next", "tags"]
    assert rest[0].split() == ["add", "active", "normal", "registered", "-", "sums"]


def test_what_a_task_has_logged_is_read_and_followed(world: World) -> None:
    made = world.scheduler.schedule_task("chat")
    assert world.json("exec", "logs", made, schema="LogPage")["lines"] == []
    with world.at_work():
        followed = world.good("exec", "logs", made, "--follow")
    assert followed.endswith(" INFO    half of it\n")
    assert world.good("exec", "logs", made) == followed
    line = world.json("exec", "logs", made, "-f", schema="LogLineOut")
    assert (line["number"], line["text"]) == (1, "half of it")
    assert world.run("exec", "logs", "none").exit_code == 3


def test_a_long_list_tells_how_to_go_on(world: World) -> None:
    done = world.run("task", "list", "--limit", "2")
    assert (done.exit_code, done.stderr) == (0, "there is more: --cursor after\n")
    rest = world.json("task", "list", "--cursor", "after", schema="TaskPage")
    assert [one["id"] for one in rest["tasks"]] == ["chat", "fail"]


def test_a_task_shows_its_definition(world: World) -> None:
    found = world.json("task", "show", "add", schema="TaskDetail")
    assert found["function_name"] == "add"
    shown = world.good("task", "show", "add")
    assert "cli_jobs.add" in shown
    assert "Adds two numbers." in shown


def test_a_task_is_run_with_arguments(world: World) -> None:
    started = world.json("task", "run", "add", "--json", "[1]", schema="ExecutionStarted")
    named = world.good("task", "run", "add", "--json", '{"a": 3}', "--priority", "high").strip()
    world.work()
    results = [world.scheduler.result(one, 0) for one in (started["execution_id"], named)]
    assert results == [3, 5]


def test_a_task_is_run_later(world: World) -> None:
    at = world.good("task", "run", "add", "--json", "[1]", "--at", "2090-01-01T12:00+01:00").strip()
    world.good("task", "run", "add", "--json", "[1]", "--in", "1h30m")
    assert world.json("exec", "show", at, schema="ExecutionDetail")["due_time"] == (
        "2090-01-01T11:00:00Z"
    )
    world.work()
    assert len(world.json("exec", "list", "--status", "pending")["executions"]) == 2


def test_to_wait_is_to_have_the_result(world: World) -> None:
    with world.at_work():
        found = world.json(
            "task", "run", "add", "--json", "[1]", "--wait", schema="ExecutionDetail"
        )
        failed = world.run("task", "run", "fail", "--progress")
    assert (found["status"], found["result"]) == ("completed", 3)
    assert failed.exit_code == 1
    assert "error   ValueError: no" in failed.stdout


def test_executions_are_found_and_shown(world: World) -> None:
    first = world.scheduler.schedule_task("add", 1)
    world.scheduler.schedule_task("fail")
    world.work()
    page = world.json("exec", "list", "--filter", "status=failed", schema="ExecutionPage")
    assert [one["task"] for one in page["executions"]] == ["fail"]
    listed = world.good("exec", "list", "--task", "add", "--filter", "since=1h").splitlines()
    assert listed[1].split()[:4] == [first, "add", "completed", "1"]
    assert world.json("exec", "show", first, schema="ExecutionDetail")["result"] == 3
    shown = world.good("exec", "show", page["executions"][0]["id"])
    assert 'raise ValueError("no")' in shown


def test_executions_that_are_named_are_cancelled(world: World) -> None:
    waiting = [world.later() for _ in range(2)]
    done = world.json("exec", "cancel", *waiting, schema="BatchOut")
    assert (done["matched"], done["changed"], done["refused"]) == (2, 2, {})
    again = world.run("exec", "cancel", waiting[0])
    assert again.exit_code == 4
    assert "is cancelled" in again.stdout


def test_all_that_fit_are_run_again_once_somebody_agrees(world: World) -> None:
    for _ in range(3):
        world.scheduler.schedule_task("fail")
    world.work()
    wanted = ["exec", "retry", "--filter", "task=fail"]
    assert world.good(*wanted, "--dry-run") == "3 executions would be run again\n"
    refused = world.run(*wanted)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "Run again 3 executions?" in refused.stderr
    assert "give --yes" in refused.stderr
    done = world.json(*wanted, "--yes", schema="BatchOut")
    assert (done["changed"], len(done["created"])) == (3, 3)
    world.scheduler.schedule_task("add", 1)
    world.work(2)
    shown = world.good("exec", "retry", "--filter", "since=1h", "--dry-run").splitlines()
    assert shown[0] == "6 executions would be run again"
    assert shown[1].startswith("left out: 1 execution that ended otherwise")


def test_ids_or_a_filter_are_needed(world: World) -> None:
    assert world.run("exec", "cancel").exit_code == 2
    assert world.run("exec", "retry", "x", "--filter", "task=fail").exit_code == 2
    wrong = world.run("exec", "list", "--filter", "colour=red")
    assert wrong.exit_code == 2
    assert "write KEY=VALUE" in wrong.stderr


def test_what_is_not_there_is_not_found(world: World) -> None:
    for words in (("task", "show"), ("task", "run"), ("exec", "show"), ("exec", "cancel")):
        done = world.run(*words, "none")
        assert done.exit_code == 3, done.output
        assert "none" in done.output


def test_wrong_arguments_are_a_wrong_use(world: World) -> None:
    for given, words in (
        ("[1, 2, 3]", "add"),
        ("{", "no JSON"),
        ("1", "an object, or an array"),
        ('{"a": 1, "c": 2}', "c"),
    ):
        done = world.run("task", "run", "add", "--json", given)
        assert (done.exit_code, done.stdout) == (2, "")
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_task_is_paused_with_its_schedules(world: World) -> None:
    assert world.run("task", "pause", "add").exit_code == 4
    world.scheduler.schedule_cron_task("add", "0 3 * * *", args=[1])
    assert world.good("task", "pause", "add") == "paused\n"
    assert world.json("task", "show", "add")["status"] == "paused"
    assert world.json("task", "resume", "add", schema="StatusOut") == {"status": "resumed"}
