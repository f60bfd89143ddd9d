"""Owns the environment that the tests of the demo look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.environments import install


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages folder with two sound distributions."""
    folder = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    install(folder, "alpha", {"alpha/__init__.py": "A = 1\n", "alpha/data.txt": "data\n"})
    install(folder, "beta", {"beta.py": "B = 2\n"})
    return folder
