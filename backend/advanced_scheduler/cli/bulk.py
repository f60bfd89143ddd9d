"""The same act on many executions: those named, or all that fit; in parts, with a bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal

import typer

from .asked import query_of
from .client import path_of
from .options import Session, confirm
from .outcome import CommandFailed, Exit
from .output import Table

Action = Literal["cancel", "retry"]

_PART: Final = 100  # executions of one request
_PAGE: Final = 1000
_STATES: Final[dict[Action, list[str]]] = {
    "cancel": ["pending", "retrying", "running"],
    "retry": ["failed"],
}
"""What a filter that says nothing of the status means."""
_ENDED_OTHERWISE: Final = ["completed", "cancelled", "skipped"]


def act_on(
    session: Session,
    action: Action,
    ids: Sequence[str] | None,
    filters: Sequence[str] | None,
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Cancel or retry the executions of these ids, or those that fit; exit with the first refusal.

    Those that are named are not asked about; those that only fit a filter are.
    """
    if bool(ids) is bool(filters):
        raise CommandFailed("give ids, or --filter", Exit.USAGE)
    wanted = list(dict.fromkeys(ids or ())) or _fitting(session, action, filters or ())
    done = _nothing_done(action, len(wanted), dry_run=dry_run)
    code = Exit.OK
    if not dry_run and wanted:
        if ids:
            code = _one_by_one(session, action, wanted, done)
        else:
            confirm(f"{_ASKED[action]} {_counted(len(wanted))}?", yes=yes)
            code = _in_parts(session, action, wanted, done)
    session.printer.show(done, *_told(done), *_left_out(session, action, filters or ()))
    if code:
        raise typer.Exit(code)


def _fitting(session: Session, action: Action, filters: Sequence[str]) -> list[str]:
    query = {"status": _STATES[action], **query_of(filters)}
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = session.client.get("/executions", **query, limit=_PAGE, cursor=cursor)
        found += [one["id"] for one in page["executions"]]
        if (cursor := page["next_cursor"]) is None:
            return found


def _left_out(session: Session, action: Action, filters: Sequence[str]) -> list[str]:
    """What fits as well, but did not fail: nobody has said that it shall run again."""
    query = query_of(filters)
    if action != "retry" or not query or "status" in query or not session.printer.for_people:
        return []
    page = session.client.get("/executions", **{**query, "status": _ENDED_OTHERWISE}, limit=_PAGE)
    if not (number := len(page["executions"])):
        return []
    counted = f"{number} or more executions" if page["next_cursor"] else _counted(number)
    return [f"left out: {counted} that ended otherwise; --filter status=completed runs such again"]


def _nothing_done(action: Action, matched: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "action": action,
        "dry_run": dry_run,
        "matched": matched,
        "changed": 0,
        "created": [],
        "refused": {},
    }


def _one_by_one(session: Session, action: Action, ids: list[str], done: dict[str, Any]) -> Exit:
    """Each by a call of its own, so that each says why not."""
    code = Exit.OK
    for one in ids:
        try:
            answer = session.client.post(path_of("executions", one, action))
        except CommandFailed as failure:
            if failure.code is Exit.UNREACHABLE:
                raise
            done["refused"][one] = str(failure)
            code = code or failure.code
            continue
        done["changed"] += 1
        done["created"] += [answer["execution_id"]] if "execution_id" in answer else []
    return code


def _in_parts(session: Session, action: Action, ids: list[str], done: dict[str, Any]) -> Exit:
    with _bar(len(ids)) as advance:
        for start in range(0, len(ids), _PART):
            part = ids[start : start + _PART]
            answer = session.client.post("/executions/batch", {"action": action, "ids": part})
            done["changed"] += answer["changed"]
            done["created"] += answer["created"]
            done["refused"] |= answer["refused"]
            advance(len(part))
    return Exit.FAILED if done["refused"] else Exit.OK


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """How much is done, where somebody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda number: bar.advance(task, number)


def _told(done: dict[str, Any]) -> list[str | Table]:
    if done["dry_run"]:
        return [f"{_counted(done['matched'])} would be {_PAST[done['action']]}"]
    blocks: list[str | Table] = [f"{_counted(done['changed'])} {_PAST[done['action']]}"]
    blocks += done["created"] if len(done["created"]) <= _PART else []
    if done["refused"]:
        blocks.append(Table(("refused", "why"), list(done["refused"].items())))
    return blocks


_ASKED: Final = {"cancel": "Cancel", "retry": "Run again"}
_PAST: Final = {"cancel": "cancelled", "retry": "run again"}


def _counted(number: int) -> str:
    return "1 execution" if number == 1 else f"{number} executions"
