"""The time series of the charts: what all nodes did in the last minutes or hours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from ..clock import Clock
from ..engine.recorder import COARSE, FINE, lane_key, series_key, slot_of
from ..models import Record, RecordKind, TaskPriority
from ..models.series import BOUNDS, OUTCOMES, Series, SeriesPoint, quantile
from ..stores.base import Store

Window = Literal["15m", "1h", "6h"]

_STEPS: Final[Mapping[Window, tuple[timedelta, int, int]]] = {
    "15m": (timedelta(minutes=15), 10, FINE),
    "1h": (timedelta(hours=1), 60, COARSE),
    "6h": (timedelta(hours=6), 300, COARSE),
}
"""How long, in steps of how many seconds, from records of what length."""

_PAGE: Final = 500
_MOST: Final = 100_000  # records: 6 hours of 250 nodes


class TimeSeries:
    """Read from what the nodes leave in the store, so that it outlives any process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def read(self, window: Window = "15m") -> Series:
        """The steps up to now; the last one may lack what nodes have not told yet (10 s or 60 s).

        Quantiles come from a sample: the last 256 executions of a node in each ten seconds.
        Raises ``StoreError``.
        """
        length, step, seconds = _STEPS[window]
        end = int(self._clock.now().timestamp()) // step * step + step
        start = end - int(length.total_seconds())
        steps: defaultdict[int, list[Record]] = defaultdict(list)
        lanes: Counter[str] = Counter()
        for record in self._records(seconds, start):
            number = (int(slot_of(record).timestamp()) - start) // step
            steps[number].append(record)
            lanes.update(record.data.get("lanes", {}))  # nodes of the release before tell none
        points: list[SeriesPoint] = []
        waiting: Mapping[str, int] | None = None  # as it was told last: no news, no change
        for one in range((end - start) // step):
            point = _point(steps.get(one, ()), waiting)
            waiting = point.waiting
            points.append(point)
        return Series(
            start=datetime.fromtimestamp(start, tz=UTC),
            step=step,
            points=tuple(points),
            lane_p95={one.word: _lane_p95(lanes, one) for one in TaskPriority},
        )

    def _records(self, seconds: int, start: int) -> Iterable[Record]:
        first, cursor = series_key(seconds, start), series_key(seconds + 1, 0)
        for _ in range(_MOST // _PAGE):
            page = self._store.records(RecordKind.SERIES, cursor=cursor, limit=_PAGE)
            for record in page:
                if record.record_id < first:
                    return
                yield record
            if len(page) < _PAGE:
                return
            cursor = page[-1].record_id


def _lane_p95(lanes: Counter[str], priority: TaskPriority) -> float | None:
    counted = {bucket: lanes[lane_key(priority, bucket)] for bucket in range(len(BOUNDS) + 1)}
    return quantile(counted, 0.95)


def _point(records: Iterable[Record], waiting: Mapping[str, int] | None) -> SeriesPoint:
    finished: Counter[str] = Counter()
    runs: Counter[int] = Counter()
    waits: Counter[int] = Counter()
    for record in sorted(records, key=lambda one: one.record_id):
        data = record.data
        finished.update(data["finished"])
        runs.update({int(key): number for key, number in data["runs"].items()})
        waits.update({int(key): number for key, number in data["waits"].items()})
        waiting = dict(data["waiting"]) or waiting
    return SeriesPoint(
        finished={one: finished[one] for one in OUTCOMES},
        run_p50=quantile(runs, 0.5),
        run_p95=quantile(runs, 0.95),
        wait_p50=quantile(waits, 0.5),
        wait_p95=quantile(waits, 0.95),
        waiting=waiting,
    )
