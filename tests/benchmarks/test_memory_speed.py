"""Memory: executions a second in one process, idle pick-up, and what a waiting execution takes."""

from __future__ import annotations

from tests.benchmarks.measuring import compare, in_turn, limit, median, ours, peer

N = 10_000
CONCURRENCY = 10
URL = "memory://"


def test_from_the_first_call_to_the_last_completion() -> None:
    """Ours schedules while it runs; each peer does what it is fastest at, see its program."""
    order = (URL, N, CONCURRENCY)
    runs = in_turn(
        ours=lambda: ours("ours_live.py", *order),
        drained=lambda: ours("ours_drain.py", *order, N),
        taskiq=lambda: peer("peer_taskiq.py", *order),
        huey=lambda: peer("peer_huey.py", *order),
        apscheduler4=lambda: peer("peer_apscheduler4.py", *order),
        apscheduler3=lambda: ours("peer_apscheduler3.py", *order),
    )
    goals = {"taskiq": 1.5, "huey": 1.5, "apscheduler4": 1.5, "apscheduler3": 0.8}
    for name, goal in goals.items():
        line = f"memory, first call to last completion, {name}"
        compare(line, runs["ours"], runs[name], goal, "total")
    for name in ("huey", "apscheduler4", "apscheduler3"):
        compare(f"memory, enqueued first, then drained, {name}", runs["drained"], runs[name])


def test_idle_pick_up() -> None:
    runs = in_turn(ours=lambda: ours("ours_pick_up.py", URL))["ours"]
    limit("memory, idle pick-up p50", median(runs, "p50_ms"), "ms", 0.5)
    limit("memory, idle pick-up p99", median(runs, "p99_ms"), "ms", 2)


def test_memory_of_a_waiting_execution() -> None:
    runs = in_turn(ours=lambda: ours("ours_waiting.py", 100_000))["ours"]
    limit("memory, a waiting execution", median(runs, "bytes_each"), "bytes", 1024)
