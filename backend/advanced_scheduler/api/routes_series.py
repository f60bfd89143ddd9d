"""The route of the time series, and how they look from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from .asking import READ
from .fields import Answer
from .series import Window
from .service import Service


class SeriesPointOut(Answer):
    """One step; quantiles in seconds, null where nothing ran."""

    time: datetime = Field(description="When the step begins")
    finished: dict[str, int] = Field(description="Executions that ended, by outcome")
    run_p50: float | None
    run_p95: float | None
    wait_p50: float | None = Field(description="From ready to started")
    wait_p95: float | None
    waiting: dict[str, int] | None = Field(
        description="Executions that waited, by priority; null where nobody has looked"
    )


class SeriesOut(Answer):
    """What all nodes did, the oldest step first; the last one is still going on."""

    start: datetime
    step: int = Field(description="Seconds")
    points: list[SeriesPointOut]
    lane_p95: dict[str, float | None] = Field(
        description="From ready to started, by priority, over all steps; null where nothing ran"
    )


def add_series(router: APIRouter, service: Service) -> None:
    """What charts draw, without any other server."""

    @router.get("/series", dependencies=[READ])
    def get_series(window: Annotated[Window, Query()] = "15m") -> SeriesOut:
        """Steps of 10 s (15 m), 60 s (1 h) or 300 s (6 h)."""
        series = service.series.read(window)
        points = [
            SeriesPointOut(
                time=series.time_of(number),
                finished=dict(one.finished),
                run_p50=one.run_p50,
                run_p95=one.run_p95,
                wait_p50=one.wait_p50,
                wait_p95=one.wait_p95,
                waiting=None if one.waiting is None else dict(one.waiting),
            )
            for number, one in enumerate(series.points)
        ]
        return SeriesOut(
            start=series.start, step=series.step, points=points, lane_p95=dict(series.lane_p95)
        )
