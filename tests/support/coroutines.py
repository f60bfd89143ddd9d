"""Runs tests that are coroutines; a suite imports the hook into its ``conftest``."""

from __future__ import annotations

import asyncio
import inspect
from typing import Final

import pytest

PATIENCE: Final = 60  # seconds; then the test shows where it hangs


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """True, if the test was a coroutine: it was run here, on an event loop of its own."""
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    wanted = inspect.signature(test).parameters
    call = test(**{name: pyfuncitem.funcargs[name] for name in wanted})
    asyncio.run(asyncio.wait_for(call, PATIENCE))
    return True
