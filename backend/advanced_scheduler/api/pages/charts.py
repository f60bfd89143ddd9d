"""The pictures of what all nodes did in the last minutes or hours."""

from __future__ import annotations

from typing import Final, get_args

from ...models.series import Series
from ..fields import PriorityName
from ..problems import Problem
from ..series import Window
from ..svg import Markup, Sample, sparkline, throughput
from .page import Visit

WINDOWS: Final[tuple[Window, ...]] = get_args(Window)


def window_of(visit: Visit) -> Window:
    """How far back the address asks for, by ``chart``; raises ``Problem``."""
    asked = visit.first("chart") or WINDOWS[0]
    for one in WINDOWS:
        if one == asked:
            return one
    raise Problem(422, "invalid-value", f"chart={asked!r} must be one of {', '.join(WINDOWS)}")


def finished(series: Series) -> Markup:
    """What ended per second, by outcome, and how long it ran."""
    samples = [
        Sample(
            time=series.time_of(number),
            finished={name: count / series.step for name, count in one.finished.items()},
            p50=one.run_p50,
            p95=one.run_p95,
        )
        for number, one in enumerate(series.points)
    ]
    return throughput(samples)


def waits(series: Series) -> Markup:
    """How long executions waited from ready to started."""
    return sparkline([one.wait_p95 for one in series.points], "Queue wait, p95", height=40)


def latest_wait(series: Series) -> float | None:
    """The p95 of the wait in the last step in which anything started, in seconds."""
    return next((one.wait_p95 for one in reversed(series.points) if one.wait_p95 is not None), None)


def depth(series: Series, priority: PriorityName) -> Markup:
    """How many executions waited in one lane."""
    values = [
        None if one.waiting is None else one.waiting.get(priority, 0) for one in series.points
    ]
    return sparkline(values, f"Waiting at priority {priority}", height=20)
