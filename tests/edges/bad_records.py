"""Records that no worker may store and none may stop at, each with a mark in all it says.

The marks are words and numbers that occur nowhere else, so that a search finds them wherever a
piece of a bad record has come to.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from schemas.contract import CONTRACTS, ContractField, FieldType
from schemas.reasons import QuarantineReason
from schemas.record_batches import RecordKind
from tests.make.records import encode_json, feedback, trace
from tests.make.wire import framed, single_object, zigzag
from tests.servers.topic_io import Record

MARK = "cnryqzv"
"""Begins every word of a bad record."""
NUMBER = 918_273_645
"""Begins every number of a bad record that is not part of a structure."""
LIMIT = 1_000_000
SCHEMA_IDS = {RecordKind.TRACE: 11, RecordKind.FEEDBACK: 12}
"""The ids under which a folder of schemas holds the contracts."""

_NUMBERS = count(1)


def mark() -> str:
    """Return a word that no other record has."""
    return f"{MARK}{next(_NUMBERS):05d}"


@dataclass(frozen=True)
class Bad:
    """A record that must be set aside, for one of ``reasons``, and ``field`` of the contract.

    ``field`` is ``...`` where it does not matter.
    """

    name: str
    value: bytes | None
    reasons: tuple[QuarantineReason, ...]
    field: Any = ...
    key: bytes | None = None

    @property
    def record(self) -> Record:
        """The record as it is produced."""
        return Record(self.key, self.value, headers=[(mark(), mark().encode())])


def bad_records(kind: RecordKind) -> list[Bad]:
    """Return all bad records of a kind; their keys, too, are marked, missing or no text."""
    found = [
        *_nothing(),
        *_no_record(),
        *_shapes(kind),
        *_types(kind),
        *_unknown_fields(kind),
        *_numbers(kind),
        *_texts(kind),
        *_times(kind),
        *_deep(kind),
        *_identities(kind),
        *_avro(kind),
        *(_feedback_values() if kind is RecordKind.FEEDBACK else ()),
    ]
    keys = (lambda: mark().encode(), lambda: None, lambda: b"\xff\xfe" + mark().encode())
    return [replace(bad, key=keys[i % 3]()) for i, bad in enumerate(found)]


def good(kind: RecordKind, i: int, /, **changes: Any) -> dict[str, Any]:
    """Return a valid record of a kind."""
    return trace(i, **changes) if kind is RecordKind.TRACE else feedback(i, **changes)


def _marked(kind: RecordKind, /, **changes: Any) -> dict[str, Any]:
    """Return a record that would be valid, with marks in what may hold any text."""
    text = {"response": mark()} if kind is RecordKind.TRACE else {"comment": mark()}
    return good(
        kind, 1, **{**text, "session_id": mark(), "attributes": {mark(): mark()}, **changes}
    )


def _nothing() -> Iterator[Bad]:
    yield Bad("null", None, (QuarantineReason.TOMBSTONE,), None)
    yield Bad("no bytes", b"", (QuarantineReason.EMPTY,), None)
    yield Bad("white space", b" \r\n\t ", (QuarantineReason.EMPTY,), None)
    yield Bad("only a byte order mark", b"\xef\xbb\xbf", (QuarantineReason.EMPTY,), None)


def _no_record() -> Iterator[Bad]:
    word = mark()
    megabyte = (mark() + "x" * LIMIT)[:LIMIT].encode()
    yield Bad("a megabyte of x", megabyte, (QuarantineReason.NOT_JSON,), None)
    yield Bad("a byte more than a megabyte", megabyte + b"x", (QuarantineReason.TOO_LARGE,), None)
    yield Bad("text", f"{word} was here".encode(), (QuarantineReason.NOT_JSON,), None)
    yield Bad("XML", f"<a>{mark()}</a>".encode(), (QuarantineReason.NOT_JSON,), None)
    yield Bad(
        "single quotes", f"{{'trace_id': '{mark()}'}}".encode(), (QuarantineReason.NOT_JSON,), None
    )
    yield Bad("gzip", gzip.compress(mark().encode() * 9), (QuarantineReason.UNKNOWN_FORMAT,), None)
    yield Bad(
        "UTF-16", f'{{"a":"{mark()}"}}'.encode("utf-16"), (QuarantineReason.UNKNOWN_FORMAT,), None
    )
    protobuf = b"\x0a\x0c" + mark().encode() + b"\x10\x96\x01"
    yield Bad(
        "protobuf",
        protobuf,
        (QuarantineReason.NOT_JSON, QuarantineReason.UNKNOWN_FORMAT, QuarantineReason.EMPTY),
        None,
    )
    yield Bad(
        "random bytes", b"\x91\xfe\x03" + mark().encode(), (QuarantineReason.UNKNOWN_FORMAT,), None
    )


def _shapes(kind: RecordKind) -> Iterator[Bad]:
    for name, document in {
        "list": [mark()],
        "number": NUMBER,
        "text": mark(),
        "null": None,
        "true": True,
        "list of records": [_marked(kind)],
    }.items():
        yield Bad(
            f"JSON {name}", json.dumps(document).encode(), (QuarantineReason.NOT_AN_OBJECT,), None
        )
    whole = encode_json(_marked(kind))
    yield Bad("half of the JSON", whole[: len(whole) // 2], (QuarantineReason.TRUNCATED,), None)
    yield Bad("two in one", whole + whole, (QuarantineReason.TRAILING_BYTES,), None)
    yield Bad("a word behind", whole + mark().encode(), (QuarantineReason.TRAILING_BYTES,), None)
    yield Bad("empty object", b"{}", (QuarantineReason.MISSING_FIELD,))
    other = json.dumps({mark(): {mark(): mark()}}).encode()
    yield Bad("another event", other, (QuarantineReason.UNKNOWN_FIELD,), None)
    if kind is RecordKind.TRACE:
        large = encode_json(_marked(kind, response=mark() + "y" * LIMIT))
        yield Bad("a response of a megabyte", large, (QuarantineReason.TOO_LARGE,), None)


def _types(kind: RecordKind) -> Iterator[Bad]:
    """Every field with every wrong type, and without those that must be there."""
    for field in CONTRACTS[kind].walk():
        for name, value in _wrong_values(field):
            if (field.path, name) in _THEIRS:
                continue
            record = _planted(kind, field.path, value)
            yield Bad(
                f"{field.path}: {name}",
                json.dumps(record).encode(),
                (QuarantineReason.WRONG_TYPE, QuarantineReason.OUT_OF_RANGE),
                field.path,
            )
        if not field.has_default:
            record = _planted(kind, field.path, ...)
            yield Bad(
                f"{field.path}: left out",
                encode_json(record),
                (QuarantineReason.MISSING_FIELD,),
                field.path,
            )


_THEIRS = {("messages[].content", "list"), ("messages[].tool_calls", "null")}
"""What is no type of the contract's, and is taken as of OpenAI's shape."""


def _wrong_values(field: ContractField) -> Iterator[tuple[str, Any]]:
    number = NUMBER * 1000 + 1
    values: dict[str, Any] = {
        "text": mark(),
        "number": number,
        "fraction": number + 0.5,
        "true": True,
        "list": [mark()],
        "list of numbers": [number],
        "object": {mark(): number},
        "null": None,
    }
    fits = {
        FieldType.STRING: ("text",),
        FieldType.LONG: ("number",),
        FieldType.DOUBLE: ("number", "fraction"),
    }
    for name, value in values.items():
        if name not in fits.get(field.type, ()) and not (value is None and field.nullable):
            yield name, value


def _planted(kind: RecordKind, path: str, value: Any) -> dict[str, Any]:
    """Return a record that is valid but for the field at ``path``; ``...`` leaves it out."""
    record = _marked(kind)
    if kind is RecordKind.TRACE:
        call = {"id": mark(), "name": mark(), "arguments": mark()}
        record["messages"] = [{"role": "user", "content": mark(), "tool_calls": [dict(call)]}]
        record["tool_calls"] = [dict(call)]
        record["retrieved"] = [{"document_id": mark(), "text": mark()}]
    at: Any = record
    *parents, name = path.split(".")
    for parent in parents:
        at = at[parent.removesuffix("[]")][0]
    if value is ...:
        at.pop(name)
    else:
        at[name] = value
    return record


def _unknown_fields(kind: RecordKind) -> Iterator[Bad]:
    reasons = (QuarantineReason.UNKNOWN_FIELD,)
    yield Bad("unknown field", encode_json(_marked(kind, **{mark(): mark()})), reasons, None)
    yield Bad("unknown field, null", encode_json(_marked(kind, **{mark(): None})), reasons, None)
    sly = f"{mark()}` - at `$.{mark()}"
    yield Bad(
        "unknown field like a path",
        encode_json(_marked(kind, **{sly: 1})),
        (*reasons, QuarantineReason.WRONG_TYPE),
        None,
    )
    if kind is RecordKind.TRACE:
        for field in ("messages[]", "retrieved[]", "tool_calls[]", "messages[].tool_calls[]"):
            record = _planted(kind, f"{field}.{mark()}", mark())
            path = field.removesuffix("[]")
            yield Bad(f"unknown field in {path}", encode_json(record), reasons, path)


def _numbers(kind: RecordKind) -> Iterator[Bad]:
    field = "cost_usd" if kind is RecordKind.TRACE else "value"
    words = {
        "NaN": (QuarantineReason.NOT_FINITE,),
        "Infinity": (QuarantineReason.NOT_FINITE,),
        "-Infinity": (QuarantineReason.NOT_FINITE,),
        "1e999": (QuarantineReason.OUT_OF_RANGE,),
        "-1e999": (QuarantineReason.OUT_OF_RANGE,),
        str(NUMBER) * 100: (QuarantineReason.OUT_OF_RANGE,),
        "9" * 100_000: (QuarantineReason.OUT_OF_RANGE,),
    }
    for word, reasons in words.items():
        text = json.dumps(_marked(kind, **{field: 0.0})).replace(
            f'"{field}": 0.0', f'"{field}": {word}'
        )
        yield Bad(f"{word[:12]} for {field}", text.encode(), reasons, field)
    yield Bad("NaN alone", b"NaN", (QuarantineReason.NOT_JSON,), None)
    if kind is RecordKind.TRACE:
        for tokens in (-1, 2**63, 2**64, -(2**63) - 1, 10**400):
            value = encode_json(_marked(kind, input_tokens=tokens))
            yield Bad(
                f"tokens {len(str(tokens))}",
                value,
                (QuarantineReason.OUT_OF_RANGE,),
                "input_tokens",
            )


def _texts(kind: RecordKind) -> Iterator[Bad]:
    reasons = (QuarantineReason.BAD_TEXT,)
    field = "response" if kind is RecordKind.TRACE else "comment"
    name = json.dumps(_marked(kind, **{f"{mark()}\ud800": mark()})).encode()
    yield Bad("lone surrogate in a name", name, (*reasons, QuarantineReason.UNKNOWN_FIELD), None)
    word = mark().encode()
    whole = encode_json(_marked(kind, **{field: word.decode()}))
    for what in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf"):
        value = whole.replace(word, word + what)
        yield Bad(f"no UTF-8: {what.hex()}", value, reasons, field)


def _times(kind: RecordKind) -> Iterator[Bad]:
    field = "started_at" if kind is RecordKind.TRACE else "occurred_at"
    wrong = (QuarantineReason.WRONG_TYPE,)
    beyond = (QuarantineReason.OUT_OF_RANGE,)
    for written, reasons in {
        "0000-01-01T00:00:00Z": wrong,
        "0001-01-01T00:00:00+14:00": beyond,
        "1969-12-31T23:59:59Z": beyond,
        "9999-12-31T23:59:59-14:00": beyond,
        "10000-01-01T00:00:00Z": wrong,
        "+12026-01-01T00:00:00Z": wrong,
        "2026-02-30T00:00:00Z": wrong,
        "2026-11-01T25:00:00Z": wrong,
        "2026-11-01T00:00:00": wrong,
        "2026-11-01": wrong,
        "": wrong,
        mark(): wrong,
        f"2026-11-01T00:00:00Z{mark()}": wrong,
    }.items():
        value = encode_json(_marked(kind, **{field: written}))
        yield Bad(f"time {written[:26]!r}", value, reasons, field)
    for moment in (0, -1, NUMBER, 2**63, -(2**70), 10**30, 253_402_300_800_000_000):
        yield Bad(f"time {moment}", encode_json(_marked(kind, **{field: moment})), beyond, field)


def _deep(kind: RecordKind) -> Iterator[Bad]:
    brackets = b"[" * 100_000 + b"]" * 100_000
    word = mark().encode()
    objects = b'{"' + word + b'":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001
    yield Bad(
        "100,000 brackets",
        brackets,
        (QuarantineReason.NOT_AN_OBJECT, QuarantineReason.TOO_DEEP),
        None,
    )
    reasons = (QuarantineReason.UNKNOWN_FIELD, QuarantineReason.TOO_DEEP)
    yield Bad("5,000 objects", objects, reasons, None)
    yield Bad("100,000 opened", b'{"a":' * 100_000, (*reasons, QuarantineReason.TRUNCATED), None)
    inside = encode_json(_marked(kind, attributes="@")).replace(b'"@"', objects)
    yield Bad(
        "5,000 objects in a map", inside, (QuarantineReason.WRONG_TYPE, QuarantineReason.TOO_DEEP)
    )
    text = encode_json(_marked(kind, session_id="@")).replace(b'"@"', brackets)
    yield Bad(
        "100,000 brackets for text", text, (QuarantineReason.WRONG_TYPE, QuarantineReason.TOO_DEEP)
    )


def _identities(kind: RecordKind) -> Iterator[Bad]:
    long = (mark() * 2_000)[:10_000]
    for name in ("trace_id", "session_id"):
        for what, value in {"empty": "", "long": long, "one too long": long[:513]}.items():
            encoded = encode_json(_marked(kind, **{name: value}))
            yield Bad(f"{what} {name}", encoded, (QuarantineReason.OUT_OF_RANGE,), name)


def _feedback_values() -> Iterator[Bad]:
    kind, reasons = RecordKind.FEEDBACK, (QuarantineReason.OUT_OF_RANGE,)
    for sort, value in (("thumbs", 7), ("thumbs", 0.5), ("rating", 1.5), ("rating", -0.1)):
        encoded = encode_json(_marked(kind, kind=sort, value=value))
        yield Bad(f"{sort} of {value}", encoded, reasons, "value")
    yield Bad("unknown kind", encode_json(_marked(kind, kind=mark())), reasons, "kind")
    yield Bad("unknown actor", encode_json(_marked(kind, actor=mark())), reasons, "actor")


def _avro(kind: RecordKind) -> Iterator[Bad]:
    avsc, known = CONTRACTS[kind].avro, SCHEMA_IDS[kind]
    first = "trace_id" if kind is RecordKind.TRACE else "feedback_id"
    record = _marked(kind, **{first: mark()})
    whole = framed(record, avsc, known)
    unknown = (QuarantineReason.UNKNOWN_SCHEMA,)
    yield Bad("unknown id", framed(record, avsc, 4711), unknown, None)
    yield Bad("id of four letters", b"\x00" + mark().encode(), unknown, None)
    lone = single_object(record, avsc)
    yield Bad("unknown fingerprint", lone[:2] + b"\x07" * 8 + lone[10:], unknown, None)
    other = RecordKind.FEEDBACK if kind is RecordKind.TRACE else RecordKind.TRACE
    yield Bad(
        "schema of the other kind",
        single_object(good(other, 1), CONTRACTS[other].avro),
        (QuarantineReason.INCOMPATIBLE_SCHEMA, QuarantineReason.UNKNOWN_FIELD),
    )
    cut = (QuarantineReason.TRUNCATED, QuarantineReason.MALFORMED)
    for at in _positions(len(whole)):
        yield Bad(f"framed, cut at {at}", whole[:at], cut, None)
        yield Bad(
            f"single object, cut at {at}", lone[:at], (*cut, QuarantineReason.UNKNOWN_FORMAT), None
        )
    yield Bad("bytes behind", whole + mark().encode(), (QuarantineReason.TRAILING_BYTES,), None)
    header = whole[:5]
    for length in (2**62, 2**31, 10**6, -1, -(2**62)):
        value = header + zigzag(length) + mark().encode()
        yield Bad(f"text of {length} bytes", value, cut, None)
    yield Bad("a number without an end", header + b"\xff" * 40, cut, None)
    yield Bad(
        "no UTF-8 in Avro",
        header + zigzag(3) + b"\xff\xfe\xfd" + whole[5:],
        (QuarantineReason.BAD_TEXT, *cut),
    )
    for name, id_ in {"empty": "", "long": mark() * 100}.items():
        encoded = framed({**record, first: id_}, avsc, known)
        yield Bad(f"Avro, {name} id", encoded, (QuarantineReason.OUT_OF_RANGE,), first)
    number = "cost_usd" if kind is RecordKind.TRACE else "value"
    for infinite in (float("nan"), float("inf")):
        encoded = framed({**record, number: infinite}, avsc, known)
        yield Bad(f"Avro, {infinite}", encoded, (QuarantineReason.NOT_FINITE,), number)


def _positions(length: int) -> Sequence[int]:
    return sorted({1, 2, 4, 6, 9, *range(12, length, max(1, length // 20)), length - 1})
