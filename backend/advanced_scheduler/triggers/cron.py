"""Owns the cron trigger: which instants a cron text means in a zone, at clock changes too."""

from __future__ import annotations

from datetime import tzinfo
from typing import ClassVar, Final, Literal, get_args

from ..errors import InvalidTrigger
from .cron_text import parse_cron
from .recurring import SECOND, RecurringTrigger
from .trigger import Moment
from .zones import DAY, LATEST, Pass, Stretch, stretch_at

Gap = Literal["run_after", "skip"]
"""What becomes of times that a jump forward skips: one run right after the jump, or none."""

Fold = Literal["first", "second", "both"]
"""At which pass times run that the clock shows twice."""

_LONGEST_JUMP: Final = 3 * 3600
_MARGIN: Final = 3 * DAY  # more than any change of a clock
_PASSES: Final[dict[Fold, tuple[Pass, ...]]] = {
    "first": (Pass.ONLY, Pass.FIRST),
    "second": (Pass.ONLY, Pass.SECOND),
    "both": (Pass.ONLY, Pass.FIRST, Pass.SECOND),
}


class CronTrigger(RecurringTrigger):
    """Runs at the wall times of ``timezone`` that a cron text names; see ``parse_cron``.

    A text whose minute or hour field starts with ``*`` follows the wall clock in real time: it
    runs in both passes of a repeated hour, and not in a skipped one. Any other names fixed
    times: repeated ones run in the first pass; those that a jump of up to 3 hours skips run
    once, right after it. ``gap`` and ``fold`` choose otherwise (``run_after`` knows the same
    limit of 3 hours). The other arguments are those of RecurringTrigger. Raises InvalidTrigger,
    for the text InvalidCronExpression.
    """

    kind: ClassVar[str] = "cron"

    def __init__(
        self,
        expression: str,
        *,
        timezone: str | tzinfo = "UTC",
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        max_runs: int | None = None,
        gap: Gap | None = None,
        fold: Fold | None = None,
        jitter: float | None = None,
        jitter_seed: str | None = None,
    ) -> None:
        self._fields = parse_cron(expression)
        for name, value, known in (("gap", gap, get_args(Gap)), ("fold", fold, get_args(Fold))):
            if value is not None and value not in known:
                raise InvalidTrigger(f"{name}={value!r} is unknown; use one of {', '.join(known)}")
        super().__init__(
            {"expression": expression, "gap": gap, "fold": fold},
            timezone=timezone,
            start_time=start_time,
            end_time=end_time,
            max_runs=max_runs,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )
        wildcard = self._fields.wildcard
        self._catches_up = (gap or ("skip" if wildcard else "run_after")) == "run_after"
        self._passes = _PASSES[fold or ("both" if wildcard else "first")]

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
            wall = self._fields.next_wall(instant + stretch.offset)
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
        if not self._catches_up or not 0 < stretch.skipped <= _LONGEST_JUMP:
            return False
        shown = stretch.start + stretch.offset
        wall = self._fields.next_wall(shown - stretch.skipped)
        return wall is not None and wall < shown
