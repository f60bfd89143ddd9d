"""Arguments come back equal in value and type, or are refused by name."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, PrivateAttr

from advanced_scheduler.errors import InvalidArguments
from advanced_scheduler.serialization import ArgumentCodec, from_json, to_json

if TYPE_CHECKING:
    from somewhere import Unseen  # type: ignore[import-not-found]

LIMIT = 1024 * 1024


class Colour(Enum):
    RED = "red"
    NONE = None


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Order:
    number: int
    items: tuple[str, ...] = ()
    placed: datetime | None = None
    note: Any = field(default=None, compare=False)


class Customer(BaseModel):
    name: str
    orders: list[Order] = []
    ratio: float = 0.0
    extra: Any = None


class Derived(Customer):
    more: int = 0


class Secretive(BaseModel):
    _hidden: int = PrivateAttr(default=0)


class Hostile:
    """Raises whatever is asked of it."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        raise RuntimeError("no showing")


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def codec_for(annotation: Any, default: Any = ..., limit: int = LIMIT) -> ArgumentCodec:
    """A codec of a function with one parameter ``it``."""

    def function(it: Any) -> None: ...

    def with_default(it: Any = default) -> None: ...

    chosen: Callable[..., None] = function if default is ... else with_default
    chosen.__annotations__["it"] = annotation
    return ArgumentCodec(chosen, limit_bytes=limit)


def there_and_back(codec: ArgumentCodec, value: Any) -> Any:
    """What the function gets after the arguments have been through a store's text."""
    packed = from_json(to_json(codec.pack((value,), {})))
    (by_position,), _ = codec.unpack(*packed)
    _, by_name = codec.unpack(*from_json(to_json(codec.pack((), {"it": value}))))
    assert type(by_position) is type(by_name["it"])
    return by_position


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_value_comes_back_without_an_annotation(value: Any) -> None:
    # repr tells 1 from True and from 1.0, -0.0 from 0.0, and makes NaN equal to itself
    assert repr(there_and_back(codec_for(Any), value)) == repr(value)


@given(st.lists(JSON), st.dictionaries(st.from_regex(r"[a-z]{1,9}", fullmatch=True), JSON))
def test_any_number_of_json_arguments_comes_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    def function(*args: Any, **kwargs: Any) -> None: ...

    codec = ArgumentCodec(function, limit_bytes=LIMIT)
    packed = from_json(to_json(codec.pack(tuple(args), kwargs)))
    assert repr(codec.unpack(*packed)) == repr((tuple(args), kwargs))


