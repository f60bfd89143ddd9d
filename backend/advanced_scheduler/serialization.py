"""Owns how values become JSON and come back, and what is kept of those that cannot.

No pickle, and no hook for compression or encryption: a store may put one around ``to_json``.
"""

from __future__ import annotations

import json
import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from functools import cached_property
from inspect import Parameter, Signature, formatannotation
from itertools import chain, repeat
from json.encoder import c_make_encoder, encode_basestring  # type: ignore[attr-defined]
from types import GeneratorType, NoneType, UnionType
from typing import Any, Final, Optional, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json as parse_json
from pydantic_core import to_jsonable_python

from .errors import InvalidArguments, NotStorable
from .faults import cleaned, describe_error, type_name
from .functions import name_of, signature_of
from .models import Placeholder, ResultOf

NOT_STORED: Final = "__not_stored__"
_PLACEHOLDER: Final = "__placeholder__"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
# What ``_ENCODER.encode`` would make anew at every call: so a call takes a third of its 1.1 us.
_CHUNKS: Final = c_make_encoder(None, _ENCODER.default, encode_basestring, None, ":", ",", 0, 0, 1)
MAX_DEPTH: Final = 100  # well under the limits of every JSON parser on the way

_SCALARS: Final[Mapping[Any, frozenset[type]]] = {
    str: frozenset({str}),
    int: frozenset({int}),
    float: frozenset({float, int}),  # as type checkers have it
    bool: frozenset({bool}),
    None: frozenset({NoneType}),
    NoneType: frozenset({NoneType}),
}
_PLAIN: Final = frozenset().union(*_SCALARS.values())
_PLAIN_SPOKEN: Final = (NotStorable, UnicodeEncodeError, ValueError)  # no annotation helps
_TOO_DEEP: Final = f"it is nested more than {MAX_DEPTH} levels deep"
_ADAPTER_CONFIG: Final = ConfigDict(
    ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"
)


def to_json(value: Any) -> str:
    """Compact JSON text; ``NaN`` and the infinities are written as Python's ``json`` reads them.

    Raises ``TypeError``, ``ValueError`` or ``RecursionError`` for what is not JSON.
    """
    try:
        return "".join(_CHUNKS(value, 0))
    except RecursionError:
        return _ENCODER.encode(value)  # which tells a circle from what is only deep


def from_json(text: str) -> Any:
    """What ``to_json`` wrote; raises ``ValueError`` for what it cannot have written."""
    return parse_json(text)  # an eighth of the time of json.loads


