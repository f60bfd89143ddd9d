"""advanced-scheduler: when the last of n runs of an interval job begins, with nothing started."""

from __future__ import annotations

import threading
import time

from advanced_scheduler.adapters.jobs import Scheduler
from tests.benchmarks.programs.clockwork import say, size


def main(runs: int) -> None:
    began: list[float] = []
    done = threading.Event()

    def run() -> None:
        began.append(time.perf_counter())
        if len(began) == runs:
            done.set()

    with Scheduler() as scheduler:
        added = time.perf_counter()
        scheduler.add_interval_job("job", 0.1, run, max_runs=runs)
        assert done.wait(60)
    say(last_ms=(began[-1] - added) * 1e3)


if __name__ == "__main__":
    main(size())
