"""Addresses of Redis stores, and the scripts that come with the package."""

from __future__ import annotations

import sys
from importlib.resources import files

import pytest

from advanced_scheduler.errors import ConfigurationError
from advanced_scheduler.stores import open_store
from advanced_scheduler.stores.redis import RedisStorage, RedisStore
from advanced_scheduler.stores.redis_client import Address, parsed, source

SCRIPTS = sorted(
    file.name.removesuffix(".lua")
    for file in (files("advanced_scheduler.stores") / "lua").iterdir()
    if file.name.endswith(".lua")
)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (
            "redis://h:1/2",
            Address("redis://h:1/2", "redis://h:1/2", "advanced_scheduler", cluster=False),
        ),
        (
            "rediss://u:p@h/0?prefix=x&ssl_cert_reqs=none",
            Address("rediss://u:p@h/0?ssl_cert_reqs=none", "rediss://h/0", "x", cluster=False),
        ),
        (
            "redis+cluster://:p@h:1",
            Address("redis://:p@h:1", "redis+cluster://h:1", "advanced_scheduler", cluster=True),
        ),
        (
            "redis://h:1?cluster=true",
            Address("redis://h:1", "redis://h:1", "advanced_scheduler", cluster=True),
        ),
    ],
)
def test_an_address_is_taken_apart(url: str, address: Address) -> None:
    assert parsed(url) == address


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("redis://:s3cret@h:port/0", "redis://host:6379/0"),
        ("redis:///0", "redis://host:6379/0"),
        ("redis://:12/s3cret@h", "special characters as %xx"),
        ("redis://me/s3cret@h:1/0", "special characters as %xx"),
        ("redis://h:1/s3cret", "special characters as %xx"),
        ("redis+odd://:s3cret@h", "redis://host:6379/0"),
        ("redis://:s3cret@h?prefix=a{b", "without braces"),
        ("redis://:s3cret@h?prefix=", "without braces"),
        ("redis://:s3cret@h?cluster=maybe", "must be true or false"),
        ("redis://:s3cret@h?odd=option", "option that redis-py does not take"),
        ("rediss://:s3cret@h?ssl_cert_reqs=odd", "option that redis-py does not take"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_its_password(url: str, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what) as raised:
        open_store(url)
    assert "s3cret" not in str(raised.value)


def test_a_storage_is_a_store_by_the_keyword_of_its_document() -> None:
    storage = RedisStorage(redis_url="redis://h:1/0", prefix="a&b")
    assert isinstance(storage, RedisStore)
    assert storage._root == "{a&b}:"


def test_without_the_package_redis_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    for name in [one for one in sys.modules if one.startswith("advanced_scheduler.stores.redis")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match=r"pip install 'advanced-scheduler\[redis\]'"):
        open_store("redis://h:1/0")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_what_it_takes_and_answers(script: str) -> None:
    text = (files("advanced_scheduler.stores") / "lua" / f"{script}.lua").read_text("utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("--"))
    if script not in {
        "common",
        "insert",
        "duration",
        "forget",
        "record",
        "schedule",
    }:  # parts of others
        assert "-- returns  " in head
        assert ("-- ARGV " in head) == ("arg(" in text or "ARGV" in text or "args(" in text)
        assert source(script).endswith(text)
