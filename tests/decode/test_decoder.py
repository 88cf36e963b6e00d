"""Whatever comes is either decoded or set aside with a reason, and the reason says no content."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from decode.decoder import Decoder
from decode.schema_sources import FolderSource
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import SENT_KINDS, DecodedBatch, RawRecord, RecordKind, RejectedRecord
from schemas.records import Feedback, Trace
from tests.make.records import LARGE, STARTED_AT, encode_json, feedback, trace
from tests.make.strategies import records
from tests.make.wire import framed, single_object

TYPES = {RecordKind.TRACE: Trace, RecordKind.FEEDBACK: Feedback}
LIMIT = 1_000_000
SECRET = "Zq7XwKp9Rv"
"""Stands for personal data wherever a test plants it; its pieces occur nowhere else."""


class IdSource(FolderSource):
    """Knows the current contracts by an id as well: 1 for traces, 2 for feedback."""

    def by_id(self, schema_id: int) -> Any:
        """Return the contract's schema."""
        names = {1: "trace", 2: "feedback"}
        return CONTRACTS[names[schema_id]].avro if schema_id in names else super().by_id(schema_id)


SCHEMA_IDS = {RecordKind.TRACE: 1, RecordKind.FEEDBACK: 2}
DECODERS = {kind: Decoder(kind, IdSource(), max_record_bytes=LIMIT) for kind in (TYPES)}


def _decode(
    *values: bytes | None, kind: RecordKind = RecordKind.TRACE
) -> tuple[DecodedBatch[Any], list[RejectedRecord]]:
    raws = [RawRecord(i % 2, 10 + i, -1, b"key", value) for i, value in enumerate(values)]
    return DECODERS[kind].decode("a.topic", raws)


def _reject(value: bytes | None, kind: RecordKind = RecordKind.TRACE) -> RejectedRecord:
    decoded, rejected = _decode(value, kind=kind)
    assert len(decoded) == 0
    assert len(rejected) == 1
    return rejected[0]


def _dumps(record: dict[str, Any]) -> bytes:
    """Write JSON as a careless producer does: NaN and lone surrogates get through."""
    return json.dumps(record).encode()


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


KINDS = st.sampled_from(list(SENT_KINDS))


@given(KINDS.flatmap(lambda kind: st.tuples(st.just(kind), records(kind))))
def test_a_record_is_the_same_in_every_format(drawn: tuple[RecordKind, dict[str, Any]]) -> None:
    """Any valid record, written in each of the three formats, is decoded to the same record."""
    kind, record = drawn
    avsc = CONTRACTS[kind].avro
    expected = msgspec.convert(record, TYPES[kind])
    decoded, rejected = _decode(
        encode_json(record),
        json.dumps(record, indent=1).encode(),
        framed(record, avsc, SCHEMA_IDS[kind]),
        single_object(record, avsc),
        kind=kind,
    )
    assert rejected == []
    assert decoded.records == [expected] * 4
    assert decoded.schema_ids == [CONTRACTS[kind].fingerprint] * 4


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-01T00:00:01.25Z",
        "2026-11-01T01:00:01.250+01:00",
        "2026-10-31T17:30:01.250000-06:30",
        STARTED_AT + 1_250_000,
    ],
)
def test_times_come_out_as_microseconds(written: str | int) -> None:
    """RFC 3339 with any zone, and microseconds as a number, name the same moment."""
    decoded, _ = _decode(encode_json(trace(1, started_at=written)))
    assert decoded.records[0].started_at == STARTED_AT + 1_250_000
    decoded, _ = _decode(encode_json(feedback(1, occurred_at=written)), kind=RecordKind.FEEDBACK)
    assert decoded.records[0].occurred_at == STARTED_AT + 1_250_000


@pytest.mark.parametrize("before", [b"", b" \r\n\t", b"\xef\xbb\xbf", b"\xef\xbb\xbf  "])
def test_json_may_begin_with_a_mark_and_white_space(before: bytes) -> None:
    """A byte order mark and white space before the object do no harm."""
    decoded, _ = _decode(before + encode_json(trace(1, size=LARGE)) + b"\n")
    assert decoded.records[0].trace_id == "trace-1"


