"""The options that say what a schedule is, for those that make one and those that edit one."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, Concatenate, Final, ParamSpec

import typer

from .asked import Priority, arguments, document, given, instant_of, seconds_of
from .options import Json, Session, option, with_options
from .outcome import CommandFailed, Exit

P = ParamSpec("P")


class Misfire(StrEnum):
    """What becomes of instants that were missed."""

    SKIP = "skip"
    RUN_LATEST = "run_latest"
    RUN_ALL = "run_all"


class Overlap(StrEnum):
    """What becomes of an instant whose predecessor still runs."""

    SKIP = "skip"
    QUEUE_ONE = "queue_one"
    QUEUE_ALL = "queue_all"
    CANCEL_RUNNING = "cancel_running"
    ALLOW = "allow"


Cron = Annotated[str | None, typer.Option("--cron", help="Such as '30 2 * * *'.")]
Zone = Annotated[str | None, typer.Option("--tz", help="Such as Europe/Berlin; default: UTC.")]
Trigger = Annotated[
    str | None,
    typer.Option("--trigger", metavar="JSON", help='Such as {"type": "daily", "times": "02:30"}.'),
]

_WHEN: Final = (
    option("cron", Cron),
    option(
        "every",
        Annotated[str | None, typer.Option(metavar="DURATION", help="Such as 90s, 10m, 1h30m.")],
    ),
    option(
        "at",
        Annotated[
            str | None, typer.Option(metavar="TIME", help="Once, such as 2030-01-01T12:00Z.")
        ],
    ),
    option("trigger", Trigger),
    option("timezone", Zone),
)
_WHAT: Final = (
    option("json", Json),
    option("name", Annotated[str | None, typer.Option(help="For people.")]),
    option("priority", Annotated[Priority | None, typer.Option()]),
    option("queue", Annotated[str | None, typer.Option()]),
    option(
        "timeout", Annotated[str | None, typer.Option(metavar="DURATION", help="Of one attempt.")]
    ),
    option(
        "tags", Annotated[list[str] | None, typer.Option("--tag", help="Several may be given.")]
    ),
    option("misfire", Annotated[Misfire | None, typer.Option(help="What of missed instants.")]),
    option(
        "max_catch_up", Annotated[int | None, typer.Option(help="With --misfire run_all: at most.")]
    ),
    option(
        "grace",
        Annotated[
            str | None, typer.Option(metavar="DURATION", help="With --misfire skip: how late.")
        ],
    ),
    option("overlap", Annotated[Overlap | None, typer.Option(help="If the last one still runs.")]),
    option("max_runs", Annotated[int | None, typer.Option(help="It ends after so many.")]),
    option(
        "pause_on_failure",
        Annotated[int | None, typer.Option(help="It pauses after so many failures in a row.")],
    ),
    option("changelog", Annotated[str | None, typer.Option(help="Why; kept in its history.")]),
)


def describing(
    command: Callable[Concatenate[Session, dict[str, Any], P], None],
) -> Callable[..., None]:
    """A command whose second parameter becomes the options of a schedule: a body for REST."""

    @wraps(command)
    def run(session: Session, /, *args: Any, **options: Any) -> None:
        said = {one.name: options.pop(one.name) for one in (*_WHEN, *_WHAT)}
        command(session, fields_of(said), *args, **options)

    return with_options(run, command, (*_WHEN, *_WHAT), instead_of=1)


def fields_of(said: dict[str, Any]) -> dict[str, Any]:
    """The fields of REST for these options; raises ``CommandFailed``."""
    fields = {**said, **arguments(said.pop("json"))}
    fields |= when(*(said[name] for name in ("cron", "every", "at", "trigger")))
    for name in ("json", "every", "at", "grace"):
        fields.pop(name, None)
    for name, text in (("timeout", said["timeout"]), ("grace_seconds", said["grace"])):
        fields[name] = None if text is None else seconds_of(text)
    return given(fields)


def when(
    cron: str | None, every: str | None = None, at: str | None = None, trigger: str | None = None
) -> dict[str, Any]:
    """The one that was given, as ``cron`` or ``trigger`` of REST."""
    if sum(one is not None for one in (cron, every, at, trigger)) > 1:
        raise CommandFailed("give one of --cron, --every, --at and --trigger", Exit.USAGE)
    if every is not None:
        return {"trigger": {"type": "interval", "interval": seconds_of(every)}}
    if at is not None:
        return {"trigger": {"type": "once", "run_at": instant_of(at)}}
    return {"cron": cron, "trigger": None if trigger is None else document(trigger, "--trigger")}
