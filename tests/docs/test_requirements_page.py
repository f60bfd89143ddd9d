"""The page on the requirements names every word of them, where it is, and who shows it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pkgutil import resolve_name

import pytest

from tests.docs.pages import ROOT, targets_of, text_of
from tests.docs.words import WORDS

FOLDER = "backend/docs"
PAGE = text_of(f"{FOLDER}/requirements.md")


@dataclass(frozen=True)
class Row:
    """One line of a table: words of a document, where they are, and the tests that show them."""

    document: str
    words: list[str]
    places: list[str]
    tests: list[str]

    def __str__(self) -> str:
        return f"{self.document} {' '.join(self.words)}"


def section(document: str) -> tuple[str, str]:
    """The table of a document, and what was decided about it."""
    text = PAGE.partition(f"\n## Document {document}")[2].partition("\n## ")[0]
    table, _, decisions = text.partition("### What a block cannot run as written")
    return table, decisions


def rows() -> list[Row]:
    found = []
    for document in WORDS:
        for line in re.findall(r"^\| `.*\|$", section(document)[0], re.MULTILINE):
            words, places, tests = (re.findall(r"`([^`]+)`", part) for part in line.split(" | "))
            assert places, line
            assert tests, line
            found.append(Row(document, words, places, tests))
    return found


ROWS = rows()


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


@pytest.mark.parametrize("document", WORDS)
def test_every_word_of_a_document_has_its_row(document: str) -> None:
    named = [word for row in ROWS if row.document == document for word in row.words]
    asked = {word.replace(":/", " /") for word in WORDS[document].split()}
    assert set(named) == asked


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_leads_to_a_place_and_to_tests(row: Row) -> None:
    for place in row.places:
        resolve_name(f"advanced_scheduler.{place}")
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in names_in(file if "/" in file else f"requirements/{file}"), test


@pytest.mark.parametrize("document", WORDS)
def test_a_document_tells_what_cannot_run_as_written(document: str) -> None:
    _, decisions = section(document)
    assert re.search(r"^\| .+ \| .+ \|$", decisions, re.MULTILINE)


def test_links_of_the_page_lead_somewhere() -> None:
    for target in targets_of(PAGE):
        assert (ROOT / FOLDER / target).exists(), target
