"""advanced-scheduler: how late the frames of a timestamp job are, from its start to its end."""

from __future__ import annotations

import threading
import time

from advanced_scheduler.adapters.jobs import Scheduler, frame_number_placeholder
from tests.benchmarks.programs.clockwork import percentiles, say, size

RATE = 60  # frames per second


def main(frames: int) -> None:
    timestamps = [int(number * 1000 / RATE) for number in range(frames)]
    rendered: list[tuple[int, float]] = []
    done = threading.Event()

    def render(frame: int) -> None:
        rendered.append((frame, time.time()))
        if len(rendered) == frames:
            done.set()

    with Scheduler() as scheduler:
        # The first job starts the threads: what is measured is a scheduler that runs.
        scheduler.add_one_time_job("first", time.time(), done.set)
        done.wait(60)
        done.clear()
        scheduler.add_timestamp_job("animation", timestamps, render, frame_number_placeholder)
        assert done.wait(60 + frames / RATE), f"{len(rendered)} of {frames} frames"
        added = scheduler.scheduler.get_schedule("animation").created_time
    assert [frame for frame, _ in rendered] == list(range(frames))
    assert added is not None
    begun = added.timestamp()
    say(**percentiles([at - begun - timestamps[frame] / 1000 for frame, at in rendered]))


if __name__ == "__main__":
    main(size())
