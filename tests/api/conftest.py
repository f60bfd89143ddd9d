"""The service that the tests of REST ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .rest import FAR, Rest, serving


@pytest.fixture
def rest() -> Iterator[Rest]:
    """A service in memory, which lets in whoever asks from this machine."""
    with serving() as found:
        yield found


@pytest.fixture
def far() -> Iterator[Rest]:
    """The same service, asked from another machine."""
    with serving(client=FAR) as found:
        yield found
