"""The record types follow the Avro schemas field by field."""

import math
import sys
from typing import Any

import msgspec
import msgspec.inspect as shape
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import CONTRACTS, ContractField, FieldType
from schemas.records import (
    INT64_MAX,
    Feedback,
    LabelEvent,
    Message,
    StoredSpan,
    Trace,
)
from tests.make.records import encode_json, trace
from tests.make.strategies import records

TYPES: dict[str, type[msgspec.Struct]] = {
    "trace": Trace,
    "feedback": Feedback,
    "label_event": LabelEvent,
    "otel_span": StoredSpan,
}


def _branches(kind: shape.Type) -> tuple[list[shape.Type], bool]:
    """Return the types a field may have beside null, and whether it may be null."""
    types = list(kind.types) if isinstance(kind, shape.UnionType) else [kind]
    present = [one for one in types if not isinstance(one, shape.NoneType)]
    return present, len(present) < len(types)


def _assert_same(fields: tuple[ContractField, ...], struct: type[msgspec.Struct]) -> None:
    info = shape.type_info(struct)
    assert isinstance(info, shape.StructType)
    assert info.forbid_unknown_fields
    assert [field.name for field in info.fields] == [field.name for field in fields]
    for mine, field in zip(info.fields, fields, strict=True):
        present, nullable = _branches(mine.type)
        assert nullable == field.nullable, field.path
        assert mine.required == (not field.has_default), field.path
        _assert_type(present, field)


def _assert_type(present: list[shape.Type], field: ContractField) -> None:
    limits = field.limits
    match field.type, present:
        case FieldType.STRING, [shape.StrType() as text]:
            assert (text.min_length, text.max_length) == (limits.min_length, limits.max_length)
        case FieldType.LONG, [shape.IntType() as number]:
            assert (number.ge, number.le) == (limits.minimum, limits.maximum or INT64_MAX)
        case FieldType.DOUBLE, [shape.FloatType() as number]:
            largest = sys.float_info.max
            least = -largest if limits.minimum is None else limits.minimum
            most = largest if limits.maximum is None else limits.maximum
            assert (number.ge, number.le) == (least, most)
        case FieldType.TIMESTAMP, [shape.IntType() as micros, shape.DateTimeType() as moment]:
            assert (micros.ge, micros.le) == (limits.minimum, limits.maximum)
            assert moment.tz is True
        case FieldType.ENUM, [shape.LiteralType() as literal]:
            assert set(literal.values) == set(field.symbols)
        case FieldType.MAP, [shape.DictType() as mapping]:
            assert isinstance(mapping.key_type, shape.StrType)
            assert isinstance(mapping.value_type, shape.StrType)
        case FieldType.RECORDS, [shape.ListType() as items]:
            assert isinstance(items.item_type, shape.StructType)
            assert items.item_type.cls.__name__ == field.record
            _assert_same(field.fields, items.item_type.cls)
        case _:
            pytest.fail(f"{field.path} is {field.type} in the contract, {present} in the record")


@pytest.mark.parametrize("name", TYPES)
def test_record_types_equal_the_contract(name: str) -> None:
    """Names, order, types, nullability, limits and enumerations are those of the avsc."""
    _assert_same(CONTRACTS[name].fields, TYPES[name])


@pytest.mark.parametrize("name", TYPES)
def test_defaults_equal_the_contract(name: str) -> None:
    """A field that is left out has the default that Avro would give it."""

    def compare(avsc: Any, struct: type[msgspec.Struct]) -> None:
        for mine, written in zip(msgspec.structs.fields(struct), avsc["fields"], strict=True):
            if "default" not in written:
                continue
            made = mine.default_factory is not msgspec.NODEFAULT
            default = mine.default_factory() if made else mine.default
            assert default == written["default"], written["name"]

    compare(CONTRACTS[name].avro, TYPES[name])


@given(st.one_of([st.tuples(st.just(name), records(name)) for name in TYPES]))
def test_every_valid_record_is_accepted(given_record: tuple[str, dict[str, Any]]) -> None:
    """What the contract allows, the record type takes and gives back unchanged."""
    name, record = given_record
    _assert_holds(msgspec.to_builtins(msgspec.convert(record, TYPES[name])), record)


def _assert_holds(made: Any, given: Any) -> None:
    """Everything given stands in what was made; what was left out has its default there."""
    if isinstance(given, dict):
        for key, value in given.items():
            _assert_holds(made[key], value)
    elif isinstance(given, list):
        assert len(made) == len(given)
        for one, other in zip(made, given, strict=True):
            _assert_holds(one, other)
    else:
        assert made == given


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    """NaN and infinity pass no number of a trace, whatever its range."""
    for broken in (
        trace(1, cost_usd=value),
        trace(1, latency_ms=value),
        trace(1, retrieved=[{"document_id": "d", "score": value}]),
    ):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(broken, Trace)


def test_two_records_share_no_default() -> None:
    """Lists and maps that were left out are new for each record."""
    first, second = (msgspec.convert(trace(1, attributes=...), Trace) for _ in range(2))
    first.attributes["a"] = "b"
    first.messages.append(Message(role="user"))
    assert second.attributes == {}
    assert len(second.messages) == len(first.messages) - 1


def test_a_record_does_not_show_its_content() -> None:
    """The representation of a record names its type alone, in a log or a traceback."""
    made = msgspec.json.decode(encode_json(trace(1)), type=Trace)
    assert repr(made) == "Trace(...)"
    assert repr(made.messages) == "[" + ", ".join(["Message(...)"] * len(made.messages)) + "]"
