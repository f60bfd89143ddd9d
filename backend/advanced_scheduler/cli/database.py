"""``advanced-scheduler db``: the tables of a store and their revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .lazy import group
from .options import printing
from .outcome import Exit, reported
from .output import Printer
from .sources import StoreUrl, migrated_store_at

if TYPE_CHECKING:
    from ..stores.abilities import Revisions

commands = group("The tables of a store and their revisions.")


@commands.command()
@printing
def current(printer: Printer, store: StoreUrl = None) -> None:
    """Say at which revision the tables are."""
    with migrated_store_at(store) as target:
        _show(target.revisions(), printer)


@commands.command()
@printing
def check(printer: Printer, store: StoreUrl = None) -> None:
    """Exit with 1 if the tables are not at the revision that this version needs."""
    with migrated_store_at(store) as target:
        found = target.revisions()
    _show(found, printer)
    if not found.at_head:
        typer.echo("run `advanced-scheduler db upgrade` with the same --store", err=True)
        raise typer.Exit(Exit.FAILED)


@commands.command()
@printing
def upgrade(printer: Printer, store: StoreUrl = None) -> None:
    """Bring the tables to the revision that this version needs; make them if there are none."""
    with migrated_store_at(store) as target:
        before, after = target.upgrade().current, target.revisions().current
    facts = {"before": before, "after": after}
    printer.show(facts, facts)


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
) -> None:
    """Print the statements of an upgrade, without a look at any server.

    The URL says for which database, and for which schema: postgresql://?schema=jobs will do.
    """
    with migrated_store_at(store) as target:
        typer.echo(target.upgrade_sql(start, end), nl=False)


def _show(found: Revisions, printer: Printer) -> None:
    facts = {"current": found.current, "head": found.head, "at_head": found.at_head}
    printer.show(facts, facts)
