"""The service over HTTP, on a thread of its own: REST, live events, dashboard, probes, metrics."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from .outcome import CommandFailed, Exit

if TYPE_CHECKING:
    from ..scheduler import AdvancedTaskScheduler

HostOption = Annotated[
    str, typer.Option("--host", help="The address to listen on; 0.0.0.0 for all of this machine.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
]
LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8000

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_BACKLOG: Final = 1024
_LAST_SECONDS: Final = 5  # for requests that are under way when it ends


class HttpService:
    """Listens from the moment it is made, answers while it is entered.

    It runs nothing of the scheduler; ``node`` says whether somebody here will. Raises
    ``CommandFailed`` where it cannot listen.
    """

    def __init__(
        self, scheduler: AdvancedTaskScheduler, host: str, port: int, *, node: bool
    ) -> None:
        try:
            import uvicorn

            from ..api import create_app
        except ModuleNotFoundError as error:
            raise CommandFailed(
                f"the service needs {error.name}: pip install 'advanced-scheduler[serve]'",
                Exit.USAGE,
            ) from error
        self._socket = _listening(host, port)
        self.host: Final = host
        self.port: Final = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            create_app(scheduler, run=False, node=node),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_LAST_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="advanced-scheduler-http",
            daemon=True,
        )

    @property
    def url(self) -> str:
        """Where it answers, as seen from this machine."""
        shown = LOOPBACK if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether no other machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def announce(self) -> None:
        """Say where it is, and what callers from elsewhere need."""
        typer.echo(f"dashboard at {self.url}/scheduler/", err=True)
        if not self.is_local:
            typer.echo(
                "callers from other machines need a key: advanced-scheduler key create", err=True
            )


@contextmanager
def until_told() -> Iterator[None]:
    """Ctrl-C and SIGTERM leave the block, and then the command, with 0: that is how it is ended."""
    # Python's own handler, also for SIGINT, to which & in a shell may have made us deaf.
    before = [signal.signal(one, signal.default_int_handler) for one in SIGNALS]
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(Exit.OK) from None
    finally:
        for one, handler in zip(SIGNALS, before, strict=True):
            signal.signal(one, handler)


def _listening(host: str, port: int) -> socket.socket:
    try:
        found: list[Any] = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CommandFailed(
            f"cannot listen on {host}:{port}: {error.strerror or error}", Exit.FAILED
        ) from error
