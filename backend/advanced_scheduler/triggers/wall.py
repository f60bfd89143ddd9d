"""Owns the rule of clock changes: which instants the wall times of a trigger mean in its zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Final, Literal, TypedDict, get_args

from ..errors import InvalidTrigger
from .recurring import SECOND, RecurringTrigger, WallTimes
from .trigger import Argument, Moment
from .zones import DAY, LATEST, Pass, Stretch, stretch_at

Gap = Literal["run_after", "skip"]
"""What becomes of times that a jump forward skips: one run right after the jump, or none."""

Fold = Literal["first", "second", "both"]
"""At which pass times run that the clock shows twice."""

MOST_RUNS: Final = 100_000
"""Counting so many takes less than a second, once in each process."""

_LONGEST_JUMP: Final = 3 * 3600
_MARGIN: Final = 3 * DAY  # more than any change of a clock
_GAPS: Final = get_args(Gap)
_FOLDS: Final = get_args(Fold)
_PASSES: Final[dict[Fold, tuple[Pass, ...]]] = {
    "first": (Pass.ONLY, Pass.FIRST),
    "second": (Pass.ONLY, Pass.SECOND),
    "both": (Pass.ONLY, Pass.FIRST, Pass.SECOND),
}


class WallOptions(TypedDict, total=False):
    """The keywords of every trigger that runs at wall times; see WallTrigger."""

    timezone: str | tzinfo
    start_time: Moment | None
    end_time: Moment | None
    max_runs: int | None
    gap: Gap | None
    fold: Fold | None
    jitter: float | None
    jitter_seed: str | None


class WallTrigger(RecurringTrigger):
    """Runs at the wall times of ``timezone`` that ``walls`` names.

    Times are fixed, unless they follow the clock (``real_time``). Repeated fixed times run in
    the first pass; those that a jump of up to 3 hours skips run once, right after it. Times that
    follow the clock run in both passes of a repeated hour, and not in a skipped one. ``gap`` and
    ``fold`` choose otherwise (``run_after`` knows the same limit of 3 hours). The other arguments
    are those of RecurringTrigger; ``max_runs`` is at most 100,000. Raises InvalidTrigger.
    """

    walls: WallTimes

    def __init__(
        self,
        walls: WallTimes,
        arguments: Mapping[str, Argument | None],
        *,
        real_time: bool = False,
        timezone: str | tzinfo = "UTC",
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        max_runs: int | None = None,
        gap: Gap | None = None,
        fold: Fold | None = None,
        jitter: float | None = None,
        jitter_seed: str | None = None,
    ) -> None:
        for name, value, known in (("gap", gap, _GAPS), ("fold", fold, _FOLDS)):
            if value is not None and value not in known:
                raise InvalidTrigger(f"{name}={value!r} is unknown; use one of {', '.join(known)}")
        super().__init__(
            {**arguments, "gap": gap, "fold": fold},
            timezone=timezone,
            start_time=start_time,
            end_time=end_time,
            max_runs=max_runs,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )
        if max_runs is not None and max_runs > MOST_RUNS:
            raise InvalidTrigger(
                f"max_runs={max_runs!r} must be at most {MOST_RUNS:,}: runs at wall times are "
                "counted one by one; a schedule has a max_runs of its own, which is not"
            )
        self.walls = walls
        self._catches_up = (gap or ("skip" if real_time else "run_after")) == "run_after"
        self._passes = _PASSES[fold or ("both" if real_time else "first")]

    def catches_up(self, stretch: Stretch) -> bool:
        """Whether times that the jump at the start of ``stretch`` skipped run right after it."""
        return self._catches_up and 0 < stretch.skipped <= _LONGEST_JUMP

    def _following(self, after: int) -> int | None:
        """Walks the stretches of constant offset from ``after`` on."""
        instant = after // SECOND + 1
        while instant < LATEST:
            stretch = stretch_at(self._zone, instant)
            if stretch.start == instant and self._skipped(stretch):
                return instant * SECOND
            if stretch.passing not in self._passes:
                instant = stretch.end
                continue
            wall = self.walls.next_wall(instant + stretch.offset)
            if wall is None:
                break
            found = wall - stretch.offset
            if found < stretch.end:
                return found * SECOND
            instant = stretch.end
            if stretch.passing is not Pass.FIRST:  # else the second pass begins right here
                instant = max(instant, found - _MARGIN)
        return None

    def _skipped(self, stretch: Stretch) -> bool:
        """Whether the jump at the start of ``stretch`` skipped a time that is to be caught up."""
        if not self.catches_up(stretch):
            return False
        shown = stretch.start + stretch.offset
        wall = self.walls.next_wall(shown - stretch.skipped)
        return wall is not None and wall < shown