@given(st.lists(st.booleans(), max_size=30))
def test_rows_stay_aligned_and_in_order(good: list[bool]) -> None:
    """Bad records among good ones move no coordinate to another row."""
    values = [encode_json(trace(i)) if fine else b"?" for i, fine in enumerate(good)]
    decoded, rejected = _decode(*values)
    kept = [i for i, fine in enumerate(good) if fine]
    assert [record.trace_id for record in decoded.records] == [f"trace-{i}" for i in kept]
    assert decoded.offsets == [10 + i for i in kept]
    assert decoded.partitions == [i % 2 for i in kept]
    assert [raw.value for raw in decoded.raws] == [values[i] for i in kept]
    assert len(decoded.schema_ids) == len(kept)
    assert [one.raw.offset for one in rejected] == [
        10 + i for i, fine in enumerate(good) if not fine
    ]
    assert all(one.topic == "a.topic" for one in rejected)


BAD_VALUES: dict[str, tuple[bytes | None, QuarantineReason, str | None]] = {
    "null": (None, QuarantineReason.TOMBSTONE, None),
    "no bytes": (b"", QuarantineReason.EMPTY, None),
    "white space": (b" \n ", QuarantineReason.EMPTY, None),
    "only a byte order mark": (b"\xef\xbb\xbf", QuarantineReason.EMPTY, None),
    "too large": (b"{" + b" " * LIMIT, QuarantineReason.TOO_LARGE, None),
    "text": (b"hello there", QuarantineReason.NOT_JSON, None),
    "text in another script": ("Привет".encode(), QuarantineReason.NOT_JSON, None),
    "compressed": (b"\x1f\x8b\x08\x00abc", QuarantineReason.UNKNOWN_FORMAT, None),
    "UTF-16": ('{"a":1}'.encode("utf-16"), QuarantineReason.UNKNOWN_FORMAT, None),
    "JSON list": (b"[1, 2]", QuarantineReason.NOT_AN_OBJECT, None),
    "JSON text": (b'"text"', QuarantineReason.NOT_AN_OBJECT, None),
    "JSON null": (b"null", QuarantineReason.NOT_AN_OBJECT, None),
    "JSON number": (b"17", QuarantineReason.NOT_AN_OBJECT, None),
    "NaN alone": (b"NaN", QuarantineReason.NOT_JSON, None),
    "single quotes": (b"{'trace_id': 'x'}", QuarantineReason.NOT_JSON, None),
    "comment": (b'{"trace_id": "x", // why\n}', QuarantineReason.NOT_JSON, None),
    "control character": (b'{"trace_id": "a\nb"}', QuarantineReason.NOT_JSON, None),
    "JSON cut short": (encode_json(trace(1))[:-9], QuarantineReason.TRUNCATED, None),
    "two objects": (encode_json(trace(1)) * 2, QuarantineReason.TRAILING_BYTES, None),
    "empty object": (b"{}", QuarantineReason.MISSING_FIELD, "trace_id"),
    "another shape": (b'{"event": "login"}', QuarantineReason.UNKNOWN_FIELD, None),
    "deep list": (_nested(400_000), QuarantineReason.NOT_AN_OBJECT, None),
    "deep field": (
        b'{"messages":' + _nested(100_000) + b"}",
        QuarantineReason.WRONG_TYPE,
        "messages",
    ),
    "deep text": (b'{"app":' + _nested(100_000) + b"}", QuarantineReason.WRONG_TYPE, "app"),
    "deep map": (b'{"attributes":' + b'{"a":' * 100_000, QuarantineReason.WRONG_TYPE, "attributes"),
    "deep and never closed": (
        b'{"nan": NaN, "a":' + b"[" * 100_000,
        QuarantineReason.UNKNOWN_FIELD,
        None,
    ),
    "deep behind a broken text": (
        b'{"app": "\xed\xa0\x80", "b":' + _nested(100_000) + b"}",
        QuarantineReason.TOO_DEEP,
        None,
    ),
    "broken UTF-8": (
        encode_json(trace(1)).replace(b"airline-support", b"air\xffline"),
        QuarantineReason.BAD_TEXT,
        "app",
    ),
    "broken UTF-8 and broken JSON": (b'{"app": "\xff', QuarantineReason.BAD_TEXT, None),
    "surrogate as UTF-8": (
        encode_json(trace(1)).replace(b"airline-support", b"\xed\xa0\x80"),
        QuarantineReason.BAD_TEXT,
        "app",
    ),
    "NaN": (_dumps(trace(1, cost_usd=float("nan"))), QuarantineReason.NOT_FINITE, "cost_usd"),
    "minus infinity": (
        _dumps(trace(1, cost_usd=float("-inf"))),
        QuarantineReason.NOT_FINITE,
        "cost_usd",
    ),
    "NaN in a list": (
        _dumps(trace(1, retrieved=[{"document_id": "d", "score": float("nan")}])),
        QuarantineReason.NOT_FINITE,
        "retrieved[].score",
    ),
    "number too large": (
        encode_json(trace(1, cost_usd=...))[:-1] + b',"cost_usd":1e999}',
        QuarantineReason.OUT_OF_RANGE,
        "cost_usd",
    ),
    "number too large for a text": (
        b'{"app":1e999}',
        QuarantineReason.WRONG_TYPE,
        "app",
    ),
    "number too large for an object": (
        b'{"messages":[1e999]}',
        QuarantineReason.WRONG_TYPE,
        "messages",
    ),
    "number too large for a record": (b"1e999", QuarantineReason.NOT_AN_OBJECT, None),
    "a million digits": (
        encode_json(trace(1, cost_usd=...))[:-1] + b',"cost_usd":' + b"9" * 900_000 + b"}",
        QuarantineReason.OUT_OF_RANGE,
        "cost_usd",
    ),
    "frame of three bytes": (b"\x00\x00\x01", QuarantineReason.TRUNCATED, None),
    "header of nine bytes": (b"\xc3\x01" + b"\x00" * 7, QuarantineReason.TRUNCATED, None),
    "unknown id": (b"\x00\x00\x00\x03\xe7abc", QuarantineReason.UNKNOWN_SCHEMA, None),
    "unknown fingerprint": (b"\xc3\x01" + b"\x07" * 8, QuarantineReason.UNKNOWN_SCHEMA, None),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_a_bad_value_has_its_reason(name: str) -> None:
    """Each kind of bad input is set aside under its own reason, and the sentence is a sentence."""
    value, reason, field = BAD_VALUES[name]
    rejected = _reject(value)
    assert (rejected.reason, rejected.field) == (reason, field), rejected.detail
    assert rejected.detail.endswith(".")
    assert rejected.raw.value is value


BAD_TRACES: dict[str, tuple[dict[str, Any], QuarantineReason, str | None]] = {
    "text for a number": ({"latency_ms": "5"}, QuarantineReason.WRONG_TYPE, "latency_ms"),
    "fraction for a count": ({"input_tokens": 1.5}, QuarantineReason.WRONG_TYPE, "input_tokens"),
    "number for text": ({"app": 5}, QuarantineReason.WRONG_TYPE, "app"),
    "null for text": ({"app": None}, QuarantineReason.WRONG_TYPE, "app"),
    "null for a list": ({"messages": None}, QuarantineReason.WRONG_TYPE, "messages"),
    "object for a list": ({"messages": {}}, QuarantineReason.WRONG_TYPE, "messages"),
    "text for an object": ({"messages": ["hi"]}, QuarantineReason.WRONG_TYPE, "messages"),
    "parts for text": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        QuarantineReason.WRONG_TYPE,
        "messages[].content",
    ),
    "object for text in a call": (
        {"messages": [{"role": "a", "tool_calls": [{"id": "1", "name": "n", "arguments": {}}]}]},
        QuarantineReason.WRONG_TYPE,
        "messages[].tool_calls[].arguments",
    ),
    "number in a map": ({"segments": {"a": 1}}, QuarantineReason.WRONG_TYPE, "segments"),
    "list for a map": ({"segments": []}, QuarantineReason.WRONG_TYPE, "segments"),
    "missing": ({"app": ...}, QuarantineReason.MISSING_FIELD, "app"),
    "missing in a list": ({"messages": [{}]}, QuarantineReason.MISSING_FIELD, "messages[].role"),
    "unknown": ({"e_mail": "x"}, QuarantineReason.UNKNOWN_FIELD, None),
    "unknown in a list": (
        {"messages": [{"role": "a", "x": 1}]},
        QuarantineReason.UNKNOWN_FIELD,
        "messages",
    ),
    "unknown value": ({"status": "OK"}, QuarantineReason.OUT_OF_RANGE, "status"),
    "negative time": ({"latency_ms": -0.5}, QuarantineReason.OUT_OF_RANGE, "latency_ms"),
    "negative tokens": ({"output_tokens": -1}, QuarantineReason.OUT_OF_RANGE, "output_tokens"),
    "tokens of 64 bits": ({"output_tokens": 2**63}, QuarantineReason.OUT_OF_RANGE, "output_tokens"),
    "negative cost": ({"cost_usd": -1e-9}, QuarantineReason.OUT_OF_RANGE, "cost_usd"),
    "empty id": ({"trace_id": ""}, QuarantineReason.OUT_OF_RANGE, "trace_id"),
    "long id": ({"session_id": "x" * 513}, QuarantineReason.OUT_OF_RANGE, "session_id"),
    "seconds for microseconds": (
        {"started_at": 1_793_491_200},
        QuarantineReason.OUT_OF_RANGE,
        "started_at",
    ),
    "before 2000": (
        {"started_at": "1999-12-31T23:59:59Z"},
        QuarantineReason.OUT_OF_RANGE,
        "started_at",
    ),
    "2100": ({"started_at": "2100-01-01T00:00:00Z"}, QuarantineReason.OUT_OF_RANGE, "started_at"),
    "year 1, east": (
        {"started_at": "0001-01-01T00:00:00+14:00"},
        QuarantineReason.OUT_OF_RANGE,
        "started_at",
    ),
    "year 9999, west": (
        {"started_at": "9999-12-31T23:59:59-14:00"},
        QuarantineReason.OUT_OF_RANGE,
        "started_at",
    ),
    "time without zone": (
        {"started_at": "2026-11-01T00:00:00"},
        QuarantineReason.WRONG_TYPE,
        "started_at",
    ),
    "no such day": (
        {"started_at": "2026-02-30T00:00:00Z"},
        QuarantineReason.WRONG_TYPE,
        "started_at",
    ),
    "date": ({"started_at": "2026-11-01"}, QuarantineReason.WRONG_TYPE, "started_at"),
    "time as fraction": ({"started_at": 1.5e15}, QuarantineReason.WRONG_TYPE, "started_at"),
    "time as true": ({"started_at": True}, QuarantineReason.WRONG_TYPE, "started_at"),
}


