"""advanced-scheduler: executions a second of a node that also serves, without and with listeners.

``python ours_listeners.py URL N CONCURRENCY CLIENTS [ROUNDS]``: says how many a second are run
while nobody listens, and while CLIENTS listen to all events, in turn on one node; the medians.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvicorn

from advanced_scheduler import AdvancedTaskScheduler
from advanced_scheduler.api import create_app
from tests.benchmarks.programs.clockwork import say
from tests.benchmarks.programs.opening import Ends, opened
from tests.support.waiting import eventually_async

CLIENTS = Path(__file__).with_name("live_clients.py")


async def rate(scheduler: AdvancedTaskScheduler, ends: Ends, n: int) -> tuple[float, float]:
    """Executions a second, and seconds of this process's CPU for each."""
    begun, spent = time.perf_counter(), time.process_time()
    await asyncio.to_thread(scheduler.schedule_task_many, "noop", [(one,) for one in range(n)])
    await ends.more(n)
    return n / (time.perf_counter() - begun), (time.process_time() - spent) / n


async def listening(port: int, clients: int) -> asyncio.subprocess.Process:
    """All of them, connected."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENTS), str(port), str(clients)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = await process.stdout.readline()
    assert said, "the clients did not connect"
    return process


async def gone(process: asyncio.subprocess.Process) -> None:
    """Let the clients go."""
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()


async def main(url: str, n: int, concurrency: int, clients: int, rounds: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    scheduler = opened(url, concurrency)
    ends = Ends(scheduler)
    app = create_app(scheduler, run=False)
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", backlog=2048)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await eventually_async(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    await scheduler.start()
    await rate(scheduler, ends, n)
    alone, heard = [], []
    for _ in range(rounds):
        alone.append(await rate(scheduler, ends, n))
        process = await listening(port, clients)
        heard.append(await rate(scheduler, ends, n))
        await gone(process)
        await asyncio.sleep(1)
    await scheduler.stop()
    server.should_exit = True
    await serving
    scheduler.close()
    say(
        alone=statistics.median(rate for rate, _ in alone),
        listened=statistics.median(rate for rate, _ in heard),
        cpu_alone=statistics.median(cpu for _, cpu in alone),
        cpu_listened=statistics.median(cpu for _, cpu in heard),
    )


if __name__ == "__main__":
    place, *numbers = sys.argv[1:]
    count, slots, listeners, *more = map(int, numbers)
    asyncio.run(main(place, count, slots, listeners, more[0] if more else 3))
