"""Owns the checks of the scenarios: each answers what was violated, and nothing if all is well.

They look at the journal and the rows alone, never at counters of the library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from advanced_scheduler.lifecycle import FINAL
from advanced_scheduler.models import TaskStatus

from .harness import Cluster

CLOCK_SLACK = 0.005  # seconds between reading the clock and writing the line


def every_one_ended(cluster: Cluster) -> list[str]:
    """I1: all accepted executions are in a final state."""
    return [
        f"I1: {one} of task {row.task_id} is {row.status} ({row.reason})"
        for one, row in cluster.rows().items()
        if row.status not in FINAL
    ]


def attempts_have_no_gaps(cluster: Cluster) -> list[str]:
    """I3: attempts are 1, 2, 3.. in this order, with one start line each.

    But for those whose node was lost between the claim and the start: each counts as a crash.
    """
    attempts: dict[str, list[int]] = {}
    for line in cluster.starts():
        attempts.setdefault(line["execution"], []).append(line["attempt"])
    crashes = {one: row.crashes for one, row in cluster.rows().items()}
    return [
        f"I3: {one} started with attempts {seen} and had {crashes.get(one)} crashes"
        for one, seen in attempts.items()
        if seen != sorted({*seen}) or seen[-1] - len(seen) > crashes.get(one, 0)
    ]


def done_once(cluster: Cluster, ids: Collection[str] | None = None) -> list[str]:
    """COMPLETED (these, or all), with exactly one end line: nothing was lost or done twice."""
    ends = Counter(line["execution"] for line in cluster.ends())
    rows = cluster.rows()
    wanted = rows if ids is None else {one: rows[one] for one in ids}
    return [
        f"{one} of task {row.task_id} is {row.status} with {ends[one]} end lines ({row.error})"
        for one, row in wanted.items()
        if (row.status, ends[one]) != (TaskStatus.COMPLETED, 1)
    ]


def done_again_only_if_lost(cluster: Cluster) -> list[str]:
    """COMPLETED, with one end line, and one more at most for each crash.

    What ends just before its node is killed, and is not stored yet, is done again.
    """
    ends = Counter(line["execution"] for line in cluster.ends())
    return [
        f"{one} of task {row.task_id} is {row.status} with {ends[one]} end lines ({row.error})"
        for one, row in cluster.rows().items()
        if row.status is not TaskStatus.COMPLETED or not 1 <= ends[one] <= 1 + row.crashes
    ]


def none_too_early(cluster: Cluster) -> list[str]:
    """I6: no first start before the scheduled time."""
    rows = cluster.rows()
    return [
        f"I6: {line['execution']} started {early:.3f} s before its time"
        for line in cluster.starts()
        if (row := rows.get(line["execution"])) is not None
        and (early := row.scheduled_time.timestamp() - line["at"]) > CLOCK_SLACK
    ]


def invariants(cluster: Cluster) -> list[str]:
    """I1, I3 and I6."""
    return [
        *every_one_ended(cluster),
        *attempts_have_no_gaps(cluster),
        *none_too_early(cluster),
    ]


def unmet(expected: Mapping[str, bool]) -> list[str]:
    """What was expected and is not so."""
    return [f"expected {what}" for what, so in expected.items() if not so]


def ended_well(cluster: Cluster) -> list[str]:
    """All are COMPLETED, and a body came to its end: more than one where a crash came between."""
    ends = {line["execution"] for line in cluster.ends()}
    return [
        f"{one} of task {row.task_id} is {row.status}, with an end line: {one in ends}"
        for one, row in cluster.rows().items()
        if row.status is not TaskStatus.COMPLETED or one not in ends
    ]


def none_after_its_end(cluster: Cluster) -> list[str]:
    """I2: no attempt starts once the execution has ended."""
    rows = cluster.rows()
    return [
        f"I2: {line['execution']} started {late:.3f} s after its end"
        for line in cluster.starts()
        if (done := rows[line["execution"]].completed_time) is not None
        and (late := line["at"] - done.timestamp()) > CLOCK_SLACK
    ]
