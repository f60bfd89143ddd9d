"""Owns the words for a length of time: "1 hour", "30 minutes"."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from ..errors import InvalidArguments
from ..models import LONGEST

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_FORM: Final = re.compile(rf"\s*([0-9]{{1,12}})\s*({'|'.join(_SECONDS)})s?\s*", re.IGNORECASE)


def parse_interval(text: object) -> timedelta:
    """The length of time that ``text`` names: a whole number and a unit, in any case.

    Units are seconds, minutes, hours, days and weeks, also in the singular. Raises
    ``InvalidArguments`` for anything else, for nothing ("0 hours"), and for over 100 years.
    """
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise InvalidArguments(
            f"interval={text!r} cannot be read; write a whole number and a unit, such as "
            f"'30 minutes' (units: {', '.join(f'{unit}s' for unit in _SECONDS)})"
        )
    seconds = int(found[1]) * _SECONDS[found[2].lower()]
    if not 0 < seconds <= LONGEST:
        raise InvalidArguments(f"interval={text!r} must be more than nothing, at most 100 years")
    return timedelta(seconds=seconds)
