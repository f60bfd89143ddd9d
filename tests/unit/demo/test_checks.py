"""The comparison of files with what was recorded about them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from advanced_scheduler.demo.checks import find_unrecorded, verify_files


def test_sound_files_are_counted(site: Path) -> None:
    verdict = verify_files(str(site), "alpha", "1.0")
    assert (verdict["distribution"], verdict["version"], verdict["files"]) == ("alpha", "1.0", 4)
    assert verdict["bytes"] > 0
    assert verdict["altered"] == verdict["missing"] == verdict["unreadable"] == []


def test_an_altered_file_is_found_with_both_hashes(site: Path) -> None:
    (site / "alpha/data.txt").write_text("dada\n")
    (found,) = verify_files(str(site), "alpha", "1.0")["altered"]
    assert found == {
        "path": "alpha/data.txt",
        "distribution": "alpha",
        "expected": hashlib.sha256(b"data\n").hexdigest(),
        "actual": hashlib.sha256(b"dada\n").hexdigest(),
    }


def test_a_missing_file_is_found(site: Path) -> None:
    (site / "beta.py").unlink()
    verdict = verify_files(str(site), "beta", "1.0")
    assert verdict["missing"] == [{"path": "beta.py", "distribution": "beta"}]


def test_a_file_whose_folder_became_a_file_is_missing(site: Path) -> None:
    for path in (site / "alpha").iterdir():
        path.unlink()
    (site / "alpha").rmdir()
    (site / "alpha").write_text("in the way")
    assert len(verify_files(str(site), "alpha", "1.0")["missing"]) == 2


@pytest.mark.parametrize("obstacle", ["folder", "pipe", "loop"])
def test_what_cannot_be_read_is_found_and_hides_nothing_else(site: Path, obstacle: str) -> None:
    path = site / "alpha/data.txt"
    path.unlink()
    match obstacle:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to(path)
    verdict = verify_files(str(site), "alpha", "1.0")
    (found,) = verdict["unreadable"]
    assert found["path"] == "alpha/data.txt"
    assert "data.txt" in found["why"]
    assert verdict["files"] == 3


def test_a_check_ends_early_when_it_is_told_to(site: Path) -> None:
    assert verify_files(str(site), "alpha", "1.0", stopped=lambda: True)["files"] == 0


def test_a_sound_environment_has_no_strays(site: Path) -> None:
    cache = site / "alpha" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"")
    assert find_unrecorded([str(site)]) == {"unrecorded": [], "expected": []}


def test_a_file_that_no_record_lists_is_a_stray(site: Path) -> None:
    (site / "alpha" / "extra.py").write_text("")
    (site / "loose.pyc").write_bytes(b"")
    found = find_unrecorded([str(site)])["unrecorded"]
    assert [one["path"] for one in found] == ["alpha/extra.py", "loose.pyc"]


def test_a_stray_that_runs_at_every_start_is_pointed_out(site: Path) -> None:
    (site / "sneaky.pth").write_text("import os\n")
    (found,) = find_unrecorded([str(site)])["unrecorded"]
    assert "every start" in found["why"]


def test_a_name_that_is_no_utf8_is_escaped(site: Path) -> None:
    try:
        (site / os.fsdecode(b"caf\xe9.py")).write_text("")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    (found,) = find_unrecorded([str(site)])["unrecorded"]
    assert found["path"] == r"caf\xe9.py"


@pytest.mark.parametrize(
    "path",
    ["alpha-1.0.dist-info/REQUESTED", "_virtualenv.pth", "old.egg-info/PKG-INFO", "README.txt"],
)
def test_what_installers_leave_is_expected_and_explained(site: Path, path: str) -> None:
    (site / path).parent.mkdir(exist_ok=True)
    (site / path).write_text("")
    strays = find_unrecorded([str(site)])
    assert strays["unrecorded"] == []
    (found,) = strays["expected"]
    assert found["path"] == path
    assert found["why"]