@pytest.mark.parametrize("name", BAD_TRACES)
def test_a_trace_that_breaks_the_contract_names_field_and_rule(name: str) -> None:
    """The field is a path of the contract, and the sentence names it."""
    change, reason, field = BAD_TRACES[name]
    rejected = _reject(encode_json(trace(1, **change)))
    assert (rejected.reason, rejected.field) == (reason, field), rejected.detail
    assert field is None or field.rpartition(".")[2] in rejected.detail
    assert rejected.schema_id in (None, CONTRACTS["trace"].fingerprint)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "thumbs", "value": 0.5}, "value"),
        ({"kind": "thumbs", "value": 2}, "value"),
        ({"kind": "rating", "value": 1.01}, "value"),
        ({"kind": "rating", "value": -1}, "value"),
        ({"kind": "like"}, "kind"),
        ({"actor": "robot"}, "actor"),
        ({"occurred_at": "2100-01-01T00:00:00Z"}, "occurred_at"),
        ({"feedback_id": ""}, "feedback_id"),
    ],
)
def test_feedback_that_breaks_the_contract(change: dict[str, Any], field: str) -> None:
    """The value of thumbs is -1, 0 or +1, that of a rating from 0 to 1; the rest as for traces."""
    rejected = _reject(encode_json(feedback(1, **change)), RecordKind.FEEDBACK)
    assert (rejected.reason, rejected.field) == (QuarantineReason.OUT_OF_RANGE, field)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "thumbs", "value": -1},
        {"kind": "thumbs", "value": 0},
        {"kind": "thumbs", "value": ...},
        {"kind": "rating", "value": 1},
        {"kind": "custom", "value": 1e6},
        {"kind": "copy", "value": None},
    ],
)
def test_feedback_values_that_are_allowed(change: dict[str, Any]) -> None:
    """Only thumbs and ratings have a scale of their own."""
    decoded, rejected = _decode(encode_json(feedback(1, **change)), kind=RecordKind.FEEDBACK)
    assert (len(decoded), rejected) == (1, [])


