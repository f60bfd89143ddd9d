"""The settings: where they come from, and which of them cannot work."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
from pydantic import SecretStr

from advanced_scheduler import ConfigurationError
from advanced_scheduler.config import ServiceSettings, Settings, masked, read_settings

OWN = "ADVANCED_SCHEDULER_"


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):  # noqa: TID251 - the very thing under test
        if name.upper().startswith((OWN, "REDIS_")):
            monkeypatch.delenv(name)


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings()
    assert settings.store == "memory://"
    assert settings.redis_url is None
    assert settings.redis_password is None
    assert (settings.lease_seconds, settings.renewal) == (30, 10)
    assert (settings.poll_seconds, settings.lock_wait_seconds, settings.drain_seconds) == (1, 3, 30)
    assert (settings.max_crashes, settings.clock_offset_seconds) == (3, 0)
    assert (settings.history_limit, settings.history_days) == (1000, 30)
    assert settings.result_limit_bytes == 1024 * 1024
    assert settings.lock_outage == "wait"
    assert not settings.strict_arguments
    assert not settings.auto_migrate


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_read_from_the_environment_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    default = getattr(Settings(), name)
    texts = {"store": "sqlite:///x.db", "lock_outage": "fail"}
    texts |= {"strict_arguments": "true", "auto_migrate": "true"}
    texts |= {"roles": "worker", "priorities": "critical"}
    text = texts.get(name, "7")
    monkeypatch.setenv(OWN + name.upper(), text)
    value = getattr(Settings(), name)
    assert value != default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    assert value == ({text} if isinstance(value, frozenset) else type(value)(text))


def test_the_usual_names_of_redis_count_after_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://usual")
    monkeypatch.setenv("REDIS_PASSWORD", "secret")
    settings = Settings()
    assert settings.redis_url == "redis://usual"
    assert settings.redis_password == SecretStr("secret")
    monkeypatch.setenv(OWN + "REDIS_URL", "redis://own")
    assert Settings().redis_url == "redis://own"


def test_what_the_program_says_counts_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(OWN + "POLL_SECONDS", "5")
    monkeypatch.setenv("REDIS_URL", "redis://usual")
    settings = Settings(poll_seconds=2, redis_url=None)
    assert (settings.poll_seconds, settings.redis_url) == (2, None)


@pytest.mark.parametrize("name", ["REDIS_URL", OWN + "REDIS_URL", OWN + "LEASE_SECONDS"])
def test_an_empty_variable_is_one_that_is_not_set(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "")
    assert Settings() == Settings.model_construct()


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OWN + "OF_A_LATER_VERSION", "1")
    monkeypatch.setenv("STORE", "nonsense")
    assert Settings().store == "memory://"


def test_queues_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().queues is None
    assert Settings(queues=frozenset({"a"})).queues == frozenset({"a"})
    monkeypatch.setenv(OWN + "QUEUES", "gpu, mail")
    assert Settings().queues == frozenset({"gpu", "mail"})
    assert Settings(queues=None).queues is None


def test_a_lease_is_renewed_at_a_third_unless_told_otherwise() -> None:
    assert Settings(lease_seconds=6).renewal == 2
    assert Settings(lease_seconds=6, renewal_seconds=1).renewal == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"store": "memory"}, "store='memory' is not a URL; try memory://"),
        ({"lease_seconds": 5, "renewal_seconds": 5}, "renewal_seconds=5 must be less than"),
        ({"renewal_seconds": 31}, "less than lease_seconds=30, or every lease runs out"),
        ({"lease_seconds": 0, "renewal_seconds": 1}, "lease_seconds"),
        ({"poll_seconds": 61}, "poll_seconds"),
        ({"lock_outage": "hope"}, "lock_outage"),
        ({"max_crashes": -1}, "max_crashes"),
        ({"history_days": "soon"}, "history_days"),
        ({"leese_seconds": 5}, "leese_seconds"),
        ({"queues": "gpu,,mail"}, "queues=.* must name at least one; leave it out for all"),
        ({"queues": []}, "must name at least one"),
        ({"roles": "worker,boss"}, "roles"),
        ({"priorities": "urgent"}, "priorities"),
        ({"queues": 5}, "queues"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**settings)


DURATIONS = [name for name in Settings.model_fields if name.endswith(("_seconds", "_days"))]


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_duration_is_a_finite_number(name: str, value: float) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=name):
        Settings(**given)


def test_a_password_is_shown_nowhere() -> None:
    settings = Settings(redis_password=SecretStr("hush"))
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    with pytest.raises(ValueError, match="renewal_seconds") as refusal:
        Settings(redis_url="redis://:hush@h", renewal_seconds=99)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user:hush@host/db", "user:**********@host/db"),
        ("postgres:/user:hush@host/db", "postgres:**********@host/db"),
        ("redis://user:hu/s@h@host:6379/0", "redis://user:**********@host:6379/0"),
        ("redis://:hush@host", "redis://:**********@host"),
        ("hush@host", "**********@host"),
        ("postgresql://h/db?password=hush&a=b", "postgresql://h/db?password=**********&a=b"),
        ("postgresql://u@h/db?password=hush", "postgresql://**********@h/db?password=**********"),
        ("host=h PassWord = 'hush hush'", "host=h PassWord =**********"),
        ("sqlite:////srv/me@work/jobs.db", "sqlite:////srv/me@work/jobs.db"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_is_shown_without_its_passwords(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize("host", ["host", "h" * 3000])
def test_a_value_that_is_refused_is_short_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv(OWN + "STORE", f"hush@{host}")
    with pytest.raises(ConfigurationError, match="is not a URL") as told:
        read_settings(Settings)
    with pytest.raises(ValueError, match="is not a URL") as raised:
        Settings()
    for text in (str(told.value), str(raised.value)):
        assert "hush" not in text
        assert len(text) < 300
    assert str(told.value).startswith(f"{OWN}STORE='**********@h")
    assert "store=" not in str(told.value)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.store = "sqlite:///x.db"  # type: ignore[misc]


@pytest.mark.parametrize("name", ServiceSettings.model_fields)
def test_document_001_has_settings_of_its_own_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"CORE_SCHEDULER_{name.upper()}", "17")
    assert str(getattr(ServiceSettings(), name)) == "17"
    monkeypatch.setenv(f"CORE_SCHEDULER_{name.upper()}", "")
    assert str(getattr(ServiceSettings(), name)) != "17"
