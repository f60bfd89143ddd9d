"""Prometheus itself: its checker, its rule tests, and a server that scrapes work under load."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from advanced_scheduler import AdvancedTaskScheduler
from tests.grafana.board import FOLDER, filled, panels, rules
from tests.grafana.load import under_load
from tests.support.servers import free_port, spawn, unavailable
from tests.support.waiting import eventually

pytestmark = pytest.mark.prometheus

TESTS = Path(__file__).with_name("alerts_test.yml")
SECONDS = 60


def test_the_checker_has_nothing_to_say(promtool: Path) -> None:
    rules_file = FOLDER / "alerts.yml"
    checked = subprocess.run(
        [promtool, "check", "rules", "--lint=all", "--lint-fatal", rules_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(rules())} rules found" in checked.stdout


def test_each_alert_fires_when_it_should(promtool: Path) -> None:
    tested = subprocess.run(
        [promtool, "test", "rules", TESTS], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    cases = yaml.safe_load(TESTS.read_text("utf-8"))["tests"]
    fired = {
        one["alertname"]
        for case in cases
        for one in case["alert_rule_test"]
        if one.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in rules()}


@pytest.fixture(scope="module")
def prometheus(promtool: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes a scheduler with work of every kind."""
    binary = promtool.with_name("prometheus")
    if not binary.exists():
        unavailable("no prometheus beside promtool")
    folder = tmp_path_factory.mktemp("prometheus")
    with closing(AdvancedTaskScheduler()) as scheduler, under_load(scheduler):
        port = scheduler.serve_metrics(port=0).port
        scraped = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(FOLDER / "alerts.yml")],
            "scrape_configs": [
                {"job_name": "s", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(scraped), encoding="utf-8")
        listen = free_port()
        server = spawn(
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{listen}",
            ],
            folder / "log",
        )
        try:
            yield f"http://127.0.0.1:{listen}"
        finally:
            server.kill()
            server.wait()


def asked(prometheus: str, path: str, **query: str) -> Any:
    """What the HTTP API of Prometheus answers; None while it is not there."""
    try:
        with urlopen(f"{prometheus}/api/v1/{path}?{urlencode(query)}") as answer:
            return json.load(answer)["data"]
    except (URLError, ConnectionError):
        return None


def test_every_panel_has_data(prometheus: str) -> None:
    wanted = {
        f"{panel['title']}, {target['refId']}": filled(target["expr"])
        for panel in panels()
        for target in panel["targets"]
    }

    def all_answered() -> bool:
        for name, expression in list(wanted.items()):
            found = asked(prometheus, "query", query=expression)
            if found is None or not found["result"]:
                return False
            del wanted[name]
        return True

    try:
        eventually(all_answered, timeout=SECONDS)
    except AssertionError:
        pytest.fail(f"no data within {SECONDS} s: {wanted}")


def test_the_rules_are_loaded_and_evaluate(prometheus: str) -> None:
    def evaluated() -> bool:
        found = asked(prometheus, "rules")
        told = [rule for group in (found or {"groups": []})["groups"] for rule in group["rules"]]
        return len(told) == len(rules()) and all(rule["health"] == "ok" for rule in told)

    eventually(evaluated, timeout=SECONDS, what="all rules evaluate")