def _shown(rejected: RejectedRecord) -> str:
    """Everything of a rejection that is stored or logged."""
    return f"{rejected!r} {rejected.detail} {rejected.field} {rejected.schema_id}"


def _assert_silent(rejected: RejectedRecord, secret: str = SECRET) -> None:
    shown = _shown(rejected)
    for start in range(len(secret) - 5):
        assert secret[start : start + 6] not in shown


PLANTED: list[Callable[[], dict[str, Any]]] = [
    lambda: trace(1, **{SECRET: 1}),
    lambda: trace(1, **{f"x` - at `$.{SECRET}": 1}),
    lambda: trace(1, **{f"{SECRET}` - at `$.response": 1}),
    lambda: trace(1, messages=[{"role": "user", SECRET: SECRET}]),
    lambda: trace(1, messages=[{SECRET: SECRET}]),
    lambda: trace(1, messages=[SECRET]),
    lambda: trace(1, messages=SECRET),
    lambda: trace(1, status=SECRET),
    lambda: trace(1, status=f"{SECRET}' - at `$.{SECRET}"),
    lambda: trace(1, started_at=SECRET),
    lambda: trace(1, latency_ms=SECRET),
    lambda: trace(1, segments={SECRET: 1}),
    lambda: trace(1, attributes={SECRET: {SECRET: SECRET}}),
    lambda: trace(1, attributes={SECRET: f"{SECRET}\ud800"}),
    lambda: trace(1, attributes={f"{SECRET}\udc00": SECRET}),
    lambda: trace(1) | {f"{SECRET}\udc00": SECRET},
    lambda: trace(1, app=..., response=SECRET),
    lambda: trace(1, trace_id=SECRET * 60),
    lambda: trace(1, response=SECRET, cost_usd=float("nan")),
    lambda: {SECRET: float("nan")},
]


