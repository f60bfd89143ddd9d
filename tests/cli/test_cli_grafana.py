"""``advanced-scheduler grafana export``."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from advanced_scheduler.cli.app import app
from advanced_scheduler.grafana import files


def test_it_writes_all_files_and_says_which(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["grafana", "export", str(tmp_path / "new"), "-o", "json"])
    assert done.exit_code == 0, done.output
    written = [Path(one) for one in json.loads(done.stdout)["written"]]
    assert {path.relative_to(tmp_path / "new").as_posix() for path in written} == set(files())
    assert all(path.is_file() for path in written)


def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = CliRunner().invoke(app, ["grafana", "export", str(tmp_path / "file")])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
