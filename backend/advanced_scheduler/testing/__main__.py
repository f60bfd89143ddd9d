"""Runs seeds of the simulation: ``python -m advanced_scheduler.testing 42 43``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .simulation import simulate


def main(arguments: Sequence[str]) -> int:
    """Print a report for each seed; answers 1 if one of them violates something."""
    if not arguments or not all(one.isdecimal() for one in arguments):
        print("usage: python -m advanced_scheduler.testing SEED...", file=sys.stderr)
        return 2
    reports = [simulate(int(one)) for one in arguments]
    print(*reports, sep="\n\n")
    return int(any(report.violations for report in reports))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
