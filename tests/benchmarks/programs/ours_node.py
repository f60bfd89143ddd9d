"""advanced-scheduler: one node of several on a store, until its standard input ends.

``python ours_node.py URL CONCURRENCY`` says ``ready``, and at the end how many executions ended
here, from when to when on the clock that all processes of a machine share, and the seconds of CPU.
"""

from __future__ import annotations

import asyncio
import sys
import time

from advanced_scheduler import Event, EventType
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import opened


async def main(url: str, concurrency: int) -> None:
    scheduler = opened(url, concurrency)
    ended: list[float] = []
    started: list[float] = []

    def hear(event: Event) -> None:
        times = started if event.type is EventType.STARTED else ended
        times.append(time.monotonic())

    scheduler.events.subscribe(hear, [EventType.STARTED, EventType.FINISHED])
    await scheduler.start()
    print("ready", flush=True)
    booted = time.process_time()
    await asyncio.to_thread(sys.stdin.read)
    cpu = time.process_time() - booted
    await scheduler.stop()
    scheduler.close()
    now = time.monotonic()
    say(count=len(ended), first=min(started, default=now), last=max(ended, default=0.0), cpu=cpu)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
