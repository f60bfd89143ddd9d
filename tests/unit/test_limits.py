"""The limits of size: a file 400 lines, an adapter 249, a class 300, a function 50."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    [*ROOT.glob("backend/**/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("examples.py")]
)

FILE_LIMIT = 400
ADAPTER_LIMIT = 249
ADAPTERS = "backend/advanced_scheduler/adapters/"
CLASS_LIMIT = 300
FUNCTION_LIMIT = 50

EXCEPTIONS: frozenset[str] = frozenset()
"""``path`` or ``path:name`` of what may be longer. It may only shrink."""


def too_long(path: str, source: str) -> Iterator[str]:
    """Name everything in ``source`` that is over its limit."""
    lines = len(source.splitlines())
    most = ADAPTER_LIMIT if path.startswith(ADAPTERS) else FILE_LIMIT
    if lines > most:
        yield f"{path} has {lines} lines, the limit of a file is {most}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            limit = CLASS_LIMIT
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            limit = FUNCTION_LIMIT
        else:
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if lines > limit:
            yield f"{path}:{node.name} has {lines} lines, the limit is {limit}"


def subject(finding: str) -> str:
    """What a finding is about, as the exceptions name it."""
    return finding.split(" has ", 1)[0]


def findings() -> list[str]:
    """Everything of ours that is over a limit."""
    return [
        finding
        for path in SOURCES
        for finding in too_long(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]


def test_nothing_is_longer_than_its_limit() -> None:
    assert [finding for finding in findings() if subject(finding) not in EXCEPTIONS] == []


def test_no_exception_is_kept_longer_than_needed() -> None:
    assert {subject(finding) for finding in findings()} >= EXCEPTIONS


@pytest.mark.parametrize(
    ("source", "about"),
    [
        ("\n" * 401, "m.py"),
        ("class C:\n" + "    x = 1\n" * 300, "m.py:C"),
        ("def f() -> None:\n" + "    pass\n" * 50, "m.py:f"),
        ("class C:\n    async def g(self) -> None:\n" + "        pass\n" * 50, "m.py:g"),
    ],
)
def test_the_check_sees_what_is_too_long(source: str, about: str) -> None:
    assert [subject(finding) for finding in too_long("m.py", source)] == [about]


def test_an_adapter_is_thin() -> None:
    for lines, wrong in ((249, 0), (250, 1)):
        assert len([*too_long(f"{ADAPTERS}m.py", "\n" * lines)]) == wrong
