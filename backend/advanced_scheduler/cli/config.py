"""``advanced-scheduler config``: the settings in effect, and whether they work."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .lazy import group
from .options import printing
from .outcome import Exit
from .output import Printer, Table
from .sources import EnvFile, StoreUrl, use_env_file

if TYPE_CHECKING:
    from ..config import Settings

commands = group("The settings in effect, and whether they work.")


@commands.command()
@printing
def show(printer: Printer, store: StoreUrl = None, env_file: EnvFile = None) -> None:
    """Every setting, its value, and where that comes from; passwords are hidden."""
    settings = _settings(store, env_file)
    from ..config import masked, variables_set

    sources = {**variables_set(), **({} if store is None else {"store": "--store"})}
    shown = {
        name: masked(value) if isinstance(value, str) else value
        for name, value in settings.in_effect().items()
    }
    document = {"settings": shown, "variables": sources}
    said = dict(shown)
    if not settings.renewal_seconds:
        said["renewal_seconds"] = f"{settings.renewal:g} (a third of lease_seconds)"
    rows = [(name, value, sources.get(name, "default")) for name, value in said.items()]
    printer.show(document, Table(("setting", "value", "from"), rows))


@commands.command()
@printing
def check(printer: Printer, store: StoreUrl = None, env_file: EnvFile = None) -> None:
    """Try the settings, the store and the lock server; exit with 1 if something will not do."""
    settings = _settings(store, env_file)
    problems = [*_misspelt(), *_store_problems(settings), *_lock_problems(settings)]
    warnings = _warnings(settings)
    lines = [*problems, *(f"warning: {one}" for one in warnings)] or ["all is well"]
    printer.show({"ok": not problems, "problems": problems, "warnings": warnings}, *lines)
    if problems:
        raise typer.Exit(Exit.FAILED)


def _settings(store: str | None, env_file: Path | None) -> Settings:
    from ..config import Settings, read_settings

    use_env_file(env_file)
    return read_settings(Settings, **({} if store is None else {"store": store}))


def _warnings(settings: Settings) -> list[str]:
    """What works, and may not be what is meant."""
    lost = (
        "the store is memory://: no command and no other process can see what is in it, and it "
        "ends with its process; --store or ADVANCED_SCHEDULER_STORE names another one"
    )
    return [lost] if settings.store == "memory://" else []


def _misspelt() -> list[str]:
    from ..config import unknown_variables

    return [
        f"{name} is no setting" + (f"; is {meant} meant?" if meant else "")
        for name, meant in unknown_variables().items()
    ]


def _store_problems(settings: Settings) -> list[str]:
    """A look at a database must not make one: tables are asked for, and not made."""
    from ..errors import SchedulerError
    from ..stores import open_store
    from ..stores.abilities import MigratedStore

    try:
        store = open_store(settings.store)
        try:
            if not isinstance(store, MigratedStore):
                store.open()
                return []
            file = _sqlite_file(settings.store)
            if file is not None and not os.access(file.parent, os.W_OK):
                return [f"the store: {file.parent} is no folder that can be written"]
            revisions = store.revisions()
            if revisions.at_head or settings.auto_migrate or file is not None:
                return []
            found = "no tables of ours" if revisions.current is None else "older tables"
            return [f"the store has {found}: advanced-scheduler db upgrade"]
        finally:
            store.close()
    except SchedulerError as error:
        return [f"the store: {error}"]


def _sqlite_file(store: str) -> Path | None:
    """The file of a store in SQLite, which makes its tables by itself."""
    kind, _, path = store.partition(":///")
    return Path(path.partition("?")[0]) if kind == "sqlite" else None


def _lock_problems(settings: Settings) -> list[str]:
    if settings.redis_url is None:
        return []
    from ..errors import SchedulerError
    from ..scheduler import AdvancedTaskScheduler

    try:
        scheduler = AdvancedTaskScheduler(store="memory://", settings=settings)
    except SchedulerError as error:
        return [f"the lock server: {error}"]
    try:
        problem = scheduler.health_facts().lock_error
        return [f"the lock server: {problem}"] if problem else []
    finally:
        scheduler.close()
