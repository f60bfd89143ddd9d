"""Where a command finds its store and its tasks."""

from __future__ import annotations

import reprlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigurationError, SchedulerError

if TYPE_CHECKING:
    from ..scheduler import AdvancedTaskScheduler
    from ..stores.abilities import MigratedStore
    from ..stores.base import Store

StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="The store, such as sqlite:///jobs.db; default: ADVANCED_SCHEDULER_STORE.",
        show_default=False,
    ),
]
App = Annotated[
    str | None,
    typer.Option(
        "--app",
        metavar="MODULE:NAME",
        help="Where your AdvancedTaskScheduler is; nothing of it is started.",
        show_default=False,
    ),
]
EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A file of variables, NAME=value; those of the environment count more.",
        show_default=False,
    ),
]


def use_env_file(path: Path | None) -> None:
    """Let settings come from a file as well."""
    if path is not None:
        from ..config import load_env_file

        load_env_file(path)


@contextmanager
def store_at(named: str | Store | None) -> Iterator[Store]:
    """The store, or the one at a URL, by default of the settings; not open, closed afterwards.

    Raises ``ConfigurationError``, also for a store that other processes cannot see.
    """
    from ..config import Settings, read_settings
    from ..stores import open_store

    settings = read_settings(Settings, **({"store": named} if isinstance(named, str) else {}))
    store = open_store(settings.store) if named is None or isinstance(named, str) else named
    if not store.durable:
        raise ConfigurationError(
            f"store={named or settings.store!r} keeps nothing that another process could see; "
            "give --store URL, or set ADVANCED_SCHEDULER_STORE"
        )
    with closing(store):
        yield store


@contextmanager
def migrated_store_at(url: str | None, env_file: Path | None) -> Iterator[MigratedStore]:
    """The same, of a store that has tables; a file may have the settings as well."""
    from ..stores.abilities import MigratedStore

    use_env_file(env_file)
    with store_at(url) as store:
        if not isinstance(store, MigratedStore):
            raise ConfigurationError("this kind of store has no tables, and so no revisions")
        yield store


def scheduler_at(path: str, *, rehearsed: bool = True) -> AdvancedTaskScheduler:
    """The scheduler that an application has at ``package.module:name``.

    ``rehearsed``: what it schedules while it is imported, is not stored. Modules in the current
    folder are found. Raises ``ConfigurationError``, also for what the import raises: where
    findings are exit code 1, an application that is broken must not be.
    """
    from ..engine.rehearsal import rehearsal
    from ..scheduler import AdvancedTaskScheduler

    module, _, name = path.partition(":")
    if not all(map(str.isidentifier, [*module.split("."), *name.split(".")])):
        raise ConfigurationError(f"--app {path!r}: write package.module:name")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        with rehearsal() if rehearsed else nullcontext():
            imported = import_module(module)
    except SchedulerError:
        raise
    except (Exception, SystemExit) as error:
        why = _why_not(error, module)
        raise ConfigurationError(f"--app {path!r} cannot be imported: {why}") from error
    try:
        found: Any = attrgetter(name)(imported)
        problem = f"{name} is {reprlib.repr(found)}, not an AdvancedTaskScheduler"
    except AttributeError:
        found, problem = None, f"{module} has no {name}"
    if isinstance(found, AdvancedTaskScheduler):
        return found
    there = [key for key, one in vars(imported).items() if isinstance(one, AdvancedTaskScheduler)]
    meant = " or ".join(f"{module}:{key}" for key in there)
    hint = f"is {meant} meant?" if there else "there is no AdvancedTaskScheduler in that module"
    raise ConfigurationError(f"--app {path!r}: {problem}; {hint}")


def _why_not(error: BaseException, module: str) -> str:
    """What an import has raised, and where that was; or that there is nothing to import."""
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}."):
        return f"{error}; modules are looked for in {Path.cwd()} and where Python finds its own"
    frames = traceback.extract_tb(error.__traceback__)
    where = [one for one in frames if not one.filename.startswith("<frozen ")][-1]
    return f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"


def twin_of(code: AdvancedTaskScheduler, store: str | Store) -> AdvancedTaskScheduler:
    """A scheduler with the tasks, the settings and the locks of an application, on ``store``."""
    from ..scheduler import AdvancedTaskScheduler

    made = AdvancedTaskScheduler(code.asked_locks, store=store, settings=code.settings)
    for definition in code.task_definitions.values():
        made.register_task(definition)
    return made
