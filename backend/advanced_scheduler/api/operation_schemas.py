"""How keys, health and settings look from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .fields import Answer, Asked, Id, Instant, Page, Text

ScopeName = Literal["read", "run", "write", "admin"]


class EventSearch(Asked):
    """Events of these types only, and only those whose data have these values."""

    type: list[Text] | None = Field(default=None, max_length=50)
    task_id: Text | None = None
    execution_id: Id | None = None
    workflow_id: Text | None = None
    schedule_id: Text | None = None
    queue: Text | None = None


class KeyOut(Answer):
    """An API key as it is listed."""

    id: str
    name: str
    scopes: list[ScopeName]
    created_time: datetime
    expires_time: datetime | None


class KeyMade(KeyOut):
    """A new one: the only answer that has the key itself."""

    key: str


class KeyPage(Page):
    """Keys by name."""

    items: list[KeyOut]


class KeyAsked(Asked):
    """A new key; without ``expires_time`` it holds until it is revoked."""

    name: Text
    scopes: list[ScopeName] = Field(min_length=1)
    expires_time: Instant | None = None


class LoginAsked(Asked):
    """Opens a session of a browser, whose cookie stands for the key."""

    key: Id


class LoginOut(Answer):
    """Who it is; ``csrf`` goes into the header of every call that changes something."""

    name: str
    scopes: list[ScopeName]
    csrf: str


class TicketOut(Answer):
    """What opens one WebSocket, within 30 seconds."""

    ticket: str


class VersionInfo(Answer):
    """What this is."""

    version: str
    python: str
    store: str
    revision: str | None
    node: str | None


class SettingsOut(Answer):
    """The settings in effect; secrets are hidden."""

    settings: dict[str, Any]


class HealthOut(Answer):
    """The report of document 003, with the status that monitors read."""

    status: Literal["pass", "warn", "fail"]
    report: dict[str, Any]
