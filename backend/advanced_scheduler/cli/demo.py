"""``advanced-scheduler demo``: see it work, once, or with the dashboard until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from .lazy import alone
from .outcome import CommandFailed, Exit, reported
from .serving import LOOPBACK, SIGNALS, HttpService, PortOption, until_told

if TYPE_CHECKING:
    from ..demo.cluster import Node
    from ..scheduler import AdvancedTaskScheduler

Environment = Annotated[
    Path | None,
    typer.Option(
        "--environment",
        metavar="PATH",
        help="A virtual environment or a site-packages folder; default: the running Python's.",
        show_default=False,
    ),
]
Output = Annotated[
    Path, typer.Option("--output", metavar="DIR", help="Where reports, the store and logs go.")
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Another store than a file in the output folder, such as sqlite:///jobs.db.",
        show_default=False,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        help="How many executions run at the same time; default: the processors, at least 4.",
        show_default=False,
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Strict = Annotated[
    bool, typer.Option("--strict", help="Exit with 1 if a file is altered or missing.")
]
Serve = Annotated[
    bool, typer.Option("--serve", help="Stay up, with sample tasks and the dashboard.")
]
Cluster = Annotated[
    bool, typer.Option("--cluster", help="The same as two nodes, on a PostgreSQL and a Redis.")
]

_LOOK_SECONDS: Final = 0.2


@reported()
def demo(
    *,
    environment: Environment = None,
    output: Output = Path(".demo"),
    store: Store = None,
    concurrency: Concurrency = None,
    quiet: Quiet = False,
    strict: Strict = False,
    serve: Serve = False,
    cluster: Cluster = False,
    port: PortOption = 0,
) -> None:
    """Verify every installed file of a Python environment against its RECORD, as many tasks.

    With --serve or --cluster the demo stays up until Ctrl-C, and the next one on the same store
    goes on from there.
    """
    _check(serve or cluster, {"--quiet": quiet, "--strict": strict})
    _check(cluster, {"--concurrency": concurrency})
    from ..demo.environment import site_folders

    folders = site_folders(environment)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(f"--output {output}: {error.strerror}", Exit.USAGE) from error
    output = output.resolve()
    if cluster:
        _cluster(folders, output, store, port)
        return
    with _needing("demo"):
        from ..demo.application import demo_scheduler
    url = store or f"sqlite:///{output / ('demo.db' if serve else 'audit.db')}"
    with closing(demo_scheduler(url, concurrency, redis_url=None)) as scheduler:
        if serve:
            _serve(scheduler, folders, output, port)
        else:
            _once(scheduler, folders, output, quiet=quiet, strict=strict)


def _once(
    scheduler: AdvancedTaskScheduler,
    folders: list[str],
    output: Path,
    *,
    quiet: bool,
    strict: bool,
) -> None:
    with _needing("demo"):
        from rich.console import Console

        from ..demo.once import audit_once
    try:
        report = audit_once(scheduler, folders, output, Console(quiet=quiet))
    except KeyboardInterrupt:
        typer.echo("interrupted; the next run finishes what was begun", err=True)
        raise
    if strict and report["totals"]["altered"] + report["totals"]["missing"]:
        raise typer.Exit(Exit.FAILED)


def _serve(scheduler: AdvancedTaskScheduler, folders: list[str], output: Path, port: int) -> None:
    from ..demo.application import Application

    application = Application(scheduler, output)
    service = HttpService(scheduler, LOOPBACK, port, node=True)
    with until_told(), service, scheduler.running():
        application.begin(folders)
        service.announce()
        _say("sample tasks run until Ctrl-C; the next run goes on with the same store")
        _wait(scheduler)


def _cluster(folders: list[str], output: Path, store: str | None, port: int) -> None:
    with _needing("cluster"):
        from ..demo.application import Application, demo_scheduler
        from ..demo.cluster import nodes, shared

    with until_told(), shared(store) as on:
        scheduler = demo_scheduler(on.store, redis_url=on.locks, auto_migrate=True)
        with (
            closing(scheduler),
            HttpService(scheduler, LOOPBACK, port, node=False) as service,
            nodes(on, output) as begun,
        ):
            Application(scheduler, output).begin(folders)
            service.announce()
            _say(f"store {on.store}", f"locks {on.locks}")
            for one in begun:
                _say(f"{one.name} is process {one.process.pid}, log {one.log}")
            lease = scheduler.settings.lease_seconds
            _say(
                f"kill one (kill -9 {begun[0].process.pid}): what it ran, the other takes up after "
                f"{lease:g} s; Ctrl-C ends all"
            )
            _wait(scheduler, begun)


def _wait(scheduler: AdvancedTaskScheduler, nodes: Sequence[Node] = ()) -> NoReturn:
    """Until a signal comes; tells meanwhile which of the nodes are gone."""
    never, left = threading.Event(), list(nodes)
    try:
        while not never.wait(_LOOK_SECONDS):
            for one in [one for one in left if one.process.poll() is not None]:
                left.remove(one)
                _say(f"{one.name} is gone, {len(left)} of {len(nodes)} nodes left")
        raise AssertionError("nobody sets it")
    finally:
        for number in SIGNALS:  # a second one must leave no server behind
            signal.signal(number, signal.SIG_IGN if nodes else _end_now)
        _say("ending: what runs may end, then all that was started is stopped")
        scheduler.announce_stop()


def _end_now(number: int, _: object) -> NoReturn:
    os._exit(128 + number)


@contextmanager
def _needing(extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise CommandFailed(
            f"the demo needs {error.name}: pip install 'advanced-scheduler[{extra}]'", Exit.USAGE
        ) from error


def _check(stays: bool, options: Mapping[str, object]) -> None:
    """Refuse options that mean nothing where the demo stays up, or is more than one process."""
    if stays and (given := [name for name, value in options.items() if value]):
        raise CommandFailed(f"{' and '.join(given)}: not with --serve or --cluster", Exit.USAGE)


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)


commands = alone(demo)
