"""Owns how SVG is written: elements whose every text is escaped, numbers that stay short."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import escape
from typing import Final, TypeAlias

Value: TypeAlias = "str | float | None"

_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What no XML document may have, and what no terminal should be told."""


class Markup(str):
    """Text that is markup already; templates do not escape it again."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template puts as it is."""
        return str(self)


def tag(name: str, *children: str, **attributes: Value) -> Markup:
    """An element; what is no ``Markup`` is escaped, an attribute of None is left out.

    Attributes are named as in Python: ``class_``, ``aria_label``.
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(one if isinstance(one, Markup) else escape(clean(one)) for one in children)
    return Markup(f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>")


def picture(
    label: str,
    *children: str,
    class_: str,
    height: float,
    width: float | None = None,
    links: bool = False,
) -> Markup:
    """The outermost element; without a width it is as wide as what holds it.

    With ``links`` it is a group and no image, since what is in an image cannot be reached.
    """
    return tag(
        "svg",
        *children,
        xmlns="http://www.w3.org/2000/svg",
        class_=class_,
        role="group" if links else "img",
        aria_label=label,
        width="100%" if width is None else width,
        height=height,
        viewBox=None if width is None else f"0 0 {number(width)} {number(height)}",
    )


def linked(href: str | None, *children: str, label: str | None = None) -> Markup:
    """The same as a link, if it leads anywhere."""
    if href is None:
        return tag("g", *children)
    return tag("a", *children, href=href, aria_label=label)


def clock(instant: datetime, form: str = "%H:%M", **attributes: Value) -> Markup:
    """A time as text, in UTC until a script shows it in the zone of whoever looks."""
    moment = instant.astimezone(UTC)
    return tag("text", f"{moment:{form}}", data_time=moment.isoformat(), **attributes)


def clean(text: str) -> str:
    """The text without what XML cannot have."""
    return _UNWRITABLE.sub("\ufffd", text)


def clipped(text: str, most: int) -> str:
    """The text in one line of at most so many characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def number(value: float) -> str:
    """As short as a tenth of a pixel can be said."""
    return f"{value:.1f}".removesuffix(".0")


def percent(share: float) -> str:
    """A length or place, as a part of the whole width."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def lasting(seconds: float) -> str:
    """A duration in words: ``12 ms``, ``3.4 s``, ``5 m 20 s``, ``3 h 20 m``, ``2 d 4 h``."""
    if seconds < 1:
        return f"{1000 * max(seconds, 0):.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for unit, size, lower, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {lower}"
    return f"{whole // 60} m {whole % 60} s"


def _written(value: str | float) -> str:
    return clean(value) if isinstance(value, str) else number(value)
