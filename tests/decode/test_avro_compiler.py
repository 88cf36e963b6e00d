"""The reader made for a schema says what fastavro says, or leaves it to fastavro."""

import struct
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from decode.avro_compiler import UncommonEncodingError, compile_schema
from decode.avro_reader import PreparedSchema, prepare_schema
from schemas.contract import CONTRACTS
from schemas.record_batches import RecordKind
from tests.make.records import feedback, trace
from tests.make.wire import avro_body

UNUSUAL = (UncommonEncodingError, IndexError, UnicodeDecodeError, struct.error)
SCHEMA = {
    "type": "record",
    "name": "everything",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": 'it\'s "odd"\n', "type": "bytes"},
        {"name": "flag", "type": "boolean"},
        {"name": "small", "type": "int"},
        {"name": "large", "type": "long"},
        {"name": "single", "type": "float"},
        {"name": "double", "type": "double"},
        {"name": "choice", "type": {"type": "enum", "name": "e", "symbols": ["a", "b", "c"]}},
        {"name": "any", "type": ["null", "string", "long", "double", "boolean"]},
        {"name": "map", "type": {"type": "map", "values": ["null", "string"]}},
        {"name": "plain", "type": {"type": "map", "values": "string"}},
        {
            "name": "records",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "inner",
                    "fields": [
                        {"name": "n", "type": ["null", "long"]},
                        {"name": "names", "type": {"type": "map", "values": "string"}},
                    ],
                },
            },
        },
    ],
}
LONGS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(max_size=200)
FLOATS = st.floats(allow_nan=False, width=32)
VALUES = st.fixed_dictionaries(
    {
        "text": TEXTS,
        'it\'s "odd"\n': st.binary(max_size=200),
        "flag": st.booleans(),
        "small": st.integers(-(2**31), 2**31 - 1),
        "large": LONGS,
        "single": FLOATS,
        "double": st.floats(allow_nan=False),
        "choice": st.sampled_from("abc"),
        "any": st.one_of(st.none(), TEXTS, LONGS, st.booleans()),
        "map": st.dictionaries(TEXTS, st.one_of(st.none(), TEXTS), max_size=3),
        "plain": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "records": st.lists(
            st.fixed_dictionaries(
                {
                    "n": st.one_of(st.none(), LONGS),
                    "names": st.dictionaries(TEXTS, TEXTS, max_size=2),
                }
            ),
            max_size=3,
        ),
    }
)
PARSED = parse_schema(SCHEMA)
READ = compile_schema(SCHEMA)
LEAD = b"\x00\x00\x00\x00\x01"


def written(value: dict[str, Any]) -> bytes:
    """Return a value as fastavro writes it, behind a header."""
    out = BytesIO(LEAD)
    out.seek(len(LEAD))
    schemaless_writer(out, PARSED, value)
    return out.getvalue()


def with_care(body: bytes, schema: Any = PARSED) -> Any:
    """Return what fastavro reads; None if that is not all, or if it refuses."""
    stream = BytesIO(body)
    stream.seek(len(LEAD))
    try:
        found = schemaless_reader(stream, schema)
    except Exception:  # noqa: BLE001 - it raises whatever it stumbles over
        return None
    return found if stream.tell() == len(body) else None


@given(VALUES)
def test_what_was_written_is_read(value: dict[str, Any]) -> None:
    """Every type, in values that have the edges of each among them."""
    body = written(value)
    document, end = READ(body, len(LEAD))
    assert end == len(body)
    assert document == with_care(body)
    assert [type(v) for v in document.values()] == [type(v) for v in with_care(body).values()]


@given(VALUES, st.data())
def test_bytes_that_were_changed_are_never_read_differently(
    value: dict[str, Any], data: st.DataObject
) -> None:
    """It raises, or does not come out at the end, or says what fastavro says."""
    body = bytearray(written(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(len(LEAD), len(body) - 1))
        body[at] = data.draw(st.one_of(st.integers(0, 255), st.sampled_from([1, 127, 128, 255])))
    agrees(bytes(body[: data.draw(st.integers(len(LEAD), len(body)))]))


@given(st.binary(max_size=60))
def test_any_bytes_are_never_read_differently(body: bytes) -> None:
    """Bytes that nobody wrote are no exception."""
    agrees(LEAD + body)


def agrees(body: bytes) -> None:
    """Hold a reading against that of fastavro."""
    try:
        document, end = READ(body, len(LEAD))
    except UNUSUAL:
        return
    if end == len(body):
        assert repr(document) == repr(with_care(body))  # repr: NaN equals itself


@pytest.mark.parametrize(
    ("kind", "make"), [(RecordKind.TRACE, trace), (RecordKind.FEEDBACK, feedback)]
)
def test_the_records_of_the_contract_take_the_short_way(kind: RecordKind, make: Any) -> None:
    """Nothing of a usual record is unusual."""
    contract = CONTRACTS[kind]
    schema = prepare_schema(contract, contract.avro)
    assert isinstance(schema, PreparedSchema)
    body = LEAD + avro_body(make(3), contract.avro)
    document, end = schema.read_common(body, len(LEAD))
    assert end == len(body)
    assert document == with_care(body, schema.parsed)


def test_a_name_is_no_way_into_the_code() -> None:
    """What a schema calls its fields and symbols is text, never instructions."""
    name = "'}; raise SystemExit  # \\\n\""
    enum = {"type": "enum", "name": "e", "symbols": [name]}
    fields = [{"name": name, "type": enum}, {"name": "{v}", "type": "long"}]
    read = compile_schema({"type": "record", "name": "r", "fields": fields})
    assert read(b"\x00\x02", 0) == ({name: name, "{v}": 1}, 2)


def test_a_count_that_is_not_true_takes_no_memory() -> None:
    """A block of 2^60 items ends where the bytes do."""
    read = compile_schema({"type": "record", "name": "r", "fields": [SCHEMA["fields"][10]]})
    with pytest.raises(IndexError):
        read(b"\xfe" * 8 + b"\x7f", 0)
