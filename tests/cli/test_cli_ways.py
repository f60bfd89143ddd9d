"""The two ways to a service: what each says when it does not lead there, and who is let in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from advanced_scheduler.api import Principal, Scope
from advanced_scheduler.api.app import PREFIX as SERVED
from advanced_scheduler.cli.client import PREFIX

from .world import World, serving

ALONE = World.alone()
READER = Principal(name="reader", scopes=frozenset({Scope.READ}))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORE", "URL", "API_KEY"):
        monkeypatch.delenv(f"ADVANCED_SCHEDULER_{name}", raising=False)


def said(*words: str) -> tuple[int, str]:
    """The exit code of a command that fails, and its one line."""
    done = ALONE.run(*words)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.exit_code, done.stderr


def test_the_paths_are_those_of_the_service() -> None:
    assert PREFIX == SERVED


def test_without_an_address_it_says_how_to_give_one() -> None:
    code, line = said("task", "list")
    assert code == 2
    assert all(word in line for word in ("--url", "--store", "--app", "ADVANCED_SCHEDULER_URL"))


def test_the_environment_names_the_service(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    if "--url" in world.ways:
        monkeypatch.setenv("ADVANCED_SCHEDULER_URL", world.ways[1] + f"{PREFIX}/")
    else:
        monkeypatch.setenv("ADVANCED_SCHEDULER_STORE", world.store)
    assert ALONE.json("queue", schema="QueueOut")["running"] == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["bench", "--store", "nope"], 2, "store='nope' is not a URL; try memory://"),
        (["events", "--type", "odd"], 2, "; type/0: it must be 'execution.scheduled', "),
        (["task", "run", "add", "--at", "now", "--in", "1h"], 2, "give --at or --in, not both"),
        (["schedule", "remove", "none"], 3, "no schedule 'none'"),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_the_command(
    words: list[str], code: int, told: str, jobs: str
) -> None:
    found, line = said(*words, *([] if words[0] == "bench" else ["--app", jobs]))
    assert (found, told in line) == (code, True), line
    assert line.count("store=") <= 1


def test_one_way_is_enough(jobs: str) -> None:
    code, line = said("task", "list", "--url", "http://127.0.0.1:1", "--app", jobs)
    assert (code, "not both" in line) == (2, True)


def test_a_service_that_is_not_there_is_not_reachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, line = said("queue", "--url", f"http://127.0.0.1:{port}")
    assert code == 5
    assert f"http://127.0.0.1:{port} cannot be reached" in line
    assert said("events", "--follow", "--url", f"http://127.0.0.1:{port}")[0] == 5


def test_an_address_that_is_none_is_a_wrong_use() -> None:
    assert said("queue", "--url", "localhost:8000")[0] == 2
    assert said("queue", "--url", "http://")[0] == 2


@pytest.mark.parametrize(("status", "code"), [(200, 1), (404, 3), (500, 1)])
def test_what_is_no_scheduler_is_asked_whether_it_is_one(status: int, code: int) -> None:
    with other_server(status) as url:
        found, line = said("queue", "--url", url)
    assert (found, "is there an advanced-scheduler?" in line) == (code, True)


def test_a_key_opens_what_its_scopes_say(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(world.scheduler, authenticate=lambda _: None) as url:
        code, line = said("queue", "--url", url)
        assert (code, "ADVANCED_SCHEDULER_API_KEY" in line) == (1, True)
    with serving(world.scheduler, authenticate=lambda _: READER) as url:
        code, line = said("queue", "pause", "--url", url)
        assert (code, "key create" in line, "'write'" in line) == (1, True, True)
    made = world.good("key", "create", "reader").strip()
    with serving(world.scheduler) as url:
        monkeypatch.setenv("ADVANCED_SCHEDULER_API_KEY", made)
        assert ALONE.json("queue", "--url", url)["running"] == 0
        assert said("queue", "pause", "--url", url)[0] == 1
        monkeypatch.setenv("ADVANCED_SCHEDULER_API_KEY", "ask_wrong")
        assert said("queue", "--url", url)[0] == 1


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    code, line = said("exec", "list", "--store", f"sqlite:///{tmp_path}/typo.db")
    assert (code, "db upgrade" in line) == (3, True)
    assert list(tmp_path.iterdir()) == []
    assert said("exec", "list", "--store", "postgresql://127.0.0.1:1/none")[0] == 5


def test_a_store_alone_knows_no_tasks_and_says_so(tmp_path: Path) -> None:
    store = ["--store", f"sqlite:///{tmp_path}/jobs.db"]
    assert ALONE.run("db", "upgrade", *store).exit_code == 0
    listed = ALONE.run("task", "list", *store)
    assert (listed.exit_code, "give --app MODULE:NAME, or --url" in listed.stderr) == (0, True)
    code, line = said("task", "run", "add", *store)
    assert (code, "give --app MODULE:NAME, or --url" in line) == (3, True)


def test_an_application_in_memory_can_be_seen_and_not_changed(jobs: str) -> None:
    assert len(ALONE.json("task", "list", "--app", jobs, schema="TaskPage")["tasks"]) == 4
    code, line = said("task", "run", "fail", "--app", jobs)
    assert (code, "keeps everything in memory" in line) == (2, True)
    listed = ALONE.run("exec", "list", "--app", jobs)
    assert (listed.exit_code, "keeps everything in memory" in listed.stderr) == (0, True)


def test_yaml_says_what_json_says(world: World) -> None:
    assert yaml.safe_load(world.good("queue", "-o", "yaml")) == world.json("queue")


@contextmanager
def other_server(status: int) -> Iterator[str]:
    """The address of a server that is no scheduler."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<h1>hello</h1>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
