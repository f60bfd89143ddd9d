"""Which functions stored jobs may be: those that this process has added, and allowed modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from ..errors import ConfigurationError, InvalidTask, TaskNotRegistered
from ..functions import import_function, is_below, path_of


class UnknownFunction:
    """Stands for a function that a stored job names and this process may not, or cannot, run."""

    def __init__(self, path: str, reason: str) -> None:
        self.path: Final = path
        self.reason: Final = reason

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Raises ``TaskNotRegistered``."""
        raise TaskNotRegistered(self.reason)

    def __repr__(self) -> str:
        return f"<unknown function {self.path!r}>"


class JobFunctions:
    """Functions by ``module:qualname``.

    ``modules`` are those whose functions, and those of modules below, may be imported: a list, or
    a text with commas. Nothing else is ever imported. Raises ``ConfigurationError``.
    """

    def __init__(self, modules: Sequence[str] | str) -> None:
        names = modules.split(",") if isinstance(modules, str) and modules else modules
        self._modules: Final = tuple(name.strip() for name in names)
        if not all(self._modules):
            raise ConfigurationError(f"modules={modules!r} must be names of modules")
        self._known: dict[str, Callable[..., Any]] = {}
        self._failed: dict[str, str] = {}  # why, by path: an import is not tried every second

    def know(self, path: str, function: Callable[..., Any]) -> None:
        """The application has used it for a job."""
        self._known[path] = function

    def try_again(self) -> None:
        """What could not be imported may be there by now."""
        self._failed.clear()

    def find(self, path: str) -> Callable[..., Any]:
        """The function, or an ``UnknownFunction`` that says why there is none."""
        if path not in self._known and path not in self._failed:
            try:
                self._known[path] = self._imported(path)
            except InvalidTask as error:
                self._failed[path] = str(error)
        if path in self._known:
            return self._known[path]
        return UnknownFunction(path, self._failed[path])

    def _imported(self, path: str) -> Callable[..., Any]:
        if not is_below(path.partition(":")[0], self._modules):
            raise InvalidTask(
                f"this process has added no job of {path!r}, and its module is not allowed: name "
                "it in modules= of the job store"
            )
        function, _ = import_function(path)
        if path_of(function) != path:  # such as what the module has imported from elsewhere
            raise InvalidTask(f"{path!r} is defined elsewhere, as {path_of(function)!r}")
        return function
