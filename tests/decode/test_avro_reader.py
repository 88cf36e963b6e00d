"""Avro of producers with schemas of their own: read where it can be, refused where it cannot."""

import copy
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from decode.avro_reader import AvroReader, PreparedSchema, prepare_schema
from decode.refusal import Refusal
from decode.schema_sources import MissingSchema
from schemas.contract import CONTRACTS, Avsc, parse_contract, schema_fingerprint
from schemas.reasons import QuarantineReason
from schemas.record_batches import RecordKind
from schemas.records import Trace
from tests.make.records import trace
from tests.make.wire import avro_body, framed, zigzag
from tests.short_versions import short

CONTRACT = CONTRACTS[RecordKind.TRACE]
HEADER = b"\x00\x00\x00\x00\x07"


class OneSchema:
    """A source that answers with one schema, whatever it is asked for."""

    def __init__(self, answer: Avsc | MissingSchema) -> None:
        self.answer = answer
        self.asked = 0

    def by_id(self, schema_id: int) -> Avsc | MissingSchema:  # noqa: ARG002
        """Return the schema."""
        self.asked += 1
        return self.answer

    def by_fingerprint(self, fingerprint: str) -> Avsc | MissingSchema:  # noqa: ARG002
        """Return the schema."""
        return self.by_id(0)


def _read(value: bytes, avsc: Avsc, contract: Any = CONTRACT) -> Trace | Refusal:
    answer = AvroReader(contract, Trace, OneSchema(avsc)).read_framed(value)
    if isinstance(answer, Refusal):
        return answer
    record, fingerprint = answer
    assert fingerprint == schema_fingerprint(avsc)
    return record


def _refused(value: bytes, avsc: Avsc = CONTRACT.avro) -> tuple[QuarantineReason, str | None]:
    answer = _read(value, avsc)
    assert isinstance(answer, Refusal)
    return answer.reason, answer.field


def _writer(change: Callable[[Any], object]) -> Any:
    avsc = copy.deepcopy(CONTRACT.avro)
    change(avsc)
    return avsc


def _field(avsc: Any, name: str) -> Any:
    return next(field for field in avsc["fields"] if field["name"] == name)


def _remove(avsc: Any, *names: str) -> None:
    avsc["fields"] = [field for field in avsc["fields"] if field["name"] not in names]


def _retype(avsc: Any, name: str, kind: Any) -> None:
    field = _field(avsc, name)
    field.pop("default", None)
    field["type"] = kind


def _retype_all(avsc: Any, **kinds: str) -> None:
    for name, kind in kinds.items():
        _retype(avsc, name, kind)


def _message(avsc: Any) -> Any:
    return _field(avsc, "messages")["type"]["items"]


READABLE: dict[str, tuple[Callable[[Any], object], dict[str, Any], dict[str, Any]]] = {
    "fields with a default left out": (
        lambda avsc: _remove(avsc, "environment", "messages", "segments", "response"),
        {},
        {"environment": "production", "messages": [], "segments": {}, "response": None},
    ),
    "int for long, float for double": (
        lambda avsc: _retype_all(avsc, input_tokens="int", cost_usd="float"),
        {"cost_usd": 0.5},
        {"cost_usd": 0.5},
    ),
    "long for double": (
        lambda avsc: _retype(avsc, "latency_ms", "long"),
        {"latency_ms": 12},
        {"latency_ms": 12.0},
    ),
    "bytes for text": (
        lambda avsc: _field(avsc, "app").update(type="bytes"),
        {"app": "é".encode()},
        {"app": "é"},
    ),
    "wider union, but the value fits": (
        lambda avsc: _field(avsc, "app").update(type=["long", "null", "string"]),
        {},
        {"app": "airline-support"},
    ),
    "an enumeration with one value more": (
        lambda avsc: _field(avsc, "status")["type"]["symbols"].insert(0, "cancelled"),
        {},
        {"status": "ok"},
    ),
    "another order, name and namespace": (
        lambda avsc: (avsc["fields"].reverse(), avsc.update(name="Call", namespace="com.example")),
        {},
        {},
    ),
    "a time without logical type": (
        lambda avsc: _field(avsc, "started_at").update(type="long"),
        {},
        {},
    ),
    "text with a logical type": (
        lambda avsc: _field(avsc, "trace_id").update(
            type={"type": "string", "logicalType": "uuid", "avro.java.string": "String"}
        ),
        {},
        {},
    ),
}


