"""S47: results and errors that no store can keep as they are: huge, opaque, not even text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from advanced_scheduler import AdvancedTaskScheduler, TaskStatus
from advanced_scheduler.config import Settings
from tests.scenarios import breaks
from tests.scenarios.harness import waited
from tests.scenarios.tasks import definition

MEBIBYTE = 2**20
LIMIT = MEBIBYTE  # the default cap of a result
TEXT_LIMIT = 100_000  # characters of error and traceback together


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("this exception cannot even be shown")


def total(numbers: list[int]) -> int:
    return sum(numbers)


def huge() -> str:
    return "x" * 100 * MEBIBYTE


def huge_bytes() -> bytes:
    return b"\xff" * 2 * MEBIBYTE


def opaque() -> object:
    return threading.Lock()


def circular() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def half_a_pair() -> str:
    return "\udc80 is no UTF-8, and \0 ends a text in C"


def mute() -> None:
    raise Mute


def verbose() -> None:
    raise ValueError("y" * MEBIBYTE)


def garbled() -> None:
    raise ValueError(b"\xff\xfe".decode(errors="surrogateescape") + "\0")


RESULTS: list[Callable[[], Any]] = [huge, huge_bytes, opaque, circular, half_a_pair]
ERRORS: list[Callable[[], Any]] = [mute, verbose, garbled]
EXECUTORS = ("thread", "process")
BODIES: list[Callable[..., Any]] = [*RESULTS, *ERRORS, total]


def nasty_outcomes(url: str, patience: float = 30.0) -> list[str]:
    scheduler = AdvancedTaskScheduler(store=url, settings=Settings(poll_seconds=0.2))
    for function, where in product(BODIES, EXECUTORS):
        name = f"{function.__name__} in a {where}"
        scheduler.register_task(definition(function, task_id=name, executor=where))
    nasty = [f"{one.__name__} in a {where}" for one in BODIES[:-1] for where in EXECUTORS]
    ids = {name: scheduler.schedule_task(name) for name in nasty}
    with scheduler.running():
        waited(lambda: scheduler.task_queue.is_empty() and not scheduler.running_tasks, patience)
        after = scheduler.schedule_task("total in a process", [20, 22])
        alive = scheduler.wait_for_task(after, timeout=patience) == 42
    seen = {name: scheduler.get_task_status(one) for name, one in ids.items()}
    scheduler.store.ping()
    scheduler.close()
    return [
        *([] if alive else ["the next task did not run"]),
        *(trouble for name, status in seen.items() for trouble in _troubles(name, status)),
    ]


def _troubles(name: str, status: dict[str, Any] | None) -> list[str]:
    assert status is not None
    body = name.partition(" ")[0]
    wanted = TaskStatus.FAILED if body in {one.__name__ for one in ERRORS} else TaskStatus.COMPLETED
    troubles = [] if status["status"] == wanted else [f"{name} is {status['status']}"]
    result, text = status["result"], f"{status['error']}{status['traceback']}"
    if body in ("huge", "huge_bytes") and len(repr(result)) > LIMIT:
        troubles.append(f"{name}: no marker, but {len(repr(result))} characters are kept")
    if body == "mute" and "Mute" not in text:
        troubles.append(f"{name}: the error does not name its type: {text[:100]}")
    if len(text) > TEXT_LIMIT:
        troubles.append(f"{name}: {len(text)} characters of error are kept")
    return troubles


def test_every_outcome_is_final_and_nothing_is_the_worse_for_it(url: str) -> None:
    assert nasty_outcomes(url) == []


@pytest.mark.parametrize(
    ("url", "broken"),
    [("sqlite", "no-markers"), ("memory", "errors-as-they-are")],
    indirect=["url"],
)
def test_control_outcomes_that_are_kept_as_they_are_do_harm(
    url: str, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks.apply(broken, monkeypatch.setattr)
    assert nasty_outcomes(url, patience=1.0)
