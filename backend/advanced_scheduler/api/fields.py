"""What all that goes in and out is made of: names, texts, ids, instants, pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from ..faults import is_storable

_T = TypeVar("_T")

PROBLEM: Final = "application/problem+json"

PriorityName = Literal["critical", "high", "normal", "low", "background"]
StatusName = Literal[
    "pending", "running", "completed", "failed", "retrying", "cancelled", "skipped"
]


def _storable(value: object) -> object:
    if isinstance(value, str) and not is_storable(value):
        raise ValueError("NUL and half surrogate pairs are taken by no store")
    return value


def iso(value: object) -> object:
    """Refuses Unix seconds, which pydantic would take."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError("must be a time in ISO 8601 with an offset")


def _utc(value: datetime) -> datetime:
    if not 1 < value.year < 9999:
        raise ValueError("must be in the years 2 to 9998")
    return value.astimezone(UTC)


_Storable = Annotated[
    str, BeforeValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})
]
Text = Annotated[_Storable, StringConstraints(min_length=1, max_length=200)]
Id = Annotated[_Storable, StringConstraints(min_length=1, max_length=512)]
"""A text that is looked for, or names something, in every store."""

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A version."""


def _portable(value: _T) -> _T:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError:
        raise ValueError("NaN, infinity and half surrogate pairs are no JSON") from None
    return value


JsonList = Annotated[list[JsonValue], AfterValidator(_portable)]
JsonObject = Annotated[dict[str, JsonValue], AfterValidator(_portable)]
"""What comes back from every store, and can be answered, as it was sent."""

Instant = Annotated[AwareDatetime, BeforeValidator(iso), AfterValidator(_utc)]
"""A time with an offset, in UTC from here on."""


class Answer(BaseModel):
    """What a call answers; clients must take fields that they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Asked(BaseModel):
    """A body of a request; what it does not know, it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Answer):
    """Part of a list; ``next_cursor`` asks for what follows, and is null at its end."""

    next_cursor: str | None = None


class FaultOut(Answer):
    """A field that is wrong."""

    pointer: str = Field(description="A JSON pointer into the body, or `query:name`, `path:name`.")
    detail: str


class ProblemOut(Answer):
    """What went wrong, as RFC 9457 says it."""

    type: str
    title: str
    status: int
    code: str = Field(description="For programs: it never changes.")
    detail: str = Field(description="For people.")
    request_id: str | None = None
    errors: list[FaultOut] = []
