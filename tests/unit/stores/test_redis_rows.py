"""What the Redis store sends and reads, without a server."""

from __future__ import annotations

from datetime import UTC, datetime

from advanced_scheduler.lifecycle import cancel, complete
from advanced_scheduler.models import TaskExecution, TaskStatus
from advanced_scheduler.stores.redis_rows import exchanged, moved

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def row(number: int) -> TaskExecution:
    return TaskExecution(
        execution_id=f"e{number}",
        task_id="t",
        task_name="t",
        scheduled_time=NOW,
        status=TaskStatus.RUNNING,
        fence=1,
    )


def test_what_many_transitions_have_in_common_is_told_once() -> None:
    ends = [moved(complete(row(n), result=n, metrics={}, now=NOW)) for n in range(11)]
    own = len(exchanged(ends)) - len(exchanged(ends[:10]))
    assert own == 1 + len(["id", "fence", "result", "completed_time", "none to unblock"])


def test_transitions_stay_in_order_whatever_their_shapes() -> None:
    end = complete(row(1), result=1, metrics={}, now=NOW)
    moves = [moved(one) for one in (end, cancel(row(2), now=NOW), end)]
    shapes, *rest = exchanged(moves)
    assert shapes == 2
    ids = [part for part in rest if part in ("e1", "e2")]
    assert ids == ["e1", "e2", "e1"]