@pytest.mark.parametrize("make", PLANTED)
def test_a_rejection_says_nothing_of_the_record(make: Callable[[], dict[str, Any]]) -> None:
    """Values, keys that nobody knows and texts made to look like a path stay out of it."""
    written = _dumps(make())
    for value in (written, written[:-1], written + b"]", written.replace(b"Zq", b"\xffZq")):
        for rejected in _decode(value)[1]:
            _assert_silent(rejected)


@pytest.mark.parametrize(
    "value",
    [
        SECRET.encode(),
        b"\x00" + SECRET.encode(),
        b"\xc3\x01" + SECRET.encode() * 2,
        b"\x01" + SECRET.encode(),
        b"[" + SECRET.encode(),
        b"{" + SECRET.encode(),
        single_object(trace(1, response=SECRET), CONTRACTS["trace"].avro)[:-1],
        single_object(trace(1, response=SECRET), CONTRACTS["trace"].avro) + SECRET.encode(),
        single_object(trace(1, response=SECRET, cost_usd=-1.0), CONTRACTS["trace"].avro),
        single_object(trace(1, trace_id=SECRET * 60), CONTRACTS["trace"].avro),
    ],
)
def test_a_rejection_says_nothing_of_the_bytes(value: bytes) -> None:
    """Neither text, nor what stands where a schema's id should be, nor a part of Avro."""
    rejected = _reject(value)
    _assert_silent(rejected)
    assert SECRET.encode()[:4].hex() not in _shown(rejected)
    assert str(int.from_bytes(SECRET.encode()[:4], "big")) not in _shown(rejected)


_FRAMES = st.sampled_from(
    [
        b"",
        b"{",
        b'{"messages":[{',
        b'{"trace_id":"',
        b"\xef\xbb\xbf{",
        b"\x00\x00\x00\x00\x01",
        b"\x00\x00\x00\x00\x02",
        b"\xc3\x01" + bytes.fromhex(CONTRACTS["trace"].fingerprint),
        b"\xc3\x01" + bytes.fromhex(CONTRACTS["feedback"].fingerprint),
    ]
)


@given(KINDS, st.lists(st.builds(bytes.__add__, _FRAMES, st.binary(max_size=200)), max_size=4))
@example(RecordKind.TRACE, [b"\x00\x00\x00\x00\x01" + b"\xff" * 60])
@example(RecordKind.TRACE, [b"\x00\x00\x00\x00\x02"])
def test_any_bytes_are_decoded_or_set_aside(kind: RecordKind, values: list[bytes]) -> None:
    """Nothing raises, and each value is answered exactly once."""
    decoded, rejected = _decode(*values, kind=kind)
    assert len(decoded) + len(rejected) == len(values)
    answered = [*decoded.offsets, *(one.raw.offset for one in rejected)]
    assert sorted(answered) == [10 + i for i in range(len(values))]
    assert {one.reason for one in rejected} <= set(QuarantineReason)


@given(
    st.sampled_from(
        [
            encode_json(trace(1)),
            framed(trace(1), CONTRACTS["trace"].avro, 1),
            single_object(trace(1), CONTRACTS["trace"].avro),
        ]
    ),
    st.lists(st.tuples(st.integers(0, 3_000), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_a_damaged_record_is_decoded_or_set_aside(
    value: bytes, damages: list[tuple[int, bytes]]
) -> None:
    """Overwritten and cut bytes of a valid record raise nothing, in any format."""
    damaged = bytearray(value)
    for at, piece in damages:
        damaged[at : at + max(1, len(piece))] = piece
    decoded, rejected = _decode(bytes(damaged))
    assert len(decoded) + len(rejected) == 1
    for record in decoded.records:
        assert msgspec.convert(msgspec.to_builtins(record), Trace) == record
