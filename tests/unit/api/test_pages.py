"""What pages are made of, without a browser: addresses, words, alarms, bars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api.auth import ANYBODY
from advanced_scheduler.api.cluster_schemas import LaneOut, LockOut, NodeOut, QueueOut
from advanced_scheduler.api.pages import attention
from advanced_scheduler.api.pages.catalog import NAVIGATION, PAGES
from advanced_scheduler.api.pages.page import Visit
from advanced_scheduler.api.pages.rendering import environment
from advanced_scheduler.api.pages.tasks import levels
from advanced_scheduler.api.pages.wording import pretty, seconds, short
from advanced_scheduler.api.service import Service
from advanced_scheduler.api.svg import Level

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def visit() -> Visit:
    """Somebody looks at ``executions/ID?status=failed&status=retrying&tag=``."""
    scheduler = AdvancedTaskScheduler()
    service = Service(scheduler)
    service.close()
    scheduler.close()
    return Visit(
        service=service,
        principal=ANYBODY,
        root="../",
        now=NOW,
        path={},
        query={"status": ["failed", "retrying"], "tag": [""]},
    )


def test_an_address_is_relative_and_quoted(visit: Visit) -> None:
    assert visit.link("tasks", "a/b ü") == "../tasks/a%2Fb%20%C3%BC"
    assert visit.link("executions", status="failed", tag=None) == "../executions?status=failed"
    assert visit.api == "../../api/v1/scheduler/"


def test_the_same_page_with_another_query_keeps_the_rest(visit: Visit) -> None:
    assert visit.again(cursor="x") == "?status=failed&status=retrying&cursor=x"
    assert visit.again(status=None) == "?"


def test_an_empty_parameter_is_none(visit: Visit) -> None:
    assert (visit.first("status"), visit.first("tag"), visit.first("node")) == (
        "failed",
        None,
        None,
    )


def test_every_page_has_a_template_and_a_place_in_the_navigation() -> None:
    for page in PAGES:
        assert environment().get_template(page.template).name == page.template
    places = {one.path for one in NAVIGATION}
    assert {one.within for one in PAGES if one.nav is None} <= places
    assert len({one.nav.rank for one in NAVIGATION if one.nav}) == len(NAVIGATION)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.0004, "<1 ms"),
        (0.0123, "12 ms"),
        (3.21, "3.2 s"),
        (42.9, "42 s"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_length_of_time_in_two_units_at_most(value: float | None, words: str) -> None:
    assert seconds(value) == words


def test_json_keeps_the_digits_and_the_letters() -> None:
    assert pretty({"ü": 12345678901234567890}) == '{\n  "ü": 12345678901234567890\n}'


def test_of_an_id_the_end_is_shown() -> None:
    assert (short("nightly"), short("0123456789abcdef")) == ("nightly", "…89abcdef")


def test_bars_reach_from_the_first_that_has_any_to_the_last() -> None:
    assert levels([]) == []
    assert levels([0.2, 0.3, 0.3, 4000])[0:3] == [
        Level(limit=0.1, count=0),
        Level(limit=0.25, count=1),
        Level(limit=0.5, count=2),
    ]
    assert levels([4000])[-1] == Level(limit=None, count=1)


def lane(**fields: Any) -> LaneOut:
    """A lane with nothing in it, unless ``fields`` say otherwise."""
    empty: dict[str, Any] = {
        "priority": "critical",
        "paused": False,
        "oldest_age": 0.0,
        **dict.fromkeys(("waiting", "ready", "delayed", "blocked", "retrying"), 0),
    }
    return LaneOut(**{**empty, **fields})


def node(state: str, *roles: str) -> NodeOut:
    """A node in this state, silent for 90 s; what else there is to it does not matter."""
    told: dict[str, Any] = {"name": "one", "state": state, "roles": roles}
    return NodeOut.model_construct(**told, seen_seconds_ago=90.0)


def test_urgent_work_that_waits_is_an_alarm() -> None:
    state = QueueOut(
        paused=True,
        paused_queues=["mail"],
        running=0,
        lanes=[lane(ready=1, oldest_age=61.0), lane(priority="low", paused=True)],
    )
    assert [one.text for one in attention.of_queue(state)] == [
        "Dispatch is paused: nothing is started on any node.",
        "Paused: low, mail.",
        "Work of priority critical has waited for 61 s.",
    ]


@pytest.mark.parametrize(
    ("state", "texts"),
    [
        ("alive", ["No node is a worker: nothing is started."]),
        ("stale", ["No node runs: nothing is started.", "Node one has been silent for 90 s."]),
        ("draining", ["No node runs: nothing is started.", "Node one drains."]),
    ],
)
def test_nodes_that_are_not_there_are_an_alarm(state: str, texts: list[str]) -> None:
    assert [one.text for one in attention.of_nodes([node(state, "scheduler")])] == texts
    assert not [*attention.of_nodes([node("alive", "scheduler"), node("alive", "worker")])]


def test_a_lock_that_nobody_renews_is_an_alarm_and_a_short_one_is_none() -> None:
    told = {"task_id": "t", "held": True, "fence": 1, "holder": None, "node": None, "waiting": 0}
    locks = [
        LockOut(**told, ttl=ttl, timeout=timeout)
        for ttl, timeout in [(4.0, 10.0), (6.0, 10.0), (4.0, None), (None, 10.0)]
    ]
    (alarm,) = attention.of_locks(locks)
    assert (alarm.tone, alarm.text) == ("warn", "The lock of t is not renewed and ends in 4 s.")
