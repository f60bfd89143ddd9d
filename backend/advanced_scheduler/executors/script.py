"""Lets a worker process find functions of the script that was started as ``__main__``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Final

from ..errors import InvalidTask, SchedulerStateError

MAIN: Final = "__main__"
LOADED: Final = "__mp_main__"
"""The script's name in a worker: the one that multiprocessing gives it there."""

_imports: Final[list[str]] = []  # of this process, if it is a worker; those that are under way


def path_elsewhere(path: str) -> tuple[str, str | None]:
    """``module:qualname`` as a worker finds it, and the script to load before, if any.

    Raises ``InvalidTask`` for a function that was typed in and is in no file.
    """
    module, _, name = path.partition(":")
    if module != MAIN:
        return path, None
    if imported := _name_of_main():
        return f"{imported}:{name}", None
    file = getattr(sys.modules[MAIN], "__file__", None)
    if file is None or not Path(file).is_file():  # it may be called <stdin>
        raise InvalidTask(
            f"function {path} cannot run in a process: it is in no file; move it into a module"
        )
    return f"{LOADED}:{name}", file


def module_here(module: str) -> str:
    """The name in this process of what a worker calls ``module``."""
    return MAIN if module in (LOADED, _name_of_main()) else module


def load(file: str) -> None:
    """Run a script, once, as a module that is not ``__main__``; raises what the script raises."""
    loaded = sys.modules.get(LOADED)  # if need be multiprocessing's alias of the first __main__
    if getattr(loaded, "__file__", None) == file:
        return
    module = ModuleType(LOADED)
    module.__file__ = file
    sys.modules[MAIN] = sys.modules[LOADED] = module
    try:
        SourceFileLoader(LOADED, file).exec_module(module)
    except BaseException:
        del sys.modules[LOADED]
        raise


@contextmanager
def importing(path: str) -> Iterator[None]:
    """While a worker imports the function at ``path``."""
    _imports.append(path)
    try:
        yield
    finally:
        _imports.pop()


def is_importing() -> bool:
    """Whether all this runs because a worker imports a task."""
    return bool(_imports)


def refuse_while_importing() -> None:
    """Raise ``SchedulerStateError`` if all this runs because a worker imports a task.

    Otherwise a script without the usual guard would start a second scheduler in each worker.
    """
    if _imports:
        raise SchedulerStateError(
            f"a scheduler starts while a worker process imports {_imports[-1]}: put its start "
            "under if __name__ == '__main__', or into a function"
        )


def _name_of_main() -> str | None:
    """The name under which the script can be imported: that of ``python -m name``."""
    spec = getattr(sys.modules[MAIN], "__spec__", None)
    return None if spec is None or spec.name == MAIN else spec.name
