"""Owns the cron trigger: a cron text, in a zone."""

from __future__ import annotations

from datetime import tzinfo
from typing import ClassVar

from .cron_text import parse_cron
from .trigger import Moment
from .wall import Fold, Gap, WallTrigger
from .words import cron_in_words


class CronTrigger(WallTrigger):
    """Runs at the wall times of ``timezone`` that a cron text names; see ``parse_cron``.

    A text whose minute or hour field starts with ``*`` follows the wall clock in real time: it
    runs in both passes of a repeated hour, and not in a skipped one. Any other names fixed
    times: repeated ones run in the first pass; those that a jump of up to 3 hours skips run
    once, right after it. ``gap`` and ``fold`` choose otherwise (``run_after`` knows the same
    limit of 3 hours). The other arguments are those of WallTrigger. Raises InvalidTrigger, for
    the text InvalidCronExpression.
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
        fields = parse_cron(expression)
        self._fields = fields
        super().__init__(
            fields,
            {"expression": expression},
            real_time=fields.wildcard,
            timezone=timezone,
            start_time=start_time,
            end_time=end_time,
            max_runs=max_runs,
            gap=gap,
            fold=fold,
            jitter=jitter,
            jitter_seed=jitter_seed,
        )

    def __str__(self) -> str:
        return self._in_words(cron_in_words(self._fields))
