"""``advanced-scheduler run`` and ``serve``, as processes that stay up."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.cli.app import app
from tests.cli.processes import API, APPLICATION, Serving, serving
from tests.support.waiting import eventually

APP = ("--app", "jobs_of_ours:scheduler")
ALL = ("--role", "scheduler,worker,api")


def ready(served: Serving) -> bool:
    return served.ask("/health/ready")[0] == 200


def begun(served: Serving) -> str:
    """The id of an execution of ``nap`` that runs, until there is a file ``morning``."""
    status, made = served.ask(f"{API}/tasks/nap/execute", {})
    assert status == 202
    found: str = made["execution_id"]
    eventually(lambda: served.ask(f"{API}/executions/{found}")[1]["status"] == "running")
    return found


def test_a_node_ends_its_work_when_it_is_told_to_and_is_not_ready_meanwhile(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, "run", *APP, *ALL) as node:
        eventually(lambda: ready(node))
        run = begun(node)
        node.process.send_signal(signal.SIGTERM)
        said = "waits up to 30 s for 1 executions to end; interrupt again to end now"
        assert node.process.stderr is not None
        assert any(said in line for line in node.process.stderr)
        assert node.ask("/health/ready")[0] == 503
        assert node.ask("/health/live")[0] == 200
        (tmp_path / "morning").touch()
        _, left = node.process.communicate(timeout=30)
    assert node.process.returncode == 0
    assert said not in left
    assert "Traceback" not in left
    looking = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")
    assert looking.result(run, timeout=0) == "rested"
    looking.close()


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, "run", *APP, *ALL) as node:
        eventually(lambda: ready(node))
        begun(node)
        node.process.send_signal(signal.SIGINT)
        eventually(lambda: node.ask("/health/ready")[0] == 503)
        code, _ = node.stop(signal.SIGINT)
    assert code == 130


def test_a_service_shows_a_store_and_runs_nothing(tmp_path: Path) -> None:
    scheduler = AdvancedTaskScheduler(store=f"sqlite:///{tmp_path}/jobs.db")
    made = scheduler.schedule_task(len, "abc")
    scheduler.close()
    with serving(tmp_path, "serve", *APP) as service:
        for probe in ("live", "startup", "ready"):
            assert service.ask(f"/health/{probe}")[0] == 200
        assert service.ask(f"{API}/executions/{made}")[1]["status"] == "pending"
        assert service.ask(f"{API}/nodes")[1]["items"] == []
        code, left = service.stop(signal.SIGINT)
    assert (code, left) == (0, "")


def test_roles_are_told_to_the_others(tmp_path: Path) -> None:
    with serving(tmp_path, "run", *APP, "--role", "worker,api", "--priority", "high") as node:
        eventually(lambda: ready(node))
        (shown,) = node.ask(f"{API}/nodes")[1]["items"]
        assert (shown["roles"], shown["priorities"]) == (["worker"], ["high"])
        assert node.stop()[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run", *APP, "--role", "boss"], 2, "--role: no 'boss'; choose from scheduler, worker"),
        (["run", *APP, "--priority", "urgent"], 2, "--priority: no 'urgent'"),
        (["run", *APP, "--log-level", "loud"], 2, "--log-level 'loud'"),
        (["run", *APP, "--queue", ","], 2, "queues"),
        (["run", "--app", "nowhere:scheduler"], 2, "'nowhere:scheduler' cannot be imported"),
        (["serve", "--app", "in_memory:scheduler"], 2, "keeps everything in memory"),
        (["serve", "--store", "sqlite:///none.db"], 3, "no tables of ours"),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, told: str
) -> None:
    (tmp_path / "jobs_of_ours.py").write_text(APPLICATION)
    (tmp_path / "in_memory.py").write_text(
        "from advanced_scheduler import AdvancedTaskScheduler\n"
        "scheduler = AdvancedTaskScheduler()\n"
    )
    done = refused(tmp_path, monkeypatch, *words)
    assert done.exit_code == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jobs_of_ours.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = refused(tmp_path, monkeypatch, "run", *APP, *ALL, "--port", str(port))
    assert (done.exit_code, f"cannot listen on 127.0.0.1:{port}" in done.stderr) == (1, True)


def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    """What a command does in a folder, in this process: it must not get far."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for name in ("jobs_of_ours", "in_memory"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    try:
        return CliRunner().invoke(app, list(words))
    finally:
        for name in ("jobs_of_ours", "in_memory"):
            sys.modules.pop(name, None)
