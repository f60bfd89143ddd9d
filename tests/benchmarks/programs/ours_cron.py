"""advanced-scheduler: instants of cron texts per second, each after the last; ``CRON SECONDS``.

``first`` is for the first instant of a trigger that is made for it: parse and search, of a text
that it has not met of late, since it remembers those.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from advanced_scheduler import CronTrigger
from tests.benchmarks.programs.clockwork import calls_per_second, say, spellings

START = datetime(2026, 3, 1, tzinfo=UTC)


def instants(text: str) -> Iterator[datetime]:
    trigger = CronTrigger(text)
    while True:
        at = START
        while at.year < 2070:
            found = trigger.get_next_fire_time(at, at)
            assert found is not None
            yield (at := found)


def main(text: str, seconds: float) -> None:
    following, texts = instants(text).__next__, spellings(text)
    say(
        per_second=calls_per_second(following, seconds),
        first=calls_per_second(
            lambda: CronTrigger(next(texts)).get_next_fire_time(None, START), seconds
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
