"""``advanced-scheduler db``: the tables of a store and their revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .outcome import Exit, reported
from .output import Format, Output, show_facts, show_json
from .sources import StoreUrl, migrated_store_at

if TYPE_CHECKING:
    from ..stores.abilities import Revisions

commands = typer.Typer(help="The tables of a store and their revisions.", no_args_is_help=True)


@commands.command()
@reported()
def current(store: StoreUrl = None, output: Output = Format.TABLE) -> None:
    """Say at which revision the tables are."""
    with migrated_store_at(store) as target:
        _show(target.revisions(), output)


@commands.command()
@reported()
def check(store: StoreUrl = None, output: Output = Format.TABLE) -> None:
    """Exit with 1 if the tables are not at the revision that this version needs."""
    with migrated_store_at(store) as target:
        found = target.revisions()
    _show(found, output)
    if not found.at_head:
        typer.echo("run `advanced-scheduler db upgrade` with the same --store", err=True)
        raise typer.Exit(Exit.FAILED)


@commands.command()
@reported()
def upgrade(store: StoreUrl = None, output: Output = Format.TABLE) -> None:
    """Bring the tables to the revision that this version needs; make them if there are none."""
    with migrated_store_at(store) as target:
        before, after = target.upgrade().current, target.revisions().current
    if output is Format.JSON:
        show_json({"before": before, "after": after})
    else:
        show_facts({"before": before, "after": after})


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


def _show(found: Revisions, output: Format) -> None:
    facts = {"current": found.current, "head": found.head, "at_head": found.at_head}
    if output is Format.JSON:
        show_json(facts)
    else:
        show_facts({**facts, "at_head": "yes" if found.at_head else "no"})