ANNOTATED: list[tuple[Any, Any]] = [
    (int, 5),
    (int, 10**40),
    (float, 1.5),
    (float, 1),
    (float, math.inf),
    (str, "ü\0\n"),
    (bool, True),
    (None, None),
    (int | None, None),
    (int | str, "5"),
    (tuple[int, ...], (1, 2)),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (set[tuple[int, int]], {(1, 2)}),
    (frozenset[str], frozenset("ab")),
    (deque[int], deque([1])),
    (dict[int, float], {1: math.inf}),
    (dict[str, tuple[int, ...]], {"a": (1,)}),
    (OrderedDict[str, int], OrderedDict(b=1, a=2)),
    (bytes, b"\xff\0"),
    (list[bytes], [b"\xff", b"abc"]),
    (datetime, datetime(2030, 1, 1, 12, 30, 1, 999_999, tzinfo=UTC)),
    (datetime, datetime(2030, 1, 1, 12)),  # noqa: DTZ001
    (datetime, datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    (datetime, datetime(2030, 1, 1, tzinfo=ZoneInfo("UTC"))),
    (date, date(2030, 1, 1)),
    (time, time(1, 2, 3)),
    (timedelta, timedelta(days=-1, microseconds=1)),
    (UUID, UUID(int=7)),
    (Decimal, Decimal("1.10")),
    (Path, Path("/tmp/x")),
    (ZoneInfo, ZoneInfo("Europe/Berlin")),
    (Colour, Colour.RED),
    (Colour, Colour.NONE),
    (Level, Level.LOW),
    (Word, Word.YES),
    (Literal["a", "b"], "a"),
    (complex, 1 + 2j),
    (Point, Point(1, 2)),
    (Order, Order(1, ("a",), datetime(2030, 1, 1, tzinfo=UTC))),
    (list[Order | None], [Order(1), None]),
    (Customer, Customer(name="x", orders=[Order(1)], ratio=0.5, extra=[1, {"a": None}])),
    (Secretive, Secretive()),
]


@pytest.mark.parametrize(("annotation", "value"), ANNOTATED)
def test_an_annotated_value_comes_back_equal_in_value_and_type(annotation: Any, value: Any) -> None:
    back = there_and_back(codec_for(annotation), value)
    assert type(back) is type(value)
    assert back == value


def test_a_nan_is_equal_to_itself_wherever_it_is() -> None:
    value = Customer(name="x", ratio=math.nan)
    back = there_and_back(codec_for(Customer), value)
    assert repr(back) == repr(value)
    for annotation in (Any, list[float], list[Any]):
        assert math.isnan(there_and_back(codec_for(annotation), [math.nan])[0])


@given(st.datetimes(timezones=st.just(UTC)), st.decimals(allow_nan=False, allow_infinity=False))
def test_every_moment_and_every_number_comes_back(when: datetime, much: Decimal) -> None:
    def function(when: datetime, much: Decimal) -> None: ...

    codec = ArgumentCodec(function, limit_bytes=LIMIT)
    assert codec.unpack(*codec.pack((when, much), {})) == ((when, much), {})


REFUSED: list[tuple[Any, Any, str]] = [
    (Any, (1, 2), "tuple came back as list"),
    (Any, {"a": [(1,)]}, r"\['a'\]\[0\] tuple came back as list"),
    (Any, {1: 2}, r"\[1\] int came back as str"),
    (Any, {1, 2}, "TypeError: Object of type set is not JSON serializable"),
    (Any, datetime(2030, 1, 1, tzinfo=UTC), "Object of type datetime"),
    (Any, Order(1), "Object of type Order"),
    (Any, Level.LOW, "Level came back as int"),
    (Any, Word.YES, "Word came back as str"),
    (Any, OrderedDict(a=1), "OrderedDict came back as dict"),
    (Any, b"a", "Object of type bytes"),
    (Any, Hostile(), "Object of type Hostile"),
    (object, object(), "Object of type object"),
    (int, "5", "says something else; pass exactly what the annotation int says"),
    (int, True, "the annotation says something else"),
    (int, 1.0, "the annotation says something else"),
    (int, Level.LOW, "the annotation says something else"),
    (int, None, "the annotation says something else"),
    (float, True, "the annotation says something else"),
    (int | str, 1.5, "the annotation says something else"),
    (list[float], [1], r"\[0\] int came back as float"),
    (list[int], [True], r"\[0\] bool came back as int"),
    (list[int], ["x"], "0 Input should be a valid integer"),
    (list[int], (1,), "tuple came back as list"),
    (list[Order], [{"number": 1}], r"\[0\] dict came back as .*Order"),
    (set[int], {True}, "bool came back as int"),
    (set[Any], {(1, 2)}, "should be hashable"),
    (dict[str, int], {1: 2}, "int came back as str"),
    (Customer, Derived(name="x"), "Derived came back as .*Customer"),
    (Customer, Customer(name="x", extra=(1,)), r"\['extra'\] tuple came back as list"),
    (Order, Order(1, note=(1,)), r"\['note'\] tuple came back as list"),
    (datetime, datetime(2030, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "Europe/Berlin.*to UTC"),
    (datetime, "2030-01-01T00:00:00Z", "str came back as datetime"),
    (Colour, "red", "str came back as .*Colour"),
    (bytes, "a", "base64"),
    (Callable[[], None], len, "Unable to serialize"),
    (Hostile, Hostile(), "exact type \\(.*Hostile is not usable\\)"),
]


@pytest.mark.parametrize(("annotation", "value", "words"), REFUSED)
def test_what_would_come_back_different_is_refused(annotation: Any, value: Any, words: str) -> None:
    with pytest.raises(InvalidArguments, match=words) as caught:
        codec_for(annotation).pack((value,), {})
    assert f"argument 'it' of task function '{__name__}:codec_for" in str(caught.value)


def test_private_state_that_would_be_lost_is_refused() -> None:
    value = Secretive()
    value._hidden = 1
    with pytest.raises(InvalidArguments, match="private"):
        codec_for(Secretive).pack((value,), {})


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize("annotation", [Any, list[Any], list])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (nested(10_000), "deep|depth"),
        (nested(101), "nested more than 100 levels deep"),
        (cyclic(), "[Cc]ircular"),
        ([10**5000], "digits"),
        (["\ud800"], "surrogates not allowed"),
    ],
)
def test_what_no_parser_takes_is_refused(annotation: Any, value: Any, words: str) -> None:
    with pytest.raises(InvalidArguments, match=words):
        codec_for(annotation).pack((value,), {})


@pytest.mark.parametrize("value", [10**5000, "\ud800"], ids=["huge", "surrogate"])
def test_a_plain_value_that_no_parser_takes_is_refused(value: Any) -> None:
    for annotation in (Any, type(value)):
        with pytest.raises(InvalidArguments, match=r"digits|surrogates"):
            codec_for(annotation).pack((value,), {})


