"""Reads pictures back."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from advanced_scheduler.api.svg import Markup

HOSTILE = "<script>alert(1)</script>\" onload='x' &amp; \x00\x1b[31m\ud800 ]]> \u202e"
"""What a name may be, and what no picture may repeat as it is."""

_SVG = "{http://www.w3.org/2000/svg}"


def read(picture: Markup) -> Element:
    """The picture as a tree; it must be well-formed, and without inline styles or scripts."""
    root = ET.fromstring(picture)
    assert root.tag == f"{_SVG}svg"
    for one in root.iter():
        assert "style" not in one.attrib
        assert one.tag != f"{_SVG}script"
        assert not any(name.startswith("on") for name in one.attrib)
    return root


def of_class(root: Element, class_: str) -> Iterator[Element]:
    """The elements that have the class."""
    return (one for one in root.iter() if class_ in one.get("class", "").split())


def titles(root: Element) -> list[str]:
    """All tooltips."""
    return [one.text or "" for one in root.iter(f"{_SVG}title")]


def texts(root: Element) -> list[str]:
    """All that is written in it."""
    return [one.text or "" for one in root.iter(f"{_SVG}text")]


def links(root: Element) -> list[str]:
    """Where it leads."""
    return [one.attrib["href"] for one in root.iter(f"{_SVG}a")]


def share(length: str) -> float:
    """A percentage as a number."""
    assert length.endswith("%")
    return float(length[:-1]) / 100
