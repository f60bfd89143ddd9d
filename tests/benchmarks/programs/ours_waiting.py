"""advanced-scheduler: the memory of n waiting executions, in a process that has nothing else."""

from __future__ import annotations

from tests.benchmarks.programs.clockwork import say, size
from tests.benchmarks.programs.opening import opened
from tests.benchmarks.programs.resident import resident


def main(n: int) -> None:
    scheduler = opened("memory://")
    scheduler.schedule_task("noop", 0)
    before = resident()
    for number in range(n):
        scheduler.schedule_task("noop", number)
    say(bytes_each=(resident() - before) / n)
    scheduler.close()


if __name__ == "__main__":
    main(size())
