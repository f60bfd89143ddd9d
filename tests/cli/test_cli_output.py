"""What people see on a terminal, and what a pipe gets."""

from __future__ import annotations

import io
import json
import re
from contextlib import suppress

import pytest
import typer
from rich.console import Console

from advanced_scheduler.cli.asked import instant_of, query_of, seconds_of
from advanced_scheduler.cli.harmless import harmless
from advanced_scheduler.cli.outcome import CommandFailed, reported
from advanced_scheduler.cli.output import (
    Format,
    Printer,
    Table,
    aligned,
    boxed,
    columns,
    plain,
    said,
    spoken,
)

ID = "01890a5d-ac96-774b-bcce-b302099a8057"
TABLE = Table(
    ("id", "task", "status", "error"),
    [(ID, "reports.nightly", "failed", "ValueError: " + "long " * 30), (ID, "x", "running", None)],
)


def drawn(table: Table, *, color: bool = True) -> str:
    """A table on a terminal of 80 columns."""
    file = io.StringIO()
    console = Console(
        file=file, width=80, force_terminal=True, no_color=not color, color_system="truecolor"
    )
    console.print(boxed(table))
    return file.getvalue()


def test_a_table_fits_80_columns_and_breaks_no_id() -> None:
    lines = re.sub(r"\x1b\[\d*m", "", drawn(TABLE)).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(ID in line for line in lines) == 2


def test_colours_can_be_left_out() -> None:
    assert "\x1b[31mfailed" in drawn(TABLE)
    assert "\x1b[31m" not in drawn(TABLE, color=False)


@pytest.mark.parametrize(("value", "left_out"), [("1", True), ("", False)])
def test_no_color_is_minded(value: str, left_out: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", value)
    assert Printer().console().no_color is left_out
    assert Printer(plain=True).console().no_color


def test_a_pipe_gets_whole_lines() -> None:
    title, *rows = aligned(TABLE)
    assert title.split() == ["id", "task", "status", "error"]
    assert rows[0].endswith("long long")
    assert rows[1].split() == [ID, "x", "running", "-"]


def test_values_stay_on_one_line() -> None:
    assert plain({"pick_up": 1, "b": None}) == "pick up  1\nb        none"
    assert [said(one) for one in (None, True, [], ["a", 1], "a\nb", {"a": 1}, 0.123456)] == [
        *("-", "yes", "-", "a, 1", "a b", '{"a": 1}', "0.123"),
    ]


def test_what_a_task_says_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    said_by_task = "a\x1b]0;mine\x07 \x1b[2J\x9b31m\u202eb\x7f"
    document = {"line": said_by_task}
    Printer().show(document, said_by_task, document, columns([document], line="line"))
    Printer(Format.JSON).show(document)
    Printer(Format.JSON).next(document)
    Printer(Format.YAML).show(document)
    with suppress(typer.Exit), reported():
        raise CommandFailed(said_by_task)
    out, err = capsys.readouterr()
    assert not [one for one in out + err if not (one.isprintable() or one in "\n\u202e")]
    assert "\\u001b]0;mine\\u0007" in drawn(Table(["x"], [[said_by_task]]))
    text = harmless(json.dumps(document, ensure_ascii=False))
    assert json.loads(text) == document
    assert "\u202e" not in text


def test_durations_are_spoken() -> None:
    assert [spoken(one) for one in (0.0123, 3.21, 42, 600, 7200, 200_000)] == [
        *("12 ms", "3.2 s", "42 s", "10 min", "2 h", "2 d"),
    ]


def test_durations_and_times_are_read() -> None:
    assert [seconds_of(one) for one in ("90", "1.5h", "1h30m", "2d")] == [90, 5400, 5400, 172_800]
    assert instant_of("2030-01-01T12:00Z") == "2030-01-01T12:00:00+00:00"
    assert instant_of("2030-01-01T12:00Z") > instant_of("now") > "2020"
    for wrong in ("2 h", "h", "", "-5"):
        with pytest.raises(CommandFailed, match="no duration"):
            seconds_of(wrong)
    with pytest.raises(CommandFailed, match="has no zone"):
        instant_of("2030-01-01")
    with pytest.raises(CommandFailed, match="no time"):
        instant_of("2h")


def test_filters_are_a_query() -> None:
    assert query_of(["status=failed,skipped", "status=cancelled", "task=a=b"]) == {
        "status": ["failed", "skipped", "cancelled"],
        "task_id": "a=b",
    }
