"""Runs a small program as a user would: in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def run_program(
    program: str, folder: Path | None = None, *, timeout: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """What the text of a program writes to both streams; any warning is an error in it.

    ``folder`` is where it runs (default: here). Raises ``subprocess.TimeoutExpired`` after
    ``timeout`` seconds; how it ended is for the test to look at.
    """
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
