"""Owns the settings: the only module that reads the environment."""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, get_args

from pydantic import (
    AliasChoices,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import ConfigurationError

S = TypeVar("S", bound=BaseSettings)

RoleName: TypeAlias = Literal["scheduler", "worker"]
PriorityName: TypeAlias = Literal["critical", "high", "normal", "low", "background"]


class Settings(BaseSettings):
    """Every setting, from keywords or from ``ADVANCED_SCHEDULER_*``; durations in seconds."""

    model_config = SettingsConfigDict(
        env_prefix="ADVANCED_SCHEDULER_",
        env_ignore_empty=True,  # `REDIS_URL=` in a compose file means: not set
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # it may hold a password; `read_settings` shows the rest of it
    )

    store: str = "memory://"
    """URL of the store: ``memory://``, ``sqlite:///file.db``, ``postgresql://`` or ``redis://``."""
    auto_migrate: bool = False
    """Whether a node may bring the tables of a PostgreSQL up to date; SQLite's it always does."""
    redis_url: str | None = Field(
        default=None, validation_alias=AliasChoices("ADVANCED_SCHEDULER_REDIS_URL", "REDIS_URL")
    )
    """Where locks live; without it they live in the store, or in this process."""
    redis_password: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("ADVANCED_SCHEDULER_REDIS_PASSWORD", "REDIS_PASSWORD"),
    )
    lease_seconds: float = Field(default=30, gt=0)
    """How long a node may keep an execution without renewing."""
    renewal_seconds: float = Field(default=0, ge=0)
    """How often it renews; 0 means a third of the lease."""
    poll_seconds: float = Field(default=1, gt=0, le=60)
    """How often a node looks for work that nobody told it of."""
    lock_wait_seconds: float = Field(default=3, gt=0)
    """The deadline of one command to the lock server."""
    lock_outage: Literal["wait", "fail", "store_lock"] = "wait"
    """What a task that needs a lock does while the lock server is down."""
    drain_seconds: float = Field(default=30, ge=0)
    """How long ``stop(wait=True)`` lets running work finish."""
    clock_offset_seconds: float = 0
    max_crashes: int = Field(default=3, ge=0)
    """How many lost leases an execution survives."""
    history_limit: int = Field(default=1000, ge=0)
    """How many ended executions are kept."""
    history_days: float = Field(default=30, gt=0)
    """How long an ended execution is kept."""
    history_grace_seconds: float = Field(default=5, ge=0)
    """How long an ended execution stays readable even beyond ``history_limit``."""
    result_limit_bytes: int = Field(default=1024 * 1024, gt=0)
    arguments_limit_bytes: int = Field(default=1024 * 1024, gt=0)
    queues: Annotated[frozenset[str] | None, NoDecode] = None
    """The queues that a node serves, in the environment with commas between them; None: all."""
    roles: Annotated[frozenset[RoleName] | None, NoDecode] = None
    """What a node does: ``scheduler`` fires schedules, ``worker`` runs executions; None: both."""
    priorities: Annotated[frozenset[PriorityName] | None, NoDecode] = None
    """The priorities that a node runs; None: all."""
    task_log_lines: int = Field(default=200, ge=0, le=10_000)
    """How many lines of what a task logs with ``context.logger`` are kept with its execution."""
    strict_arguments: bool = False
    """Whether the memory store, too, refuses arguments that would not come back equal."""

    @field_validator("store")
    @classmethod
    def _has_a_scheme(cls, value: str) -> str:
        if "://" not in value:
            raise ValueError(
                f"store={_shown(value)} is not a URL; try memory:// or sqlite:///file.db"
            )
        return value

    @field_validator("queues", "roles", "priorities", mode="before")
    @classmethod
    def _are_names(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",")]
        if value is None or not isinstance(value, Collection):
            return value
        if not value or not all(isinstance(one, str) and one for one in value):
            raise ValueError(
                f"{info.field_name}={_shown(value)} must name at least one; leave it out for all"
            )
        return frozenset(value)

    # Of one field, not of the model: that one's errors would show the password.
    @field_validator("renewal_seconds")
    @classmethod
    def _fits_the_lease(cls, value: float, info: ValidationInfo) -> float:
        lease = info.data.get("lease_seconds", inf)
        if value >= lease:
            raise ValueError(
                f"renewal_seconds={value:g} must be less than lease_seconds={lease:g}, "
                "or every lease runs out"
            )
        return value

    @property
    def renewal(self) -> float:
        """Seconds between two renewals of a lease."""
        return self.renewal_seconds or self.lease_seconds / 3

    def in_effect(self) -> dict[str, Any]:
        """Every setting as JSON, with the renewal that a 0 stands for; URLs are not masked."""
        return {**self.model_dump(mode="json"), "renewal_seconds": self.renewal}


