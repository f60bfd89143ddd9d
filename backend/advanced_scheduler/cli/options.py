"""The options that many commands have, and the decorators that give them to a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeAlias

import typer

from .client import Client
from .harmless import harmless
from .outcome import CommandFailed, Exit, reported
from .output import Format, Printer
from .service import client_of
from .sources import App, EnvFile, StoreUrl, use_env_file

P = ParamSpec("P")

Output = Annotated[Format, typer.Option("--output", "-o", help="How to print the answer.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Print no colours; so does NO_COLOR.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="The service, such as http://localhost:8000; default: ADVANCED_SCHEDULER_URL.",
        show_default=False,
    ),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Limit: TypeAlias = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most.")]
Json: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="ARGS",
        help='Arguments: \'{"name": "ada"}\' by name, \'["ada"]\' by position.',
        show_default=False,
    ),
]
Cursor: TypeAlias = Annotated[
    str | None, typer.Option("--cursor", help="Go on after the page before.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Session:
    """What a command that asks a service works with."""

    client: Client
    printer: Printer

    def done(self, answer: dict[str, Any]) -> None:
        """Print what became of an act: one word."""
        self.printer.show(answer, str(answer["status"]))

    def more(self, page: dict[str, Any]) -> None:
        """Tell people how to go on after a page."""
        if page.get("next_cursor") and self.printer.for_people:
            typer.echo(harmless(f"there is more: --cursor {page['next_cursor']}"), err=True)

    def tell_of_memory(self) -> None:
        """Tell people why a list is empty that another process might fill."""
        if self.client.fleeting and self.printer.for_people:
            typer.echo(
                "the application keeps everything in memory, so what another process of it has "
                "cannot be seen from here: give --url of that one, or --store",
                err=True,
            )

    def tell_of_tasks(self) -> None:
        """Tell people why a list may lack tasks."""
        if not self.client.knows_tasks and self.printer.for_people:
            typer.echo(
                "no tasks are registered in this process: give --app MODULE:NAME, or --url",
                err=True,
            )


def printing(command: Callable[Concatenate[Printer, P], None]) -> Callable[P, None]:
    """A command that prints: its first parameter becomes the options of how to."""

    @wraps(command)
    def run(*args: Any, output: Format, no_color: bool, **given: Any) -> None:
        with reported():
            command(Printer(output, plain=no_color), *args, **given)

    return with_options(run, command, _PRINTING)


def asking(command: Callable[Concatenate[Session, P], None]) -> Callable[P, None]:
    """A command that asks a service: its first parameter becomes the options of which one."""

    @wraps(command)
    def run(
        *args: Any,
        url: str | None,
        store: str | None,
        app: str | None,
        env_file: Path | None,
        output: Format,
        no_color: bool,
        **given: Any,
    ) -> None:
        use_env_file(env_file)
        printer = Printer(output, plain=no_color)
        with reported(), client_of(url, store, app) as client:
            command(Session(client, printer), *args, **given)

    return with_options(run, command, _ASKING)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; raises ``CommandFailed`` for a no.

    Where nobody can answer, ``--yes`` must be given.
    """
    import sys

    if yes:
        return
    question = harmless(question)
    if not sys.stdin.isatty():
        raise CommandFailed(f"{question} Nobody is here to say: give --yes", Exit.USAGE)
    if not typer.confirm(question, err=True):
        raise CommandFailed("nothing was changed")


def option(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """A parameter that a decorator gives to commands."""
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def with_options(
    run: Callable[..., None],
    command: Callable[..., None],
    options: Sequence[inspect.Parameter],
    *,
    instead_of: int = 0,
) -> Callable[..., None]:
    """Show Typer the parameters of a command, with options in the place of one of them."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())
    del own[instead_of]
    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *options)]
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in shown}
    return run


_PRINTING: Final = (
    option("output", Output, Format.TABLE),
    option("no_color", NoColor, default=False),
)
_ASKING: Final = (
    option("url", Url),
    option("store", StoreUrl),
    option("app", App),
    option("env_file", EnvFile),
    *_PRINTING,
)
