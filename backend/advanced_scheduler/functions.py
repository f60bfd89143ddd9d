"""Owns what is known of a callable: where it is imported from, its code, name and parameters."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import re
import reprlib
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, Final, get_type_hints

from .errors import InvalidTask

_PATH: Final = re.compile(r"(\w+\.)+\w+|\w+(\.\w+)*:\w+(\.\w+)*")
_SUGGESTING_LIMIT: Final = 1000  # names; to compare with more takes longer than it helps
_BY_POSITION: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_SHOWN_LENGTH: Final = 300  # characters of a signature in a message


def import_function(path: str) -> tuple[Callable[..., Any], str]:
    """The callable at ``pkg.mod.func`` or ``pkg.mod:func.attr``, and its ``module:qualname``.

    Raises ``InvalidTask`` if there is no such module or attribute, if it cannot be called, or
    if importing it raises anything (the cause is kept); Ctrl-C passes through. The import runs
    in the calling thread and takes as long as the module likes.
    """
    if not _PATH.fullmatch(path):
        raise InvalidTask(
            f"func_path={path!r} is not the path of a function; "
            "write 'package.module.function' or 'package.module:function'"
        )
    missing: ModuleNotFoundError | None = None
    for module_name, attributes in _splits(path):
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if not f"{module_name}.".startswith(f"{error.name}."):
                raise _import_failed(path, module_name, error) from error
            missing = missing or error
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a module may well call sys.exit()
            raise _import_failed(path, module_name, error) from error
        else:
            return _callable_in(found, attributes, path), f"{module_name}:{attributes}"
    raise InvalidTask(
        f"func_path={path!r}: {missing}; check the spelling, and that the module can be "
        "imported from here (sys.path)"
    ) from missing


def is_below(module: str, modules: Iterable[str]) -> bool:
    """Whether the module of this name is one of these, or below one of them."""
    return any(f"{module}.".startswith(f"{one}.") for one in modules)


def did_you_mean(name: str, names: Collection[str]) -> str:
    """``; did you mean 'a' or 'b'?`` where some of ``names`` look like ``name``, or nothing."""
    if len(names) > _SUGGESTING_LIMIT:
        return ""
    similar = difflib.get_close_matches(name, names, 3)
    return f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""


def body_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """What runs when ``function`` is called, behind partials, methods and ``__call__``."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isroutine(function) or inspect.isclass(function):
            return function
        elif inspect.isroutine(call := getattr(type(function), "__call__", None)):  # noqa: B004
            return call
        else:
            return function


def path_of(function: Callable[..., Any]) -> str | None:
    """``module:qualname``, or None for what no other process could find by a name.

    That is lambdas, nested functions, partials, callable objects and methods of an object.
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    owner = getattr(function, "__self__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or "<" in name:
        return None
    if owner is not None and not isinstance(owner, type | ModuleType):
        return None
    return f"{module}:{name}"


def home_of(function: Callable[..., Any]) -> str:
    """The module's name; of the script that was started, in its worker processes too."""
    module: str = getattr(function, "__module__", None) or type(function).__module__
    return "__main__" if module == "__mp_main__" else module


def name_of(function: Callable[..., Any]) -> str:
    """The path, or what else tells a reader which function is meant."""
    if path := path_of(function):
        return path
    name = getattr(function, "__qualname__", None)
    return f"{function.__module__}:{name}" if isinstance(name, str) else reprlib.repr(function)


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """The signature with its annotations evaluated, or None where Python knows none.

    An annotation that cannot be evaluated, such as a name that is imported for type checkers
    alone, stays as it was written, and spoils none of the others.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    names = _names_seen_by(function)
    return signature.replace(
        parameters=[
            parameter.replace(annotation=_evaluated(parameter.annotation, names))
            for parameter in signature.parameters.values()
        ],
        return_annotation=_evaluated(signature.return_annotation, names),
    )


def _names_seen_by(function: Callable[..., Any]) -> dict[str, Any]:
    body = body_of(function)
    if isinstance(body, type):
        body = body.__init__  # type: ignore[misc]
    return getattr(inspect.unwrap(body), "__globals__", {})


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    if isinstance(annotation, type):  # such as Parameter.empty
        return annotation
    carrier = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(carrier, names, include_extras=True)["it"]
    except Exception:  # evaluating runs code of others, which may raise anything
        return annotation


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """Module and attributes: where the colon is, or else at each dot, the longest module first."""
    if ":" in path:
        module, _, attributes = path.partition(":")
        yield module, attributes
        return
    names = path.split(".")
    for at in range(len(names) - 1, 0, -1):
        yield ".".join(names[:at]), ".".join(names[at:])


def _import_failed(path: str, module: str, error: BaseException) -> InvalidTask:
    text = traceback.format_exception_only(error)[-1].strip()  # safe against a bad __str__
    return InvalidTask(f"func_path={path!r}: importing {module!r} failed with {text}")


def _callable_in(module: ModuleType, attributes: str, path: str) -> Callable[..., Any]:
    found: Any = module
    for name in attributes.split("."):
        try:
            found = getattr(found, name)
        except Exception as error:  # a module's __getattr__ may raise anything
            hint = did_you_mean(name, dir(found))
            raise InvalidTask(f"func_path={path!r}: {error}{hint}") from error
    if not callable(found):
        raise InvalidTask(
            f"func_path={path!r} is of type {type(found).__qualname__}, which cannot be called"
        )
    return found  # type: ignore[no-any-return]  # callable() has just said so


def binds(
    signature: inspect.Signature | None, args: Iterable[Any], kwargs: Mapping[str, Any]
) -> bool:
    """Whether these arguments are all that is needed, as far as Python knows."""
    if signature is None:
        return True
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def argument_in(
    why: str,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    signature: inspect.Signature | None,
) -> int | str | None:
    """Which argument it is why ``signature.bind`` refused: by position or name; None if unknown.

    Python's words name it, unless there are too many positions.
    """
    known = {} if signature is None else signature.parameters
    for name in (*kwargs, *known):
        if repr(name) in why:
            return name
    most = sum(one.kind in _BY_POSITION for one in known.values())
    return most if len(args) > most else None


def shown(signature: inspect.Signature | None) -> str:
    """A signature as a message tells it."""
    try:
        text = str(signature or "(...)")
    except Exception:  # the repr of a default value may raise
        return "(...)"
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def arity_of(signature: inspect.Signature | None) -> range:
    """With how many positional arguments, and nothing else, every call is right.

    Empty where no number of them is enough, or where Python knows no signature.
    """
    if signature is None:
        return range(0)
    parameters = signature.parameters.values()
    required = [one for one in parameters if one.default is one.empty]
    if any(one.kind is one.KEYWORD_ONLY for one in required):
        return range(0)
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [one for one in parameters if one.kind in by_position]
    least = sum(one in required for one in positional)
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return range(least, sys.maxsize)
    return range(least, len(positional) + 1)
