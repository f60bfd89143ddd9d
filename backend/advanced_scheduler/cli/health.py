"""``advanced-scheduler health``: probes, as exit codes."""

from __future__ import annotations

import platform
from typing import Annotated, Any

import typer

from .lazy import alone
from .options import Session, asking
from .outcome import CommandFailed, Exit
from .output import Block, Table, ago, columns, seconds, spoken
from .queue import paused_in


@asking
def health(
    session: Session,
    *,
    live: Annotated[bool, typer.Option("--live", help="Whether its engine still moves.")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Whether it takes on work.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The whole report; the default.")] = False,
    node: Annotated[
        str | None,
        typer.Option(
            "--node", help="With --store: the name of a node; default: any of this machine."
        ),
    ] = None,
) -> None:
    """Exit with 0 if all is well, and with 1 if not; the report says why, and what was seen.

    With --url this asks what the probes /health/live, /health/ready and /health ask. With
    --store no node is asked: its heartbeat in the store tells.
    """
    if live + ready + full > 1:
        raise CommandFailed("give one of --live, --ready and --full", Exit.USAGE)
    if session.client.remote:
        path = "/health/live" if live else "/health/ready" if ready else "/health"
        good, found = session.client.probe(path)
    else:
        found = _judged(session, node, live=live, ready=ready)
        good = found["status"] != "fail"
    problems = found.get("problems") or found.get("reasons") or []
    seen = [] if live or ready or not session.printer.for_people else _seen(session, found)
    session.printer.show(found, found["status"], *problems, *seen)
    if not good:
        raise typer.Exit(Exit.FAILED)


def _judged(session: Session, node: str | None, *, live: bool, ready: bool) -> dict[str, Any]:
    """What the heartbeats in the store say: of nodes here, or in a full report of all."""
    nodes = session.client.get("/nodes")["items"]
    if node is not None:
        nodes = [one for one in nodes if node in (one["id"], one["name"])]
    elif live or ready:
        nodes = [one for one in nodes if one["host"] == platform.node()]
    good = {"alive", "draining"} if live else {"alive"}
    well = [one for one in nodes if one["state"] in good]
    problems = [f"node {one['id']} is {one['state']}" for one in nodes if one not in well]
    if not nodes:
        problems.append("no such node has been seen lately")
    if live or ready:
        return {"status": "pass" if well else "fail", "problems": [] if well else problems}
    return {
        "status": "fail" if not well else "warn" if problems else "pass",
        "problems": problems,
        "nodes": nodes,
    }


def _seen(session: Session, found: dict[str, Any]) -> list[Block]:
    """What a report was judged by: of a service, or of the nodes; and what is paused."""
    blocks: list[Block] = [""]
    if "metrics" in found:
        blocks.append(_values(found))
    if found.get("nodes"):
        blocks += [_nodes(found["nodes"]), ""]
    try:
        paused = paused_in(session.client.get("/queue"))
    except CommandFailed as failure:  # it is no more than the report has said
        paused = [f"unknown: {failure}"]
    return [*blocks, {"paused": paused or "nothing"}]


def _values(found: dict[str, Any]) -> dict[str, object]:
    metrics = found["metrics"]
    return {
        "node": found["serviceId"],
        "release": found["releaseId"],
        "started": found["started"],
        "up for": spoken(found["uptime_seconds"]),
        "running": f"{found['running_tasks']} of {found['max_concurrent_tasks']}",
        "waiting": found["queue_stats"]["total_queued"],
        "executed": metrics["tasks_executed"],
        "failed": metrics["tasks_failed"],
        "retried": metrics["tasks_retried"],
        "success rate": f"{found['success_rate']:.1f} %",
        "average run": spoken(found["average_execution_time"]),
        "locks granted": f"{found['lock_success_rate']:.1f} %",
        "parked": sum(found["parked"].values()),
        "ledger gaps": found["ledger_gaps"],
    }


def _nodes(nodes: list[dict[str, Any]]) -> Table:
    return columns(
        nodes,
        node="name",
        state="state",
        heartbeat=ago("seen_time"),
        running=lambda one: f"{one['slots_used']} of {one['slots']}",
        loop_lag=seconds("loop_lag"),
    )


commands = alone(health)