class ClientSettings(BaseSettings):
    """Where the command line finds a service, and the key that it shows there."""

    model_config = SettingsConfigDict(
        env_prefix="ADVANCED_SCHEDULER_", env_ignore_empty=True, frozen=True, extra="forbid"
    )

    url: str | None = None
    api_key: SecretStr | None = None


class ServiceSettings(BaseSettings):
    """Document 001's settings, from keywords or from ``CORE_SCHEDULER_*``."""

    model_config = SettingsConfigDict(
        env_prefix="CORE_SCHEDULER_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
    )

    max_concurrent_tasks: int = Field(
        default=10, ge=1, le=10_000, description="Maximum number of concurrent tasks"
    )
    cleanup_interval: int = Field(default=3600, ge=1, description="Cleanup interval in seconds")
    execution_timeout: int = Field(
        default=300, ge=1, description="Task execution timeout in seconds"
    )
    keep_execution_history: int = Field(
        default=30, ge=1, le=36500, description="Days to keep execution history"
    )
    timezone: str = Field(
        default="UTC", description="Where times without a zone, days, weeks and months are meant"
    )


def read_settings(kind: type[S], /, **given: Any) -> S:
    """Settings of a kind: those that are given, and the rest from the environment.

    Raises ``ConfigurationError``, which says of each value that cannot be where it comes from, and
    what it must be; never what is secret.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        told = [_told(kind, one, given) for one in error.errors(include_url=False)]
    raise ConfigurationError("; ".join(told))


def _told(kind: type[BaseSettings], fault: Any, given: Collection[str]) -> str:
    name = str(fault["loc"][0])
    field = kind.model_fields.get(name)
    if field is None:
        return f"{name}: there is no such setting"
    source = name if name in given else variables_set(kind).get(name, name)
    shown = "" if SecretStr in get_args(field.annotation) else f"={_shown(fault['input'])}"
    why = str(fault.get("ctx", {}).get("error") or fault["msg"]).partition(", unable to")[0]
    if why.startswith(f"{name}="):  # it is one of our own, and says so by itself
        return f"{source}{why.removeprefix(name)}"
    return f"{source}{shown}: {why.replace('Input should be', 'it must be')}"


def masked(text: str) -> str:
    """A URL, or what was meant to be one, without the passwords in it: ``redis://user:**********@host``.

    All up to the last ``@`` is one, as special characters may be there as they are.
    """
    return _PASSWORDS.sub(rf"\1\2{'*' * 10}", text)


_PASSWORDS: Final = re.compile(
    r"(^(?!\W*sqlite:)(?:[^:/@]+://)?(?:[^:@]*:)?).*(?=@)|(password\s*=)[^&]*",
    re.IGNORECASE | re.DOTALL,
)


def _shown(value: object) -> str:
    if isinstance(value, str):  # first, as what is left out may be the @
        return reprlib.repr(masked(value))
    return masked(reprlib.repr(value))


def load_env_file(path: Path) -> None:
    """Put the variables of a file (``NAME=value`` lines) into the environment.

    Those that are there already count more. Needs python-dotenv, which pydantic-settings brings.
    """
    from dotenv import load_dotenv

    load_dotenv(path, override=False)


def environment_with(**settings: str) -> dict[str, str]:
    """Our environment, for a child process that is to have these settings."""
    return {**os.environ, **{_PREFIX + name.upper(): value for name, value in settings.items()}}


def variables_set(kind: type[BaseSettings] = Settings) -> Mapping[str, str]:
    """The variables that settings of a kind come from, by the name of the setting."""
    found: dict[str, str] = {}
    for setting, names in _variables(kind).items():
        for name in names:
            if os.environ.get(name):
                found.setdefault(setting, name)
    return found


def unknown_variables() -> Mapping[str, str | None]:
    """Variables that look like ours and are none, each with the one that may be meant."""
    known = {name.upper() for one in (Settings, ClientSettings) for name in one.model_fields}
    ours = (name[len(_PREFIX) :] for name in sorted(os.environ) if name.startswith(_PREFIX))
    meant = {name: get_close_matches(name, known, 1) for name in ours if name not in known}
    return {_PREFIX + name: _PREFIX + near[0] if near else None for name, near in meant.items()}


_PREFIX: Final = "ADVANCED_SCHEDULER_"


def _variables(kind: type[BaseSettings]) -> Mapping[str, list[str]]:
    """The variables that each setting is read from, the first one first."""
    prefix = kind.model_config["env_prefix"]
    return {
        name: [prefix + name.upper()]
        + [one for one in _aliases(field) if one != prefix + name.upper()]
        for name, field in kind.model_fields.items()
    }


def _aliases(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(one) for one in alias.choices] if isinstance(alias, AliasChoices) else []
