"""``advanced-scheduler run``: a node in the foreground, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .lazy import alone
from .outcome import CommandFailed, Exit, reported
from .serving import LOOPBACK, PORT, SIGNALS, HostOption, HttpService, PortOption
from .sources import EnvFile, scheduler_at, use_env_file

if TYPE_CHECKING:
    from ..models import Duties
    from ..scheduler import AdvancedTaskScheduler

API: Final = "api"

AppToRun = Annotated[
    str, typer.Option("--app", metavar="MODULE:NAME", help="Where your AdvancedTaskScheduler is.")
]
Roles = Annotated[
    str,
    typer.Option(
        "--role",
        metavar="LIST",
        help="What it does: scheduler (fires schedules), worker (runs), api (serves), by commas.",
    ),
]
Priorities = Annotated[
    str | None,
    typer.Option(
        "--priority", metavar="LIST", help="Only these priorities, by commas.", show_default=False
    ),
]
Queues = Annotated[
    str | None,
    typer.Option("--queue", metavar="LIST", help="Only these queues, by commas."),
]
LogLevel = Annotated[str, typer.Option("--log-level", help="debug, info, warning or error.")]


@reported()
def run(
    *,
    app: AppToRun,
    role: Roles = "scheduler,worker",
    priority: Priorities = None,
    queue: Queues = None,
    host: HostOption = LOOPBACK,
    port: PortOption = PORT,
    log_level: LogLevel = "info",
    env_file: EnvFile = None,
) -> None:
    """Run a node; SIGTERM and Ctrl-C let running work end, a second one ends it at once.

    Work that was cut off is taken up by another node, when its lease has run out.
    """
    from ..engine.options import checked_queues

    _log(log_level)
    use_env_file(env_file)
    roles = _words("--role", role, ("scheduler", "worker", API))
    scheduler = scheduler_at(app, rehearsed=False)
    scheduler.duties = _duties(scheduler.duties, roles - {API}, priority)
    if queue is not None:
        scheduler.queues = checked_queues([one.strip() for one in queue.split(",")])
    try:
        starts = bool(roles - {API})
        service = HttpService(scheduler, host, port, node=starts) if API in roles else None
        asyncio.run(_node(scheduler, service, starts=starts))
    finally:
        scheduler.close()


async def _node(
    scheduler: AdvancedTaskScheduler, service: HttpService | None, *, starts: bool
) -> None:
    """Answer before the start and until after the stop: probes want to know of both."""
    with service or nullcontext(), _told_to_stop() as told:
        if service is not None:
            service.announce()
        if starts:
            await scheduler.start()
        await told.wait()
        if starts:
            await scheduler.stop()


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    """Set at the first signal; the second one ends the process."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def heard(number: signal.Signals) -> None:
        if told.is_set():
            os._exit(128 + number)
        told.set()  # what is waited for, and that a second signal ends it, the node logs

    for one in SIGNALS:
        loop.add_signal_handler(one, heard, one)
    try:
        yield told
    finally:
        for one in SIGNALS:
            loop.remove_signal_handler(one)


def _duties(before: Duties, roles: frozenset[str], priority: str | None) -> Duties:
    from ..models import Role, TaskPriority

    duties = replace(before, roles=frozenset(map(Role, roles)))
    if priority is None:
        return duties
    names = _words("--priority", priority, [one.word for one in TaskPriority])
    return replace(duties, priorities=frozenset(TaskPriority[one.upper()] for one in names))


def _words(option: str, text: str, known: tuple[str, ...] | list[str]) -> frozenset[str]:
    words = frozenset(word.strip() for word in text.split(","))
    if wrong := words - set(known):
        raise CommandFailed(
            f"{option}: no {', '.join(sorted(map(repr, wrong)))}; choose from {', '.join(known)}",
            Exit.USAGE,
        )
    return words


def _log(level: str) -> None:
    found = logging.getLevelNamesMapping().get(level.upper())
    if found is None:
        raise CommandFailed(f"--log-level {level!r}: debug, info, warning or error", Exit.USAGE)
    logging.basicConfig(level=found, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    for chatty in ("apscheduler", "alembic"):
        logging.getLogger(chatty).setLevel(max(found, logging.WARNING))


commands = alone(run)