@pytest.mark.parametrize("name", READABLE)
def test_another_schema_that_fits_is_read(name: str) -> None:
    """Defaults are filled in, numbers promoted, names of records and order do not matter."""
    change, given, expected = READABLE[name]
    avsc = _writer(change)
    record = trace(1, **given)
    made = _read(framed(record, avsc, 7), avsc)
    assert isinstance(made, Trace)
    assert made.trace_id == "trace-1"
    assert made.started_at == record["started_at"]
    for field, value in expected.items():
        assert getattr(made, field) == value


def test_a_named_type_may_be_referred_to() -> None:
    """A record defined once and named the second time is the same record."""
    call = {"type": "record", "name": "Shared", "fields": []}

    def change(avsc: Any) -> None:
        nested = _field(_message(avsc), "tool_calls")["type"]
        call["fields"] = nested["items"]["fields"]
        nested["items"] = call
        _field(avsc, "tool_calls")["type"] = {"type": "array", "items": "goldpan.Shared"}

    avsc = _writer(change)
    tools = [{"id": "1", "name": "n", "arguments": "{}"}]
    made = _read(framed(trace(1, tool_calls=tools), avsc, 7), avsc)
    assert isinstance(made, Trace)
    assert [call.id for call in made.tool_calls] == ["1"]


def test_an_alias_of_the_contract_is_read_under_its_name() -> None:
    """A producer may call a field as an alias of the contract does."""
    current = copy.deepcopy(CONTRACT.avro)
    _field(current, "app")["aliases"] = ["application"]
    contract = parse_contract("trace", current)
    avsc = _writer(lambda avsc: _field(avsc, "app").update(name="application"))
    record = trace(1, app=..., application="billing")
    made = _read(framed(record, avsc, 7), avsc, contract)
    assert isinstance(made, Trace)
    assert made.app == "billing"
    assert _refused(framed(record, avsc, 7), avsc) == (
        QuarantineReason.UNKNOWN_FIELD,
        "application",
    )


