"""A tree of commands whose modules are imported when one of their commands is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


def group(about: str, **more: Any) -> typer.Typer:
    """Commands of one module; plain help, since Rich would double the time that it takes."""
    more = {"no_args_is_help": True, **more}
    return typer.Typer(help=about, add_completion=False, rich_markup_mode=None, **more)


def alone(command: Callable[..., None]) -> typer.Typer:
    """The one command of a module."""
    made = typer.Typer(add_completion=False, rich_markup_mode=None)
    made.command()(command)
    return made


class ShowGroup(TyperGroup):
    """Commands of which ``show`` is meant where none is named: ``queue --watch``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in what goes without saying."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


class LazyCommand(TyperCommand):
    """Stands for a command, or a group of them, that is in a module nobody has imported yet."""

    def __init__(self, name: str, module: str, about: str) -> None:
        super().__init__(name, help=about, rich_markup_mode=None)
        self._module = module

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Go on with what it stands for."""
        return self.real().make_context(*args, **more)

    def real(self) -> Any:
        """What it stands for, whose module is imported now."""
        found = import_module(self._module, __package__).commands
        real = typer.main.get_command(found)
        real.name = self.name
        return real


class LazyGroup(TyperGroup):
    """Commands by name; subclasses say in which module each is, and what it is for."""

    modules: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands.update(
            (name, LazyCommand(name, f".{module}", about))
            for name, (module, about) in self.modules.items()
        )