def test_values_up_to_the_allowed_depth_pass() -> None:
    value: Any = nested(99)
    assert there_and_back(codec_for(Any), value) == value


def test_many_shallow_brackets_are_not_deep() -> None:
    value: list[Any] = [[]] * 500 + ["[" * 500]
    assert there_and_back(codec_for(Any), value) == value


def test_a_name_that_is_no_text_for_a_store_is_refused() -> None:
    def function(**kwargs: int) -> None: ...

    with pytest.raises(InvalidArguments, match=r"argument '\\\\ud800'"):
        ArgumentCodec(function, limit_bytes=LIMIT).pack((), {"\ud800": 1})


def test_none_fits_where_it_is_the_default() -> None:
    assert there_and_back(codec_for(int, default=None), None) is None
    assert there_and_back(codec_for(datetime, default=None), None) is None
    assert there_and_back(codec_for(Any, default=None), [1]) == [1]


def test_arguments_that_are_too_large_together_are_refused_with_both_sizes() -> None:
    def function(a: str, b: str) -> None: ...

    codec = ArgumentCodec(function, limit_bytes=1000)
    codec.pack(("x" * 400, "y" * 400), {})
    with pytest.raises(InvalidArguments, match=r"take 1,205 bytes of JSON; 1,000 are allowed"):
        codec.pack(("ü" * 300,), {"b": "y" * 600})


def test_what_was_packed_does_not_follow_the_original() -> None:
    value = [1, [2]]
    for annotation in (Any, list[Any]):
        (packed,), _ = codec_for(annotation).pack((value,), {})
        packed[1].append(3)
    assert value == [1, [2]]


def test_every_kind_of_parameter_uses_its_own_annotation() -> None:
    def function(a: date, /, b: date, *rest: date, c: date, **others: date) -> None: ...

    day = date(2030, 1, 1)
    codec = ArgumentCodec(function, limit_bytes=LIMIT)
    args, kwargs = (day,) * 4, {"c": day, "d": day, "a": day}
    packed = codec.pack(args, kwargs)
    assert packed[0][3] == packed[1]["a"] == "2030-01-01"
    assert codec.unpack(*packed) == (args, kwargs)
    with pytest.raises(InvalidArguments, match=r"argument '\*rest'"):
        codec.pack((day, day, 5), {})
    with pytest.raises(InvalidArguments, match="argument 'z'"):
        codec.pack((), {"z": 5})


def test_a_skipped_parameter_takes_no_position() -> None:
    def function(ctx: int, when: date) -> None: ...

    codec = ArgumentCodec(function, skip=frozenset({"ctx"}), limit_bytes=LIMIT)
    assert codec.pack((date(2030, 1, 1),), {}) == (("2030-01-01",), {})


def test_an_annotation_that_cannot_be_evaluated_spoils_no_other() -> None:
    def function(a: Unseen, b: date) -> None: ...

    codec = ArgumentCodec(function, limit_bytes=LIMIT)
    assert codec.unpack(*codec.pack(([1], date(2030, 1, 1)), {}))[0] == ([1], date(2030, 1, 1))
    with pytest.raises(InvalidArguments, match="'Unseen' is not usable"):
        codec.pack(((1,),), {})


def test_a_function_without_a_signature_takes_plain_json() -> None:
    class Opaque:
        __signature__ = "none"

        def __call__(self) -> None: ...

    codec = ArgumentCodec(Opaque(), limit_bytes=LIMIT)
    assert codec.pack((1, [2]), {"a": None}) == ((1, [2]), {"a": None})
    with pytest.raises(InvalidArguments, match="argument 'beyond the signature'"):
        codec.pack(((1,),), {})


def test_stored_arguments_that_no_longer_fit_are_refused_by_name() -> None:
    with pytest.raises(InvalidArguments, match=r"stored argument 'it' .* does not fit .*date"):
        codec_for(date).unpack(("tomorrow",), {})
    with pytest.raises(InvalidArguments, match="stored argument 'it'"):
        codec_for(Customer).unpack((), {"it": {"name": 1}})


def test_a_validator_that_raises_is_told_not_thrown() -> None:
    class Picky(BaseModel):
        a: int

        def model_post_init(self, _: Any) -> None:
            if self.a > 1:
                raise KeyError("picky")

    with pytest.raises(InvalidArguments, match="KeyError: 'picky'"):
        codec_for(Picky).unpack(({"a": 2},), {})


def test_json_text_is_compact_and_knows_nan() -> None:
    assert to_json({"a": [1, None, "ü"]}) == '{"a":[1,null,"ü"]}'
    assert math.isnan(from_json(to_json(math.nan)))
