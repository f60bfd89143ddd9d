"""``advanced-scheduler db``: the tables of a store and their revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .lazy import group
from .options import printing
from .outcome import CommandFailed, Exit, reported
from .output import Printer
from .sources import EnvFile, StoreUrl, migrated_store_at

if TYPE_CHECKING:
    from ..stores.abilities import Revisions

commands = group("The tables of a store and their revisions.")


@commands.command()
@printing
def current(printer: Printer, store: StoreUrl = None, env_file: EnvFile = None) -> None:
    """Say at which revision the tables are."""
    with migrated_store_at(store, env_file) as target:
        _show(target.revisions(), printer)


@commands.command()
@printing
def check(printer: Printer, store: StoreUrl = None, env_file: EnvFile = None) -> None:
    """Exit with 1 if the tables are not at the revision that this version needs."""
    with migrated_store_at(store, env_file) as target:
        found = target.revisions()
    _show(found, printer)
    if not found.at_head:
        typer.echo("run `advanced-scheduler db upgrade` with the same --store", err=True)
        raise typer.Exit(Exit.FAILED)


@commands.command()
@printing
def upgrade(printer: Printer, store: StoreUrl = None, env_file: EnvFile = None) -> None:
    """Bring the tables to the revision that this version needs; make them if there are none."""
    with migrated_store_at(store, env_file) as target:
        before, after = target.upgrade().current, target.revisions().current
    facts = {"before": before, "after": after}
    printer.show(facts, facts)


@commands.command()
@printing
def downgrade(
    printer: Printer,
    revision: Annotated[str, typer.Argument(metavar="REVISION", help="That of its tables.")],
    store: StoreUrl = None,
    env_file: EnvFile = None,
) -> None:
    """Exit with 1 if an earlier release could not work with the tables as they are.

    Releases only ever add to the tables, so that two can run side by side: the way back is to
    put the earlier one in the place of this one. Nothing is dropped, and nothing is lost.
    """
    with migrated_store_at(store, env_file) as target:
        found = target.revisions()
    if found.current is None or found.readable_from is None:
        raise CommandFailed("there are no tables of ours", Exit.NOT_FOUND)
    if len(revision) != len(found.current) or not "0000" <= revision <= found.current:
        raise CommandFailed(
            f"{revision!r} is no revision: the tables are at {found.current}, and the way back "
            "is to that of an earlier release",
            Exit.USAGE,
        )
    good = revision >= found.readable_from
    facts = {"current": found.current, "readable_from": found.readable_from, "ok": good}
    said = "the tables stay as they are" if good else "an earlier one needs a backup from its time"
    release = f"releases with revision {found.readable_from} or later work with them"
    printer.show(facts, f"{release}: {said}")
    if not good:
        raise typer.Exit(Exit.FAILED)


@commands.command()
@reported()
def sql(
    store: StoreUrl = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="REVISION", help="Where the tables are; default: none."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="REVISION", help="Default: the newest.")
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Print the statements of an upgrade, without a look at any server.

    The URL says for which database, and for which schema: postgresql://?schema=jobs will do.
    """
    with migrated_store_at(store, env_file) as target:
        typer.echo(target.upgrade_sql(start, end), nl=False)


def _show(found: Revisions, printer: Printer) -> None:
    facts = {"current": found.current, "head": found.head, "at_head": found.at_head}
    told = {"now": found.current, "needed": found.head, "up to date": found.at_head}
    printer.show(facts, told)
