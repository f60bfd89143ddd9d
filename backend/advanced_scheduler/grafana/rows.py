"""The rows of the dashboard: what runs, what waits, what fails, and how the nodes are."""

from __future__ import annotations

from typing import Any, Final

from .panels import Panel, Query, Row, cluster, metric, quantiles, rate

FAILED: Final = '=~"failed|timed_out"'
TASK: Final = '=~"$task"'
READY: Final = '="ready"'
ALIVE: Final = '="alive"'
MISSED: Final = '=~"misfired|skipped_overlap"'
OUTCOME_COLOURS: Final = {
    "completed": "green",
    "failed": "red",
    "timed_out": "dark-red",
    "cancelled": "#64748b",
    "skipped": "purple",
}


def all_rows() -> tuple[Row, ...]:
    """From what an operator looks at first to what a developer looks at last."""
    return (_first(), _flow(), _latency(), _queue(), _failures(), _locks(), _internals())


def _stat(title: str, expression: str, help: str, **more: Any) -> Panel:
    return Panel(title, help, [Query(expression, title)], kind="stat", width=4, height=4, **more)


def _first() -> Row:
    running, limit = metric("executions_running"), metric("concurrency_limit")
    failed = f"increase({metric('executions_finished_total', outcome=FAILED)}[1h])"
    ready = cluster("queue_depth", by="priority", state=READY)
    return Row(
        "Overview",
        [
            _stat("Running", f"sum({running})", "Executions that run now, on all nodes."),
            _stat(
                "Slots in use",
                f"sum({running}) / sum({limit})",
                "Of all slots. Near 100 % for long: add nodes, or slots.",
                unit="percentunit",
                thresholds=[(0.8, "orange"), (0.95, "red")],
            ),
            _stat("Ready", f"sum({ready})", "Executions that could start and have no slot."),
            _stat(
                "Failed in 1 h",
                f"sum({failed})",
                "Executions that failed for good, or ran out of time.",
                decimals=0,
                thresholds=[(1, "orange"), (10, "red")],
            ),
            _stat(
                "Dead letters",
                cluster("dead_letters"),
                "Failed executions that nobody has looked at: retry or discard them.",
                thresholds=[(1, "orange")],
            ),
            _stat(
                "Nodes", cluster("nodes", state=ALIVE), "Nodes that have shown themselves lately."
            ),
        ],
    )


def _flow() -> Row:
    finished = rate("executions_finished_total", by="outcome", task=TASK)
    started = rate("executions_started_total", by="priority", task=TASK)
    busiest = f"topk(10, {rate('executions_finished_total', by='task', task=TASK)})"
    fires = rate("schedule_fires_total", by="outcome")
    runs = rate("dag_runs_total", by="dag, outcome")
    return Row(
        "Flow",
        [
            Panel(
                "Finished per second",
                "Executions that ended for good, by how they ended.",
                [Query(finished, "{{outcome}}")],
                unit="ops",
                width=12,
                stacked=True,
                colours=OUTCOME_COLOURS,
            ),
            Panel(
                "Started per second",
                "Attempts that started, by priority; retries count again.",
                [Query(started, "{{priority}}")],
                unit="ops",
                width=12,
                stacked=True,
            ),
            Panel(
                "Due instants of schedules",
                "What became of each instant at which a schedule was due.",
                [Query(fires, "{{outcome}}")],
                unit="ops",
                stacked=True,
            ),
            Panel(
                "Busiest tasks",
                "The ten tasks that end most often.",
                [Query(busiest, "{{task}}")],
                unit="ops",
            ),
            Panel(
                "Workflow runs",
                "Workflow runs that ended, by how.",
                [Query(runs, "{{dag}} {{outcome}}")],
                unit="ops",
            ),
        ],
    )


def _latency() -> Row:
    buckets = metric("execution_duration_seconds_bucket", task=TASK)
    spread = f"sum by (le) (increase({buckets}[$__rate_interval]))"
    (by_task,) = quantiles("execution_duration_seconds", 0.95, by="task", task=TASK)
    return Row(
        "Latency",
        [
            Panel(
                "Run time of an attempt",
                "From the call of the function to its end.",
                quantiles("execution_duration_seconds", 0.5, 0.95, 0.99, task=TASK),
                unit="s",
            ),
            Panel(
                "Wait in the queue, p95",
                "From ready to started. High for a high priority: too few slots.",
                quantiles("queue_wait_seconds", 0.95, by="priority"),
                unit="s",
            ),
            Panel(
                "Lateness of schedules",
                "From the planned instant until the execution was in the queue.",
                quantiles("schedule_lag_seconds", 0.5, 0.99),
                unit="s",
            ),
            Panel(
                "Run times",
                "How many attempts took how long.",
                [Query(spread, "{{le}}", format="heatmap")],
                kind="heatmap",
                width=12,
            ),
            Panel(
                "Slowest tasks, p95",
                "The ten tasks whose attempts take longest.",
                [Query(f"topk(10, {by_task.expression})", "{{task}}")],
                unit="s",
                width=12,
            ),
        ],
    )


