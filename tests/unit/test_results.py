"""A result is kept, or a marker of it: nothing that a task returns can stop it from ending."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from advanced_scheduler.serialization import clip_result, from_json, pack_result, to_json

LIMIT = 1024


class Word(StrEnum):
    YES = "yes"


@dataclass
class Report:
    title: str
    pages: tuple[int, ...]


class Hostile:
    """Raises whatever is asked of it, even what ends programs."""

    def __repr__(self) -> str:
        raise SystemExit

    def __iter__(self) -> Iterator[int]:
        raise KeyboardInterrupt

    def __len__(self) -> int:
        raise GeneratorExit

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit


def endless() -> Iterator[int]:
    while True:
        yield 1


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def marker(value: Any) -> dict[str, Any]:
    """What stands in the store for a value that cannot be kept."""
    kept = from_json(to_json(pack_result(value, LIMIT)))
    assert list(kept) == ["__not_stored__"]
    assert list(kept["__not_stored__"]) == ["type", "size", "why"]
    found: dict[str, Any] = kept["__not_stored__"]
    return found


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        (5, 5),
        ("ü", "ü"),
        ([1, {"a": None}], [1, {"a": None}]),
        ((1, (2,)), [1, [2]]),
        ({1}, [1]),
        ({datetime(2030, 1, 1, tzinfo=UTC): Decimal("1.5")}, {"2030-01-01T00:00:00Z": "1.5"}),
        (Report("x", (1, 2)), {"title": "x", "pages": [1, 2]}),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/x"), "/x"),
        (Word.YES, "yes"),
        (b"text", "text"),
    ],
)
def test_a_result_is_kept_as_json(value: Any, kept: Any) -> None:
    assert from_json(to_json(pack_result(value, LIMIT))) == kept


def test_a_nan_is_kept() -> None:
    assert math.isnan(pack_result([math.nan], LIMIT)[0])


@pytest.mark.parametrize(
    ("make", "kind", "size", "why"),
    [
        (object, "object", None, "Unable to serialize unknown type"),
        (threading.Lock, "_thread.lock", None, "Unable to serialize"),
        (Hostile, f"{__name__}.Hostile", None, ""),
        (lambda: [Hostile()], "list", None, ""),
        (lambda: {"a": {Hostile: 1}}, "dict", None, ""),
        (endless, "generator", None, "return a list"),
        (cyclic, "list", None, "Circular"),
        (lambda: nested(10_000), "list", None, "depth"),
        (lambda: nested(101), "list", None, "more than 100 levels"),
        (lambda: 10**5000, "int", None, "digits"),
        (lambda: "\ud800", "str", 3, "surrogates"),
        (lambda: ["\ud800"], "list", None, "surrogates"),
        (lambda: b"\xff", "bytes", 1, "utf-8"),
        (lambda: ["x" * 2000], "list", 2004, "2,004 bytes are more than the 1,024 allowed"),
        (lambda: "x" * 2000, "str", 2000, "2,000 bytes"),
        (lambda: "ü" * 600, "str", 1200, "1,200 bytes"),
        (lambda: b"\0" * 2000, "bytes", 2000, "2,000 bytes"),
        (lambda: bytearray(2000), "bytearray", 2000, "2,000 bytes"),
    ],
)
def test_what_cannot_be_kept_leaves_its_type_and_size(
    make: Callable[[], Any], kind: str, size: int | None, why: str
) -> None:
    found = marker(make())  # made here: pytest would look at it, and some values bite
    assert (found["type"], found["size"]) == (kind, size)
    assert why in found["why"]
    assert len(found["why"]) <= 300


def test_a_hundred_megabytes_leave_a_marker() -> None:
    assert marker("x" * 100_000_000)["size"] == 100_000_000


class Unruly:
    """Raises what it was made with when somebody asks for its class."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattribute__(self, name: str) -> Any:
        raise object.__getattribute__(self, "error")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, RecursionError])
def test_no_exception_gets_out(error: type[BaseException]) -> None:
    assert marker([Unruly(error())])["type"] == "list"


@pytest.mark.parametrize("value", [object(), (1, 2), [1] * 9999, "x" * 1024, b"", None])
def test_memory_keeps_any_object_as_it_is(value: Any) -> None:
    assert clip_result(value, LIMIT) is value


@pytest.mark.parametrize("value", ["x" * 1025, "ü" * 513, b"x" * 1025, bytearray(1025)])
def test_memory_keeps_no_long_text_or_bytes(value: Any) -> None:
    assert clip_result(value, LIMIT) == pack_result(value, LIMIT)
    assert clip_result(value, LIMIT)["__not_stored__"]["size"] in (1025, 1026)


def test_memory_looks_at_no_object() -> None:
    value = Hostile()
    assert clip_result(value, LIMIT) is value
