"""What is installed, and what was recorded about it."""

from __future__ import annotations

import hashlib
import sysconfig
from pathlib import Path

import pytest

from advanced_scheduler.demo.environment import (
    DamagedRecord,
    Installed,
    all_recorded_paths,
    installed,
    recorded_files,
    site_folders,
)
from tests.support.environments import copy_of, install


def test_a_virtual_environment_stands_for_its_site_packages(site: Path) -> None:
    assert site_folders(site.parents[2]) == [str(site)]


def test_a_site_packages_folder_stands_for_itself(site: Path) -> None:
    assert site_folders(site) == [str(site)]


def test_a_link_to_the_same_folder_counts_once(site: Path) -> None:
    (site.parents[2] / "lib64").symlink_to("lib")
    assert site_folders(site.parents[2]) == [str(site)]


def test_the_default_is_where_this_python_installs() -> None:
    assert str(Path(sysconfig.get_paths()["purelib"]).resolve()) in site_folders(None)


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_without_distributions_is_refused(tmp_path: Path, missing: bool) -> None:
    folder = tmp_path / "nowhere" if missing else tmp_path
    with pytest.raises(ValueError, match="nothing is installed") as refused:
        site_folders(folder)
    assert str(folder) in str(refused.value)


def test_distributions_come_by_name_with_their_files_and_bytes(site: Path) -> None:
    alpha, beta = installed(str(site))
    assert alpha.key == (str(site), "alpha", "1.0")
    assert alpha.files == 4  # two of its own, METADATA and INSTALLER; RECORD has no hash
    assert beta.size == sum(path.stat().st_size for path in _recorded_by_beta(site))


def _recorded_by_beta(site: Path) -> list[Path]:
    info = site / "beta-1.0.dist-info"
    return [site / "beta.py", info / "METADATA", info / "INSTALLER"]


def test_a_row_carries_the_hash_in_hex(site: Path) -> None:
    row = recorded_files(str(site), "beta", "1.0")[0]
    assert (row.path, row.size) == ("beta.py", 6)
    assert row.digest == hashlib.sha256(b"B = 2\n").hexdigest()


def test_a_missing_file_is_still_in_the_record(site: Path) -> None:
    (site / "beta.py").unlink()
    assert "beta.py" in {row.path for row in recorded_files(str(site), "beta", "1.0")}


@pytest.mark.parametrize(("name", "version"), [("beta", "2.0"), ("gamma", "1.0")])
def test_a_distribution_that_has_gone_is_an_error(site: Path, name: str, version: str) -> None:
    with pytest.raises(LookupError, match=f"{name} {version} is not in"):
        recorded_files(str(site), name, version)


def test_a_distribution_without_hashes_is_told_apart(site: Path) -> None:
    (site / "old-3.egg-info").mkdir()
    (site / "old-3.egg-info" / "PKG-INFO").write_text("Name: old\nVersion: 3\n")
    assert Installed(str(site), "old", "3", recorded=False) in installed(str(site))


def test_what_an_interrupted_installation_leaves_behind_is_passed_over(site: Path) -> None:
    (site / "half-1.0.dist-info").mkdir()
    assert [one.name for one in installed(str(site))] == ["alpha", "beta"]


@pytest.mark.parametrize(
    "damage",
    [
        b"beta.py,sha256=AAAA,many\n",
        b"beta.py,sha256=AAAA\n",
        b"\xff\xfe,,\n",
        b"a.py,sha256=A,1\n",
    ],
)
def test_a_damaged_record_is_an_error_that_names_its_owner(site: Path, damage: bytes) -> None:
    (site / "beta-1.0.dist-info" / "RECORD").write_bytes(damage)
    with pytest.raises(DamagedRecord, match="beta"):
        recorded_files(str(site), "beta", "1.0")
    assert Installed(str(site), "beta", "1.0") in installed(str(site))
    assert "alpha/data.txt" in set(all_recorded_paths(str(site)))


def test_a_hash_of_another_kind_is_no_hash(site: Path) -> None:
    record = install(site, "gamma", {"gamma.py": ""})
    record.write_text(record.read_text().replace("sha256=", "md5="))
    assert {row.digest for row in recorded_files(str(site), "gamma", "1.0")} == {None}


def test_a_real_distribution_is_read(tmp_path: Path) -> None:
    copy_of("networkx", tmp_path)
    (found,) = installed(str(tmp_path))
    assert found.name == "networkx"
    assert found.files > 100