def _queue() -> Row:
    depth = cluster("queue_depth", by="priority, state")
    oldest = cluster("queue_oldest_ready_age_seconds", by="priority")
    return Row(
        "Queue",
        [
            Panel(
                "Waiting, by priority",
                "Executions that have not started, of all nodes.",
                [Query(f"sum by (priority) ({depth})", "{{priority}}")],
                stacked=True,
            ),
            Panel(
                "Waiting, by state",
                "ready: for a slot · delayed: for its time · blocked: for another · retrying.",
                [Query(f"sum by (state) ({depth})", "{{state}}")],
                stacked=True,
            ),
            Panel(
                "Oldest that is ready",
                "For how long the first in line has been due: the sign of starvation.",
                [Query(oldest, "{{priority}}")],
                unit="s",
            ),
            Panel(
                "Schedules",
                "Schedules by state.",
                [Query(cluster("schedules", by="state"), "{{state}}")],
                width=12,
            ),
            Panel(
                "Parked",
                "What is stored and a node cannot use: `advanced-scheduler doctor` says why.",
                [Query(cluster("parked", by="kind"), "{{kind}}")],
                width=12,
            ),
        ],
    )


def _failures() -> Row:
    failed = rate("executions_finished_total", by="task", task=TASK, outcome=FAILED)
    ended = rate("executions_finished_total", by="task", task=TASK)
    attempts = rate("execution_attempts_failed_total", by="task", task=TASK)
    success = metric("task_last_success_timestamp_seconds", task=TASK)
    return Row(
        "Failures",
        [
            Panel(
                "Share of failures, by task",
                "Of the executions that ended.",
                [Query(f"topk(10, {failed} / ({ended} > 0))", "{{task}}")],
                unit="percentunit",
            ),
            Panel(
                "Failed attempts per second",
                "Also those that were tried again.",
                [Query(attempts, "{{task}}")],
                unit="ops",
            ),
            Panel(
                "Retried and recovered per second",
                "Retries that were scheduled, and executions taken over from lost nodes.",
                [
                    Query(rate("execution_retries_total", task=TASK), "retried"),
                    Query(rate("executions_recovered_total"), "recovered"),
                ],
                unit="ops",
            ),
            Panel(
                "Since the last success",
                "A nightly task that is above 26 h has missed a night.",
                [Query(f"sort_desc(time() - max by (task) ({success}))", format="table")],
                unit="s",
                kind="table",
                width=12,
            ),
            Panel(
                "Instants that did not run",
                "Without a record: never any. Missed: the ledger of the schedule says why.",
                [
                    Query(f"sum({metric('tick_ledger_gaps')})", "without a record"),
                    Query(rate("schedule_fires_total", outcome=MISSED), "missed per second"),
                ],
                width=12,
            ),
        ],
    )


def _locks() -> Row:
    lost = f"sum(increase({metric('locks_lost_total')}[$__rate_interval]))"
    return Row(
        "Locks",
        [
            Panel(
                "Tries to take a lock",
                "Many contended ones: tasks wait for each other.",
                [Query(rate("lock_acquisitions_total", by="result"), "{{result}}")],
                unit="ops",
                stacked=True,
            ),
            Panel(
                "Wait and hold, p95",
                "How long a grant took, and how long locks were held.",
                [
                    Query(one.expression, name)
                    for name in ("wait", "hold")
                    for one in quantiles(f"lock_{name}_seconds", 0.95)
                ],
                unit="s",
            ),
            Panel(
                "Held and lost",
                "A lost lock: its holder was too late to renew, and its result did not count.",
                [Query(cluster("locks_held"), "held"), Query(lost, "lost")],
            ),
        ],
    )


def _internals() -> Row:
    tick, builds = metric("last_tick_timestamp_seconds"), metric("build_info")
    live = f"sum by (transport) ({metric('live_connections')})"
    dropped = rate("live_events_dropped_total", by="transport")
    return Row(
        "Internals",
        [
            Panel(
                "Lag of the event loop",
                "A coroutine blocks the loop: run it in a thread or a process.",
                [Query(metric("event_loop_lag_seconds"), "{{instance}}")],
                unit="s",
            ),
            Panel(
                "Since the engine went round",
                "Above 60 s the node is stuck.",
                [Query(f"time() - {tick}", "{{instance}}")],
                unit="s",
            ),
            Panel(
                "Calls of the store, p95",
                "What slows down when the store does.",
                quantiles("store_operation_duration_seconds", 0.95, by="operation"),
                unit="s",
            ),
            Panel(
                "Errors of the store per second",
                "Work waits until the store is back.",
                [Query(rate("store_errors_total", by="operation"), "{{operation}}")],
                unit="ops",
            ),
            Panel(
                "Live connections",
                "Who watches; a client that is too slow is told to read anew.",
                [Query(live, "{{transport}}"), Query(dropped, "dropped per second, {{transport}}")],
            ),
            Panel(
                "Builds",
                "Which release runs on how many nodes.",
                [Query(f"count by (version, python, store) ({builds})", format="table")],
                kind="table",
            ),
        ],
    )
