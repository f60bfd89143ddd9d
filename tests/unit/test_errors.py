"""The tree of exceptions is the one that the docstring draws."""

from __future__ import annotations

import builtins
import inspect
import re

import pytest

from advanced_scheduler import errors
from advanced_scheduler.errors import SchedulerError

LINE = re.compile(r"(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +\((?P<builtin>\w+)\))?")
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception)
}


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """Each name in the docstring's tree, with its parent and its builtin base."""
    assert errors.__doc__ is not None
    tree = errors.__doc__[errors.__doc__.index("SchedulerError\n") :]
    found: dict[str, tuple[str | None, str | None]] = {}
    path: list[str] = []
    for line in tree.splitlines():
        match = LINE.match(line)
        assert match, f"not a line of a tree: {line!r}"
        del path[len(match["indent"]) // 4 :]
        found[match["name"]] = (path[-1] if path else None, match["builtin"])
        path.append(match["name"])
    return found


def test_the_docstring_draws_every_class_and_no_other() -> None:
    assert list(drawn()) == list(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_hangs_where_the_docstring_draws_it(name: str) -> None:
    parent, builtin = drawn()[name]
    bases = [base.__name__ for base in CLASSES[name].__bases__]
    assert bases == [one for one in (parent or "Exception", builtin) if one]


@pytest.mark.parametrize("name", [name for name, (_, builtin) in drawn().items() if builtin])
def test_each_is_caught_as_the_builtin_that_the_documents_call_it(name: str) -> None:
    builtin = getattr(builtins, str(drawn()[name][1]))
    with pytest.raises(builtin):
        raise CLASSES[name]("text")


def test_one_class_catches_them_all() -> None:
    assert all(issubclass(kind, SchedulerError) for kind in CLASSES.values())


@pytest.mark.parametrize("name", CLASSES)
def test_the_text_is_shown_as_it_was_given(name: str) -> None:
    assert str(CLASSES[name]("task 'a' is \"not\" here")) == "task 'a' is \"not\" here"


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_says_when_it_is_raised(name: str) -> None:
    assert CLASSES[name].__doc__
    assert CLASSES[name].__module__ == "advanced_scheduler.errors"