UNREADABLE: dict[str, tuple[Callable[[Any], object], QuarantineReason, str | None]] = {
    "unknown field": (
        lambda avsc: avsc["fields"].append({"name": "email", "type": "string"}),
        QuarantineReason.UNKNOWN_FIELD,
        "email",
    ),
    "unknown field in a list": (
        lambda avsc: _message(avsc)["fields"].append({"name": "email", "type": "string"}),
        QuarantineReason.UNKNOWN_FIELD,
        "messages[].email",
    ),
    "required field left out": (
        lambda avsc: _remove(avsc, "app"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "app",
    ),
    "required field of a list left out": (
        lambda avsc: _remove(_message(avsc), "role"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "messages[].role",
    ),
    "milliseconds": (
        lambda avsc: _field(avsc, "started_at")["type"].update(logicalType="timestamp-millis"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "started_at",
    ),
    "local time": (
        lambda avsc: _field(avsc, "started_at")["type"].update(
            logicalType="local-timestamp-micros"
        ),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "started_at",
    ),
    "text for a number": (
        lambda avsc: _retype(avsc, "latency_ms", "string"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "latency_ms",
    ),
    "a list of nothing": (
        lambda avsc: _field(avsc, "messages").update(type={"type": "array", "items": "null"}),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "messages",
    ),
    "a list of nothing beside text": (
        lambda avsc: _field(avsc, "response").update(
            type=["string", {"type": "array", "items": "null"}]
        ),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "response",
    ),
    "a map of numbers": (
        lambda avsc: _field(avsc, "segments").update(type={"type": "map", "values": "long"}),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "segments",
    ),
    "a type that is not defined": (
        lambda avsc: _field(avsc, "app").update(type="Nowhere"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        "app",
    ),
    "fields that are no list": (
        lambda avsc: avsc.update(fields={}),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        None,
    ),
    "symbols that are none": (
        lambda avsc: _field(avsc, "status")["type"].update(symbols=[1, {}]),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        None,
    ),
    "no record": (
        lambda avsc: avsc.update(type="enum"),
        QuarantineReason.INCOMPATIBLE_SCHEMA,
        None,
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_schema_that_does_not_fit_is_refused_before_reading(name: str) -> None:
    """Field and rule come out of the schema alone; no byte of the record is looked at."""
    change, reason, field = UNREADABLE[name]
    answer = prepare_schema(CONTRACT, _writer(change))
    assert isinstance(answer, Refusal)
    assert (answer.reason, answer.field) == (reason, field), answer.detail
    assert field is None or f"`{field}`" in answer.detail


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        (
            lambda avsc: _null_items(avsc, "messages"),
            "messages",
            "`messages`: has items of several types, or such as may be null",
        ),
        (
            lambda avsc: _null_items(avsc, "retrieved"),
            "retrieved",
            "`retrieved`: has items of several types, or such as may be null",
        ),
        (
            lambda avsc: _set_type(avsc, "started_at", "string"),
            "started_at",
            "`started_at`: has another type than a long of timestamp-micros",
        ),
        (
            lambda avsc: _set_type(avsc, "started_at", "not.defined.Here"),
            "started_at",
            "`started_at`: refers to a type that it does not define",
        ),
        (
            lambda avsc: _set_type(avsc, "segments", {"type": "map", "values": ["null", []]}),
            "segments",
            "`segments`: has items of several types",
        ),
    ],
)
def test_what_does_not_fit_is_named(change: Callable[[Any], object], field: str, says: str) -> None:
    """With the field, and with what Avro would have to say there."""
    answer = _read(b"\0\0\0\0\0", _writer(change))
    assert isinstance(answer, Refusal)
    assert answer.field == field
    assert says in answer.detail


def _set_type(avsc: Any, name: str, kind: Any) -> None:
    next(field for field in avsc["fields"] if field["name"] == name)["type"] = kind


def _null_items(avsc: Any, name: str) -> None:
    field = next(field for field in avsc["fields"] if field["name"] == name)
    field["type"] = {"type": "array", "items": ["null", field["type"]["items"]]}


def test_a_record_that_refers_to_itself_is_refused() -> None:
    """A schema may nest without end; the contract does not, so nothing can be nested deep."""
    avsc = _writer(
        lambda avsc: _field(_message(avsc), "tool_calls").update(
            type={"type": "array", "items": "Message"}
        )
    )
    answer = prepare_schema(CONTRACT, avsc)
    assert isinstance(answer, Refusal)
    assert answer.reason is QuarantineReason.UNKNOWN_FIELD


@pytest.mark.parametrize(
    "avsc", ["string", [], 5, None, {"type": "record"}, {"type": {"type": "record"}}]
)
def test_what_is_no_schema_is_refused(avsc: Any) -> None:
    """Whatever a registry gives out, the answer is a refusal."""
    assert isinstance(prepare_schema(CONTRACT, avsc), Refusal)


def test_a_union_that_is_too_wide_costs_only_the_records_that_use_it() -> None:
    """With null allowed for a required field, the record with null names the field."""
    avsc = _writer(lambda avsc: _field(avsc, "app").update(type=["null", "string"]))
    assert isinstance(_read(framed(trace(1), avsc, 7), avsc), Trace)
    assert _refused(framed(trace(1, app=None), avsc, 7), avsc) == (
        QuarantineReason.WRONG_TYPE,
        "app",
    )


def test_a_value_that_an_enumeration_does_not_have() -> None:
    """A value of the writer's enumeration that the contract lacks names the field only."""
    avsc = _writer(lambda avsc: _field(avsc, "status")["type"]["symbols"].append("cancelled"))
    assert _refused(framed(trace(1, status="cancelled"), avsc, 7), avsc) == (
        QuarantineReason.OUT_OF_RANGE,
        "status",
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    """Avro can hold NaN and infinity in any double, also within a list."""
    found = [{"document_id": "a"}, {"document_id": "b", "score": value}]
    for record, field in (
        (trace(1, cost_usd=value), "cost_usd"),
        (trace(1, latency_ms=value), "latency_ms"),
        (trace(1, retrieved=found), "retrieved[].score"),
    ):
        assert _refused(framed(record, CONTRACT.avro, 7)) == (QuarantineReason.NOT_FINITE, field)


@pytest.mark.parametrize("size", short([200, 900], [200]))
def test_every_cut_is_noticed(size: int) -> None:
    """A record that ends early is never taken for a whole one, wherever it was cut."""
    whole = framed(trace(1, size=size), CONTRACT.avro, 7)
    reader = AvroReader(CONTRACT, Trace, OneSchema(CONTRACT.avro))
    for end in range(len(HEADER), len(whole)):
        answer = reader.read_framed(whole[:end])
        assert isinstance(answer, Refusal), end
        assert answer.reason is QuarantineReason.TRUNCATED, end


def test_bytes_after_the_record_are_noticed() -> None:
    """Nothing may follow, or two records would be taken for one."""
    whole = framed(trace(1), CONTRACT.avro, 7)
    assert _refused(whole + b"\x00") == (QuarantineReason.TRAILING_BYTES, None)
    assert _refused(whole * 2) == (QuarantineReason.TRAILING_BYTES, None)


def test_text_that_is_not_unicode_is_refused() -> None:
    """Broken UTF-8 and halves of surrogate pairs do not get through Avro either."""
    whole = framed(trace(1, app="lone"), CONTRACT.avro, 7)
    for broken in (b"\x08\xff\xfe\xfd\xfc", b"\x08a\xed\xa0\x80"):
        assert _refused(whole.replace(b"\x08lone", broken)) == (QuarantineReason.BAD_TEXT, None)


MESSAGES_ONLY: Any = {
    "type": "record",
    "name": "Trace",
    "fields": [
        *({"name": name, "type": "string"} for name in ("trace_id", "app", "status")),
        {"name": "started_at", "type": "long"},
        {
            "name": "messages",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Message",
                    "fields": [{"name": "role", "type": "string"}],
                },
            },
        },
        {"name": "segments", "type": {"type": "map", "values": "string"}},
    ],
}
START = avro_body(
    {
        "trace_id": "t",
        "app": "a",
        "status": "ok",
        "started_at": 1_793_491_200_000_000,
        "messages": [],
        "segments": {},
    },
    MESSAGES_ONLY,
)[:-2]


@pytest.mark.parametrize(
    "rest",
    [
        zigzag(2**60) + b"\x02a" * 1000,
        zigzag(-(2**60)) + zigzag(5) + b"\x02a" * 1000,
        zigzag(1) + zigzag(2**50) + b"a",
        zigzag(1) + zigzag(-5) + b"a" * 100,
        zigzag(0) + zigzag(2**62) + b"\x02a\x02b" * 1000,
        zigzag(1) + zigzag(2**63 - 1),
        b"\xff" * 100,
        b"\x01" * 100_000,
    ],
)
def test_declared_lengths_are_not_believed(rest: bytes) -> None:
    """A count of 2^60 or a length of 2^50 neither takes memory nor time."""
    tracemalloc.start()
    try:
        reason, _ = _refused(HEADER + START + rest, MESSAGES_ONLY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reason in {QuarantineReason.TRUNCATED, QuarantineReason.MALFORMED}
    assert peak < 20_000_000


def test_a_schema_is_looked_up_once_unless_it_is_missing() -> None:
    """What was found is kept; what was not may have been registered in the meantime."""
    source = OneSchema(MissingSchema.UNKNOWN)
    reader = AvroReader(CONTRACT, Trace, source)
    value = framed(trace(1), CONTRACT.avro, 7)
    refusal = reader.read_framed(value)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is QuarantineReason.UNKNOWN_SCHEMA
    assert "7" in refusal.detail
    source.answer = CONTRACT.avro
    for _ in range(3):
        assert not isinstance(reader.read_framed(value), Refusal)
    assert source.asked == 2


def test_a_schema_of_another_kind_is_refused() -> None:
    """A registry may hold JSON Schema or Protobuf under an id: those records are set aside."""
    refusal = AvroReader(CONTRACT, Trace, OneSchema(MissingSchema.NOT_AVRO)).read_framed(
        HEADER + b"{}"
    )
    assert isinstance(refusal, Refusal)
    assert refusal.reason is QuarantineReason.INCOMPATIBLE_SCHEMA


def test_a_schema_that_fits_is_prepared() -> None:
    """The fingerprint is that of the schema as the producer has it."""
    ready = prepare_schema(CONTRACT, CONTRACT.avro)
    assert isinstance(ready, PreparedSchema)
    assert ready.fingerprint == CONTRACT.fingerprint
