"""A real uvicorn ends when it is told to, also while somebody listens."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.support.servers import free_port, spawn
from tests.support.waiting import eventually
from tests.web.farm import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are of POSIX")

EVENTS = "/api/v1/scheduler/events"
SOON = 30.0  # seconds; without an end of the streams it would be for ever


def upgraded(port: int) -> socket.socket:
    """An open WebSocket."""
    found = socket.create_connection(("127.0.0.1", port), timeout=10)
    lines = (
        f"GET {EVENTS}/ws HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""),
    )
    found.sendall("\r\n".join(lines).encode())
    assert b" 101 " in found.recv(4096)
    return found


@pytest.mark.parametrize("app", ["alone", "apart", "hosted"])
def test_it_ends_soon_while_somebody_listens(tmp_path: Path, app: str) -> None:
    port = free_port()
    log = tmp_path / "uvicorn.log"
    command = [
        *("/usr/bin/env", f"PYTHONPATH={ROOT}{os.pathsep}{ROOT / 'backend'}"),
        *(sys.executable, "-m", "uvicorn", "--factory", f"tests.web.service:{app}"),
        *("--port", str(port), "--ws", "wsproto"),
    ]
    server = spawn(command, log)
    try:
        eventually(lambda: "running on" in log.read_text(), timeout=30, what=str(log))
        with ExitStack() as stack:
            url = f"http://127.0.0.1:{port}{EVENTS}"
            stream = stack.enter_context(httpx.stream("GET", url, timeout=30))
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            stack.enter_context(upgraded(port))
            server.send_signal(signal.SIGTERM)
            assert server.wait(SOON) in (0, -signal.SIGTERM)
            assert "".join(lines) == "", "the answer was complete"
    finally:
        server.kill()
        server.wait()
    assert "Traceback" not in log.read_text()
    assert "Application shutdown complete" in log.read_text()
