"""cronsim: instants of cron texts per second, as ``ours_cron.py`` measures them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from cronsim import CronSim

from tests.benchmarks.programs.clockwork import calls_per_second, say, spellings

START = datetime(2026, 3, 1, tzinfo=UTC)


def instants(text: str) -> Iterator[datetime]:
    while True:
        for at in CronSim(text, START):
            yield at
            if at.year >= 2070:
                break


def main(text: str, seconds: float) -> None:
    following, texts = instants(text).__next__, spellings(text)
    say(
        per_second=calls_per_second(following, seconds),
        first=calls_per_second(lambda: next(CronSim(next(texts), START)), seconds),
    )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
