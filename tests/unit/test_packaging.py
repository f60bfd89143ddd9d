"""What is declared, documented and shipped."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

import pytest

import advanced_scheduler

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def name_of(requirement: str) -> str:
    """``sqlalchemy`` of ``sqlalchemy>=2,<3; marker``."""
    return re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0].lower()


def declared() -> set[str]:
    """Every package that pyproject.toml asks for."""
    extras = PROJECT["optional-dependencies"].values()
    asked = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    return {name_of(line) for line in asked} - {PROJECT["name"]}


def test_every_dependency_has_its_reason_and_no_reason_is_left_over() -> None:
    page = (ROOT / "backend/docs/dependencies.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w.-]+)` \|", page, re.MULTILINE)) == declared()


def test_the_lock_pins_every_dependency_and_names_no_index() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.match(r"[\w.-]+==[\w.+]+( ; .+)?$", line)] == []
    pinned = {name_of(line).replace("_", "-") for line in lines}
    assert declared() <= pinned, f"not pinned: {declared() - pinned}; run make lock"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """The names of the files in a wheel built from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return frozenset(archive.namelist())


def test_the_wheel_carries_every_file_of_the_package(wheel: frozenset[str]) -> None:
    files = (path for path in (ROOT / "backend/advanced_scheduler").rglob("*") if path.is_file())
    names = {path.relative_to(ROOT / "backend").as_posix() for path in files}
    ours = {name for name in names if "__pycache__" not in name}
    assert "advanced_scheduler/py.typed" in ours
    assert ours <= wheel, f"not in the wheel: {ours - wheel}"


def test_the_wheel_carries_nothing_beside_the_package(wheel: frozenset[str]) -> None:
    tops = {name.split("/", 1)[0] for name in wheel}
    assert tops == {"advanced_scheduler", f"advanced_scheduler-{PROJECT['version']}.dist-info"}


@pytest.mark.parametrize(
    ("group", "name"),
    [(group, name) for group, table in PROJECT["entry-points"].items() for name in table],
)
def test_an_entry_point_leads_to_a_class_or_that_of_pytest_to_a_module(
    group: str, name: str
) -> None:
    declared_one = EntryPoint(name, PROJECT["entry-points"][group][name], group)
    assert isinstance(declared_one.load(), ModuleType if group == "pytest11" else type)


def test_the_package_loads_its_public_names_only_when_one_is_used() -> None:
    program = (
        "import sys, advanced_scheduler\n"
        "from advanced_scheduler import errors\n"
        "print('advanced_scheduler.scheduler' in sys.modules)\n"
        "from advanced_scheduler import *\n"
        "print(AdvancedTaskScheduler.__name__, errors.StoreError is StoreError)\n"
    )
    asked = [sys.executable, "-c", program]
    answer = subprocess.run(asked, capture_output=True, check=True, text=True)
    assert answer.stdout == "False\nAdvancedTaskScheduler True\n"


def test_a_name_that_the_package_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'advanced_scheduler' has no attribute 'Nonsense'"):
        _ = advanced_scheduler.Nonsense  # type: ignore[attr-defined]
    assert {"AdvancedTaskScheduler", "__version__"} <= {*dir(advanced_scheduler)}


@pytest.mark.parametrize("command", PROJECT["scripts"])
def test_a_command_leads_to_a_function(command: str) -> None:
    assert callable(resolve_name(PROJECT["scripts"][command]))
