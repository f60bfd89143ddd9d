"""Turns the context of a page into HTML."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..live import TYPES
from ..svg import ICONS
from .assets import address
from .wording import FILTERS


@cache
def environment() -> Environment:
    """The templates of this package; everything is escaped, and no name may be missing."""
    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    found.globals.update(
        asset=address,
        event_types=" ".join(TYPES),
        state_icons=ICONS,
    )
    return found


def render(template: str, context: Mapping[str, Any]) -> str:
    """The HTML of a page."""
    return environment().get_template(template).render(context)
