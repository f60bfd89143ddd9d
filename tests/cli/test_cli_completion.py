"""What a shell completes: each is a real one that has loaded the script we print for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import unavailable

PROGRAM = f"#!{sys.executable}\nfrom advanced_scheduler.cli import main; main()\n"
SHELLS = {
    "bash": (
        ["--norc", "-c"],
        """
        eval "$(_ADVANCED_SCHEDULER_COMPLETE=source_bash advanced-scheduler)"
        COMP_WORDS=($TYPED) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        function=$(complete -p advanced-scheduler | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function advanced-scheduler
        printf '%s\\n' "${COMPREPLY[@]}"
        """,
    ),
    "zsh": (  # its line editor needs a terminal: the last steps to it are ours
        ["-f", "-c"],
        """
        compdef() { function=$1 }
        _arguments() { local found; for found in ${(Q)${(z)${1#*\\(\\(}}}; do
            print -r -- ${${found%%:*}//[\\")]/}; done }
        eval "$(_ADVANCED_SCHEDULER_COMPLETE=source_zsh advanced-scheduler)"
        words=(${=TYPED}) CURRENT=${#words}
        $function
        """,
    ),
    "fish": (
        ["--no-config", "-c"],
        """
        _ADVANCED_SCHEDULER_COMPLETE=source_fish advanced-scheduler | source
        complete -C "$TYPED" | string replace -r '\\t.*' ''
        """,
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sch", ["schedule"]),
        ("schedule pre", ["preview"]),
        ("schedule preview --cou", ["--count"]),
        ("exec list -o j", ["json"]),
    ],
)
def test_what_is_begun_is_completed(
    shell: str, typed: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.which(shell) or unavailable(f"no {shell}")
    command = tmp_path / "advanced-scheduler"
    command.write_text(PROGRAM)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TYPED", f"advanced-scheduler {typed}")
    options, script = SHELLS[shell]
    done = subprocess.run(
        [path, *options, script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr) == (found, "")
