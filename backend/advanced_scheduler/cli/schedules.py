"""``advanced-scheduler schedule``: schedules, to see, to make, to edit, to preview."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .asked import arguments, given, instant_of
from .client import path_of
from .lazy import group
from .options import Cursor, Json, Limit, Session, Yes, asking, confirm, printing
from .outcome import CommandFailed, Exit
from .output import Block, Printer, Table, ago, columns, said, seconds
from .schedule_options import Trigger, Zone, describing, when
from .service import in_memory

commands = group("Schedules: to see, to make, to edit, to preview.")

ScheduleId = Annotated[
    str, typer.Argument(metavar="ID", help="The id of a schedule, or its name: `schedule list`.")
]


@commands.command("list")
@asking
def list_schedules(
    session: Session,
    *,
    task: Annotated[str | None, typer.Option("--task", help="Only of this task.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only active, paused or ended ones.")
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only with this tag.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> None:
    """Schedules by id."""
    session.tell_of_memory()
    page = session.client.get(
        "/schedules", task_id=task, status=status, tag=tag, limit=limit, cursor=cursor
    )
    table = columns(
        page["items"],
        id="id",
        name="name",
        task="task_id",
        status="status",
        next=ago("next_run"),
        last=ago("last_run"),
        when="words",
    )
    session.printer.show(page, table)
    session.more(page)


@commands.command()
@asking
def show(session: Session, schedule_id: ScheduleId) -> None:
    """One schedule, its next runs, and how it has been doing."""
    found = session.client.get(_path(session, schedule_id))
    facts = {
        **_facts(found),
        "last result": found["last_result"],
        "completed": found["success_count"],
        "failed": found["error_count"],
        "took": seconds("average_duration")(found),
    }
    session.printer.show(found, facts, "", *_runs(found["next_runs"], found["lint"]))


@commands.command()
@asking
@describing
def add(
    session: Session,
    fields: dict[str, Any],
    task_id: Annotated[str, typer.Argument(metavar="TASK", help="A registered task.")],
    schedule_id: Annotated[str | None, typer.Option("--id", help="Default: a new one.")] = None,
) -> None:
    """Run a task whenever a trigger says so."""
    made = session.client.post(
        "/schedules", {**fields, **given({"task_id": task_id, "id": schedule_id})}
    )
    session.printer.show(made, _facts(made))


@commands.command()
@asking
@describing
def edit(
    session: Session,
    fields: dict[str, Any],
    schedule_id: ScheduleId,
    version: Annotated[
        int | None, typer.Option("--if-version", help="Only if this version is stored.")
    ] = None,
) -> None:
    """Change what is given, on all nodes at once."""
    if not fields:
        raise CommandFailed("nothing is given to change: see schedule edit --help", Exit.USAGE)
    headers = {} if version is None else {"if-match": f'"v{version}"'}
    changed = session.client.patch(_path(session, schedule_id), fields, headers)
    session.printer.show(changed, _facts(changed))


@commands.command()
@asking
def pause(session: Session, schedule_id: ScheduleId) -> None:
    """Fire nothing more, on any node."""
    changed = session.client.post(_path(session, schedule_id, "pause"))
    session.printer.show(changed, changed["status"])


@commands.command()
@asking
def resume(
    session: Session,
    schedule_id: ScheduleId,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="What was due in the pause counts as missed.")
    ] = False,
) -> None:
    """Go on."""
    path = _path(session, schedule_id, "resume")
    changed = session.client.post(path, {"catch_up": catch_up})
    session.printer.show(changed, changed["status"])


@commands.command()
@asking
def run(session: Session, schedule_id: ScheduleId, json: Json = None) -> None:
    """Run it once, now, also while it is paused; --json for other arguments."""
    started = session.client.post(_path(session, schedule_id, "run"), arguments(json))
    session.printer.show(started, started["execution_id"])


@commands.command()
@asking
def remove(session: Session, schedule_id: ScheduleId, yes: Yes = False) -> None:
    """Delete it; what it has done stays in the ledger."""
    path = _path(session, schedule_id)
    session.client.get(path)  # before anybody is asked about what there is not
    confirm(f"Delete schedule {schedule_id}?", yes=yes)
    session.done(session.client.delete(path))


@commands.command()
@printing
def preview(
    printer: Printer,
    cron: Annotated[
        str | None, typer.Argument(metavar="[CRON]", help="Such as '30 2 * * *'.")
    ] = None,
    *,
    trigger: Trigger = None,
    zone: Zone = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=1000)] = 10,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Default: now.")
    ] = None,
) -> None:
    """Say what a trigger means, and when it would run; no scheduler is asked."""
    if cron is None and trigger is None:
        raise CommandFailed("give a cron text, or --trigger", Exit.USAGE)
    first = None if start is None else instant_of(start)
    asked = {**when(cron, trigger=trigger), "timezone": zone, "count": count, "start": first}
    with in_memory() as client:
        found = client.preview(given(asked))
    printer.show(found, found["words"], "", *_runs(found["runs"], found["lint"]))


@commands.command()
@asking
def history(session: Session, schedule_id: ScheduleId) -> None:
    """Its versions with what each has changed, the latest first."""
    page = session.client.get(_path(session, schedule_id, "history"))
    table = columns(
        page["items"],
        version="version",
        changed=ago("changed_time"),
        why="changelog",
        what=lambda one: [
            f"{name}: {said(a)} → {said(b)}" for name, (a, b) in one["changed"].items()
        ],
    )
    session.printer.show(page, table)


@commands.command()
@asking
def explain(
    session: Session,
    schedule_id: ScheduleId,
    instant: Annotated[
        str, typer.Argument(metavar="INSTANT", help="Such as 2030-03-10T02:30Z, or now.")
    ],
) -> None:
    """Say in words what became of one instant, and why."""
    path = _path(session, schedule_id)
    session.client.get(path)  # that there is none matters more than how the instant is written
    found = session.client.get(f"{path}/explain", instant=instant_of(instant))
    session.printer.show(found, found)


@commands.command()
@asking
def backfill(
    session: Session,
    schedule_id: ScheduleId,
    start: Annotated[str, typer.Argument(metavar="START", help="Such as 2030-03-10T00:00Z.")],
    end: Annotated[str, typer.Argument(metavar="END", help="Up to here, without it; or now.")],
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Refuse more.")] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which instants.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also what was backfilled.")] = False,
) -> None:
    """Run it for instants of the past; what has been backfilled before is left out."""
    asked = {
        "start": instant_of(start),
        "end": instant_of(end),
        "limit": limit,
        "dry_run": dry_run,
        **({"force": True} if force else {}),  # a service of the release before does not know it
    }
    done = session.client.post(_path(session, schedule_id, "backfill"), asked)
    title, shown = ("instant", "instants") if dry_run else ("execution", "created")
    before, rows = len(done["existing"]), [(one,) for one in done[shown]]
    blocks: list[Block] = [Table((title,), rows)] if rows or not before else []
    if before:
        left = "" if force else ", and left out: --force runs them again"
        blocks.append(f"{before} of {done['matched']} were backfilled before{left}")
    session.printer.show(done, *blocks)


def _path(session: Session, named: str, *verb: str) -> str:
    """The path of the schedule that has this id, or this name.

    Raises ``CommandFailed`` where one has it as its id and another one as its name.
    """
    page = session.client.get("/schedules", name=named)["items"]
    # A service of the release before does not look at the name, and answers with all there are.
    found = [one["id"] for one in page if one["name"] == named]
    known = found[0] if found else named
    if known != named and _is_id(session, named):
        raise CommandFailed(
            f"{named!r} is the id of one schedule and the name of another, {known!r}: "
            "say the id of that one, or give it another name",
            Exit.CONFLICT,
        )
    return path_of("schedules", known, *verb)


def _is_id(session: Session, text: str) -> bool:
    try:
        session.client.get(path_of("schedules", text))
    except CommandFailed as failure:
        if failure.code is not Exit.NOT_FOUND:
            raise
        return False
    return True


def _facts(found: dict[str, Any]) -> dict[str, object]:
    names = (
        *("id", "name", "task_id", "status", "words", "timezone", "next_run", "last_run"),
        *("version", "args", "kwargs", "priority", "queue", "timeout", "tags", "misfire"),
        *("overlap", "max_runs", "run_count", "pause_on_failure", "changed_time", "changelog"),
    )
    return {name: found[name] for name in names}


def _runs(runs: list[dict[str, Any]], lint: list[str]) -> list[Block]:
    return [columns(runs, next="local", utc="instant", note="note"), *lint]