class ArgumentCodec:
    """Turns the arguments of one function into JSON and back, by its annotations.

    ``skip`` names parameters that others fill in. ``limit_bytes`` bounds one call's arguments
    together, as UTF-8 JSON. An annotation that cannot be evaluated, or of which pydantic can
    make nothing, counts as no annotation: plain JSON values alone pass then. None always fits a
    parameter whose default is None.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        skip: frozenset[str] = frozenset(),
        limit_bytes: int,
    ) -> None:
        self._function = name_of(function)
        self._limit = limit_bytes
        self._positional: list[_Slot] = []
        self._named: dict[str, _Slot] = {}
        self._rest = self._named_rest = _Slot("beyond the signature", Parameter.empty)
        signature = signature_of(function) or Signature()
        for parameter in signature.parameters.values():
            if parameter.name not in skip:
                self._add(parameter)

    def pack(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments as JSON values that share nothing mutable with them.

        A ``ResultOf``, whose value nobody knows yet, becomes None whatever the annotation, and
        a ``Placeholder`` a marker that ``unpack`` knows.
        Raises ``InvalidArguments`` for an argument that would not come back equal in value and
        type, at any depth, and for arguments that are too large together.
        """
        if not args and not kwargs:
            return (), {}
        places = enumerate(self._positions(args))
        packed = [self._pack(at, slot, value) for at, (slot, value) in places]
        named = {name: self._pack(name, self._slot(name), value) for name, value in kwargs.items()}
        size = sum(size for _, size in chain(packed, named.values())) + sum(map(len, named))
        if size > self._limit:
            raise InvalidArguments(
                f"the arguments of task function {self._function!r} take {size:,} bytes of JSON; "
                f"{self._limit:,} are allowed: store the data elsewhere and pass where it is"
            )
        return tuple(plain for plain, _ in packed), {name: one[0] for name, one in named.items()}

    def unpack(
        self, args: tuple[Any, ...] | list[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Packed arguments, rebuilt to the annotated types.

        A ``ResultOf`` stays one. Raises ``InvalidArguments`` where the annotations no longer fit
        what was packed.
        """
        if not args and not kwargs:
            return (), {}
        return (
            tuple(self._unpack(slot.name, slot, plain) for slot, plain in self._positions(args)),
            {name: self._unpack(name, self._slot(name), plain) for name, plain in kwargs.items()},
        )

    def _add(self, parameter: Parameter) -> None:
        annotation = parameter.annotation
        if parameter.default is None and not _says_nothing(annotation):
            annotation = Optional[annotation]  # noqa: UP045  # not everything has the | operator
        slot = _Slot(parameter.name, annotation)
        if parameter.kind is Parameter.VAR_POSITIONAL:
            self._rest = _Slot(f"*{parameter.name}", annotation)
        elif parameter.kind is Parameter.VAR_KEYWORD:
            self._named_rest = slot
        else:
            if parameter.kind is not Parameter.KEYWORD_ONLY:
                self._positional.append(slot)
            if parameter.kind is not Parameter.POSITIONAL_ONLY:
                self._named[parameter.name] = slot

    def _positions(self, values: Sequence[Any]) -> Iterable[tuple[_Slot, Any]]:
        return zip(chain(self._positional, repeat(self._rest)), values, strict=False)

    def _slot(self, name: str) -> _Slot:
        return self._named.get(name, self._named_rest)

    def _pack(self, place: int | str, slot: _Slot, value: Any) -> tuple[Any, int]:
        if type(value) is ResultOf:
            return None, 0
        if type(value) is Placeholder:
            return {_PLACEHOLDER: value.value}, 0
        name = place if isinstance(place, str) else slot.name
        try:
            name.encode()  # half a surrogate pair is no JSON
            return slot.encode(value)
        except Exception as error:  # encoders, validators and __eq__ are code of others
            advice = "" if type(error) in _PLAIN_SPOKEN else f"; {slot.advice()}"
            raise InvalidArguments(
                f"argument {cleaned(name)!r} of task function {self._function!r}, of type "
                f"{type_name(value)}, cannot be stored: {_summary(error)}{advice}",
                argument=place,
            ) from error

    def _unpack(self, name: str, slot: _Slot, plain: Any) -> Any:
        if type(plain) is ResultOf:
            return plain
        if type(plain) is dict and plain.keys() == {_PLACEHOLDER}:
            return Placeholder(plain[_PLACEHOLDER])
        try:
            return slot.decode(plain)
        except Exception as error:
            raise InvalidArguments(
                f"the stored argument {name!r} of task function {self._function!r} does not fit "
                f"its annotation {formatannotation(slot.annotation)}: {_summary(error)}"
            ) from error


class _Different(NotStorable):
    """The value and its annotation do not go together; changing either one helps."""


class _Slot:
    """One parameter: what it is annotated with, and how its values pass through JSON."""

    def __init__(self, name: str, annotation: Any) -> None:
        self.name = name
        self.annotation = annotation
        self._scalars = _scalars_of(annotation)

    @cached_property
    def _adapter(self) -> TypeAdapter[Any] | None:
        return None if self._scalars else _adapter_of(self.annotation)

    def advice(self) -> str:
        """What the caller can do about a value and an annotation that do not go together."""
        if self._scalars or self._adapter:
            return f"pass exactly what the annotation {formatannotation(self.annotation)} says"
        unusable = (
            ""
            if _says_nothing(self.annotation)
            else f" ({formatannotation(self.annotation)} is not usable)"
        )
        return (
            f"annotate the parameter with its exact type{unusable}, or pass plain JSON: "
            "texts, numbers, True, False, None, lists, and dicts with texts as keys"
        )

    def encode(self, value: Any) -> tuple[Any, int]:
        """The JSON value and its size in bytes; raises if it would come back different."""
        if self._scalars and type(value) not in self._scalars:
            raise _Different("the annotation says something else")
        if self._scalars or (self._adapter is None and type(value) in _PLAIN):
            return value, _measured(value)[1]
        if self._adapter is None:
            text, size = _measured(value)
            plain = back = from_json(text)
        else:
            plain = self._adapter.dump_python(
                value, mode="json", by_alias=True, round_trip=True, warnings=False
            )
            text, size = _measured(plain)
            back = self._adapter.validate_json(text)
        if found := _difference(value, back):
            raise _Different(found.strip())
        return plain, size

    def decode(self, plain: Any) -> Any:
        """The value that was encoded; raises if the annotation does not take it any more."""
        if self._scalars and type(plain) not in self._scalars:  # as a result may be
            raise _Different(f"it is {type_name(plain)} {_shown(plain)}")
        return self._adapter.validate_json(to_json(plain)) if self._adapter else plain


def pack_plain(value: Any) -> tuple[Any, int]:
    """A copy of plain JSON, and its size in bytes; raises ``NotStorable`` for anything else."""
    try:
        return _Slot("", Parameter.empty).encode(value)
    except Exception as error:  # encoders and __eq__ are code of others
        raise NotStorable(_summary(error)) from error


def _says_nothing(annotation: Any) -> bool:
    return annotation is Parameter.empty or annotation is Any or annotation is object


def _scalars_of(annotation: Any) -> frozenset[type]:
    """The plain types that an annotation stands for; empty if it says anything else."""
    union = get_origin(annotation) in (Union, UnionType)
    try:
        return frozenset().union(
            *(_SCALARS[one] for one in (get_args(annotation) if union else (annotation,)))
        )
    except (KeyError, TypeError):  # TypeError: not hashable
        return frozenset()


def _adapter_of(annotation: Any) -> TypeAdapter[Any] | None:
    if _says_nothing(annotation) or isinstance(annotation, str):
        return None
    for config in (_ADAPTER_CONFIG, None):  # models and dataclasses bring a config of their own
        try:
            return TypeAdapter(annotation, config=config)
        except Exception:  # building a schema runs code of others
            continue
    return None


def _measured(plain: Any) -> tuple[str, int]:
    """JSON text and its size in bytes; raises for what is not JSON, or not for every parser."""
    try:
        text = to_json(plain)
    except RecursionError:
        raise NotStorable(_TOO_DEEP) from None
    size = len(text) if text.isascii() else len(text.encode())
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(plain):
        raise NotStorable(_TOO_DEEP)
    return text, size


def _is_deep(plain: Any) -> bool:
    level = [plain]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for one in level
            if isinstance(one, list | tuple | dict)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
    return bool(level)


def _difference(before: Any, after: Any) -> str | None:
    """Where two values differ in value or type, at any depth, and how; None if nowhere."""
    if type(before) is not type(after):
        return f" {type_name(before)} came back as {type_name(after)}"
    if type(before) in _PLAIN:
        same = before == after or (before != before and after != after)  # noqa: PLR0124  # NaN
    elif isinstance(before, datetime | time) and _follows_a_region(before):
        return f" the time zone {before.tzinfo} came back as an offset; convert it to UTC"
    elif (pairs := _pairs(before, after)) is not None:
        for label, one, other in pairs:
            if found := _difference(one, other):
                return f"[{reprlib.repr(label)}]{found}"
        same = True
    else:
        same = before == after
    return None if same else f" {_shown(before)} came back as {_shown(after)}"


def _pairs(before: Any, after: Any) -> list[tuple[Any, Any, Any]] | None:
    """Label and value of the parts of two containers of one type; None if they do not match."""
    if isinstance(before, Set):
        found = {item: item for item in after}
        if len(found) != len(before) or any(item not in found for item in before):
            return None
        return [(item, item, found[item]) for item in before]
    mine, theirs = _parts(before), _parts(after)
    if mine is None or theirs is None or len(mine) != len(theirs):
        return None
    return [(label, one, other) for (label, one), (_, other) in zip(mine, theirs, strict=True)]


def _parts(value: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(value, Mapping):
        return [(key, part) for key, item in value.items() for part in (key, item)]
    if isinstance(value, list | tuple | deque):
        return list(enumerate(value))
    if isinstance(value, BaseModel):
        hidden = [("extra", value.__pydantic_extra__), ("private", value.__pydantic_private__)]
        return [(name, getattr(value, name)) for name in type(value).model_fields] + hidden
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    return None


def _follows_a_region(value: datetime | time) -> bool:
    return value.tzinfo is not None and value.tzinfo.utcoffset(None) is None


def pack_result(value: Any, limit_bytes: int) -> Any:
    """A result as a JSON value, or ``{"__not_stored__": {"type", "size", "why"}}``; never raises.

    The marker stands for what is no JSON, or more than ``limit_bytes`` of it. A result need not
    come back equal: tuples become lists, datetimes texts. ``size`` is in bytes, or None.
    """
    try:
        if (over := clip_result(value, limit_bytes)) is not value:
            return over
        if isinstance(value, GeneratorType):  # pydantic would run it, to its end if it has one
            raise NotStorable("a generator has no value of its own; return a list")
        plain = value
        if type(value) not in _PLAIN:
            plain = to_jsonable_python(value, inf_nan_mode="constants")
        size = _measured(plain)[1]
    except BaseException as error:  # a task must be able to end whatever it returns
        return _marker(value, _size_of(value), _summary(error))
    return plain if size <= limit_bytes else _over(value, size, limit_bytes)


def clip_result(value: Any, limit_bytes: int) -> Any:
    """Any object as it is, but the marker of ``pack_result`` for a longer text or bytes."""
    size = _size_of(value)
    return value if size is None or size <= limit_bytes else _over(value, size, limit_bytes)


def _over(value: Any, size: int, limit: int) -> dict[str, Any]:
    return _marker(value, size, f"{size:,} bytes are more than the {limit:,} allowed")


def _marker(value: Any, size: int | None, why: str) -> dict[str, Any]:
    return {NOT_STORED: {"type": type_name(value), "size": size, "why": why}}


def _size_of(value: Any) -> int | None:
    if type(value) is str:
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    return len(value) if type(value) in (bytes, bytearray) else None


def _summary(error: BaseException) -> str:
    if isinstance(error, NotStorable):
        return cleaned(str(error))
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
    return describe_error(error, 300)


def _shown(value: Any) -> str:
    return cleaned(reprlib.repr(value))
