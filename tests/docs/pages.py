"""Owns reading pages, their fenced blocks in order, and running what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block; ``output`` is the text block that follows a program, if one does."""

    language: str
    text: str
    line: int
    output: str | None = None

    def __str__(self) -> str:
        return f"line {self.line}"


def run_python(folder: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with this package (and ``path``) and without any warning."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'backend'}{path}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def text_of(path: str) -> str:
    """A page, by its path in the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page that name their language."""
    found: list[Block] = []
    for fence in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        line = page[: fence.start()].count("\n") + 1
        found.append(Block(fence[1], fence[2], line))
    return [
        Block(one.language, one.text, one.line, _output(one, after))
        for one, after in zip_longest(found, found[1:])
    ]


def commands_of(blocks: list[Block]) -> list[str]:
    """What is typed in the console blocks, without prompts and comments."""
    return [
        line.removeprefix("$ ").partition("#")[0].strip()
        for block in blocks
        if block.language == "console"
        for line in block.text.splitlines()
    ]


def targets_of(page: str) -> list[str]:
    """Where the links of a page lead that stay in the repository."""
    return re.findall(r"\]\((?!https?:)([^)#]+)\)", page)


def _output(block: Block, after: Block | None) -> str | None:
    prints = block.language == "python" and after is not None and after.language == "text"
    return after.text if prints and after is not None else None
