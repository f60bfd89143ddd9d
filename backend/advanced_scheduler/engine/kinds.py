"""Which intake, ticker and runner a scheduler has: the plain ones, or those that make spans."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ..errors import ConfigurationError
from .intake import Intake
from .runner import Runner
from .ticker import Ticker


class Kinds(NamedTuple):
    """What makes each of them."""

    intake: Callable[..., Intake] = Intake
    ticker: Callable[..., Ticker] = Ticker
    runner: Callable[..., Runner] = Runner


def kinds_for(tracer_provider: Any) -> Kinds:
    """Those that make spans if there is a provider; raises ``ConfigurationError``."""
    if tracer_provider is None:
        return Kinds()
    if not callable(getattr(tracer_provider, "get_tracer", None)):
        raise ConfigurationError(
            f"tracer_provider={tracer_provider!r} must be one of OpenTelemetry, such as "
            "opentelemetry.trace.get_tracer_provider()"
        )
    try:
        from ..tracing import Tracing
        from .traced import TracedIntake, TracedRunner, TracedTicker
    except ImportError as error:
        raise ConfigurationError(
            "spans need OpenTelemetry: pip install 'advanced-scheduler[otel]'"
        ) from error
    tracing = Tracing(tracer_provider)
    return Kinds(
        partial(TracedIntake, tracing=tracing),
        partial(TracedTicker, tracing=tracing),
        partial(TracedRunner, tracing=tracing),
    )
