"""Old files go, and nothing outside the directory is ever touched."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from advanced_scheduler.cleanup import checked_directory, delete_files, directory
from advanced_scheduler.clock import ManualClock
from advanced_scheduler.errors import InvalidArguments

DAY: Final = timedelta(days=1)


@pytest.fixture
def uploads(tmp_path: Path) -> Path:
    """An empty directory to clean."""
    made = tmp_path / "uploads"
    made.mkdir()
    return made


def aged(path: Path, clock: ManualClock, age: timedelta = 2 * DAY) -> Path:
    """``path``, a file of five bytes unless it is there, as last changed ``age`` ago."""
    if not path.is_symlink() and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("hello")
    then = (clock.now() - age).timestamp()
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def test_files_older_than_the_age_go_and_younger_ones_stay(
    uploads: Path, clock: ManualClock
) -> None:
    old = aged(uploads / "old.txt", clock)
    deep = aged(uploads / "a" / "b" / "deep.txt", clock)
    new = aged(uploads / "a" / "new.txt", clock, timedelta(hours=23))

    removed = delete_files(uploads, max_age=DAY, clock=clock)

    assert (removed.files, removed.bytes, removed.errors) == (2, 10, 0)
    assert (old.exists(), deep.exists(), new.exists()) == (False, False, True)


def test_a_file_of_just_the_age_stays(uploads: Path, clock: ManualClock) -> None:
    aged(uploads / "file", clock, DAY)
    assert delete_files(str(uploads), max_age=DAY, clock=clock).files == 0
    clock.advance(seconds=1)
    assert delete_files(str(uploads), max_age=DAY, clock=clock).files == 1


def test_an_old_directory_that_is_empty_by_then_goes_too(uploads: Path, clock: ManualClock) -> None:
    aged(uploads / "old" / "inner" / "file", clock)
    for folder in (uploads / "old" / "inner", uploads / "old", uploads):
        aged(folder, clock)
    (uploads / "new").mkdir()
    aged(uploads / "new", clock, timedelta(hours=1))

    removed = delete_files(uploads, max_age=DAY, clock=clock)

    assert removed.directories == 2
    assert [path.name for path in uploads.iterdir()] == ["new"]


def test_an_old_directory_with_a_young_file_stays(uploads: Path, clock: ManualClock) -> None:
    young = aged(uploads / "old" / "young", clock, timedelta(0))
    aged(young.parent, clock)
    removed = delete_files(uploads, max_age=DAY, clock=clock)
    assert young.exists()
    assert (removed.directories, removed.errors) == (0, 0)


def test_an_old_link_goes_and_what_it_leads_to_stays(
    uploads: Path, tmp_path: Path, clock: ManualClock
) -> None:
    outside = aged(tmp_path / "outside" / "precious", clock)
    inside = aged(uploads / "kept", clock, timedelta(0))
    for name, goal in {"file": outside, "folder": outside.parent, "inner": inside}.items():
        (uploads / name).symlink_to(goal)
        aged(uploads / name, clock)
    (uploads / "young").symlink_to(outside.parent)
    aged(uploads / "young", clock, timedelta(0))

    removed = delete_files(uploads, max_age=DAY, clock=clock)

    assert (removed.files, removed.errors) == (3, 0)
    assert outside.read_text() == "hello"
    assert sorted(path.name for path in uploads.iterdir()) == ["kept", "young"]


def test_a_directory_that_becomes_a_link_in_the_middle_leads_nowhere(
    uploads: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = aged(tmp_path / "outside" / "precious", clock)
    aged(uploads / "folder" / "file", clock)
    really_open, calls = os.open, []

    def swap_then_open(path: str | Path, flags: int, *, dir_fd: int | None = None) -> int:
        calls.append(path)
        if path == "folder":  # it was seen as a directory, and is to be opened as one
            (uploads / "folder").rename(tmp_path / "moved")
            (uploads / "folder").symlink_to(outside.parent)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swap_then_open)
    removed = delete_files(uploads, max_age=DAY, clock=clock)

    assert "folder" in calls
    assert removed.errors == 1
    assert outside.exists()


def test_a_directory_that_is_moved_away_while_it_is_read_is_cleaned_where_it_is(
    uploads: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = aged(tmp_path / "outside" / "file", clock)
    aged(uploads / "folder" / "file", clock)
    really_unlink = os.unlink

    def swap_then_unlink(path: str, *, dir_fd: int | None = None) -> None:
        (uploads / "folder").rename(tmp_path / "moved")
        (uploads / "folder").symlink_to(outside.parent)
        really_unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", swap_then_unlink)
    delete_files(uploads, max_age=DAY, clock=clock)

    assert outside.exists()
    assert not (tmp_path / "moved" / "file").exists()


def test_what_cannot_be_deleted_is_counted_and_does_not_stop_the_rest(
    uploads: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "busy", "z"):
        aged(uploads / name, clock)
    really_unlink = os.unlink

    def unlink(path: str, *, dir_fd: int | None = None) -> None:
        if path == "busy":
            raise PermissionError(1, "Operation not permitted")
        really_unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink)
    removed = delete_files(uploads, max_age=DAY, clock=clock)

    assert (removed.files, removed.errors) == (2, 1)
    assert removed.first_error == f"'{uploads}/busy' stays: Operation not permitted"


def test_pipes_and_sockets_stay_and_block_nobody(
    uploads: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(uploads)  # the path of a socket has at most 107 bytes
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    for name in ("pipe", "socket"):
        aged(uploads / name, clock)
    removed = delete_files(uploads, max_age=DAY, clock=clock)
    assert (removed.files, removed.errors) == (0, 0)
    assert len(list(uploads.iterdir())) == 2


def test_names_that_are_no_text_are_names_all_the_same(uploads: Path, clock: ManualClock) -> None:
    for name in (b"\xff\xfe", b"two\nlines", b"-rf", b"  "):
        aged(uploads / os.fsdecode(name), clock)
    assert delete_files(uploads, max_age=DAY, clock=clock).files == 4


def test_directories_deeper_than_a_hundred_are_counted_as_errors(
    uploads: Path, clock: ManualClock
) -> None:
    path = uploads
    for _ in range(directory.DEEPEST + 5):
        path /= "d"
        path.mkdir()
    removed = delete_files(uploads, max_age=DAY, clock=clock)
    assert removed.errors == 1
    assert "more than 100 directories" in (removed.first_error or "")


def test_no_descriptor_stays_open(uploads: Path, clock: ManualClock) -> None:
    aged(uploads / "a" / "b" / "file", clock)
    before = len(list(Path("/proc/self/fd").iterdir()))
    delete_files(uploads, max_age=DAY, clock=clock)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("given", ["", "uploads", "./uploads", "~", "/tmp/../etc", "a\0b", None, 7])
def test_what_is_no_absolute_path_is_refused(given: object) -> None:
    with pytest.raises(InvalidArguments, match="directory="):
        checked_directory(given)


@pytest.mark.parametrize("given", ["/", "//", "/.", "/tmp/.."])
def test_the_root_is_refused_under_every_name(given: str, clock: ManualClock) -> None:
    with pytest.raises(InvalidArguments):
        delete_files(given, max_age=DAY, clock=clock)


def test_the_home_directory_and_what_it_lies_in_are_refused(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "homes" / "me"
    kept = aged(home / "file", clock)
    monkeypatch.setenv("HOME", str(home))
    for refused in (home, home.parent, tmp_path, tmp_path.parent):
        with pytest.raises(InvalidArguments, match="home directory"):
            delete_files(refused, max_age=DAY, clock=clock)
    assert kept.exists()
    below = aged(home / "cache" / "file", clock).parent
    assert delete_files(below, max_age=DAY, clock=clock).files == 1


def test_the_home_directory_under_another_name_is_refused(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real" / "me").mkdir(parents=True)
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    monkeypatch.setenv("HOME", str(tmp_path / "real" / "me"))
    with pytest.raises(InvalidArguments, match="home directory"):
        delete_files(tmp_path / "alias" / "me", max_age=DAY, clock=clock)


@pytest.mark.parametrize("ending", ["", "/", "/."])
def test_a_link_as_the_directory_is_refused(
    uploads: Path, tmp_path: Path, clock: ManualClock, ending: str
) -> None:
    (tmp_path / "link").symlink_to(uploads)
    with pytest.raises(InvalidArguments, match="is a link"):
        delete_files(f"{tmp_path}/link{ending}", max_age=DAY, clock=clock)


def test_a_directory_that_is_not_there_is_an_error_that_says_so(
    uploads: Path, clock: ManualClock
) -> None:
    checked_directory(uploads / "later")
    with pytest.raises(InvalidArguments, match="No such file or directory"):
        delete_files(uploads / "later", max_age=DAY, clock=clock)
    with pytest.raises(InvalidArguments, match="is not a directory"):
        checked_directory(aged(uploads / "file", clock))


@pytest.mark.parametrize("age", [timedelta(seconds=-1), timedelta.max])
def test_an_age_that_cannot_be_is_refused(
    uploads: Path, clock: ManualClock, age: timedelta
) -> None:
    with pytest.raises(InvalidArguments, match="max_age="):
        delete_files(uploads, max_age=age, clock=clock)
