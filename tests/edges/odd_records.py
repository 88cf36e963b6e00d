"""Records that look odd and are valid: none of them may be set aside."""

import json
from collections.abc import Iterator

from schemas.contract import CONTRACTS
from schemas.record_batches import RecordKind
from tests.edges.bad_records import LIMIT, SCHEMA_IDS, good, mark
from tests.make.records import encode_json
from tests.make.wire import framed, single_object
from tests.servers.topic_io import Record


def odd_records(kind: RecordKind) -> Iterator[tuple[str, Record]]:
    """Yield what is odd about each, and the record."""
    plain = encode_json(good(kind, 1))
    avsc = CONTRACTS[kind].avro
    field = "response" if kind is RecordKind.TRACE else "comment"
    first = "app" if kind is RecordKind.TRACE else "actor"
    hidden = "end_user" if first == "actor" else mark()
    shadowed = plain[:1] + f'"{first}":"{hidden}",'.encode() + plain[1:]
    room = LIMIT - len(encode_json(good(kind, 1, **{field: ""})))
    yield "byte order mark", Record(b"k", b"\xef\xbb\xbf" + plain)
    yield "white space around", Record(b"k", b" \r\n\t" + plain + b"\n \n")
    yield "spaces within", Record(b"k", json.dumps(good(kind, 1), indent=3).encode())
    yield "a name twice", Record(b"k", shadowed)
    yield "no key", Record(None, plain)
    yield "a key that is no text", Record(b"\xff\x00\xfe", plain)
    yield "an empty key", Record(b"", plain)
    yield "headers", Record(b"k", plain, headers=[(mark(), b"\xff"), ("", b""), (mark(), b"")])
    yield "framed Avro", Record(b"k", framed(good(kind, 1), avsc, SCHEMA_IDS[kind]))
    yield "single-object Avro", Record(b"k", single_object(good(kind, 1), avsc))
    yield "exactly a megabyte", Record(b"k", encode_json(good(kind, 1, **{field: "x" * room})))
    yield "an id of 512", Record(b"k", encode_json(good(kind, 1, trace_id="i" * 512)))
    yield (
        "ends of Unicode",
        Record(b"k", encode_json(good(kind, 1, **{field: "\0\uffff\U0010ffff"}))),
    )
    for name, half in {"high": "\ud800", "low": "\udc00", "swapped": "\ude00\ud83d"}.items():
        cut = json.dumps(good(kind, 1, **{field: f"cut {half}"})).encode()
        yield f"half a surrogate pair, {name}", Record(b"k", cut)
    leap = {"started_at" if kind is RecordKind.TRACE else "occurred_at": "2016-12-31T23:59:60Z"}
    yield "a leap second", Record(b"k", encode_json(good(kind, 1, **leap)))
    yield "time stamp of 1970", Record(b"k", plain, timestamp_ms=1)
    yield "time stamp of the year 9999", Record(b"k", plain, timestamp_ms=253_402_300_799_000)
    if kind is RecordKind.TRACE:
        parts = [{"role": "user", "content": [{"type": "text", "text": "look"}]}]
        yield "OpenAI's shape", Record(b"k", encode_json(good(kind, 1, messages=parts)))
        yield "most tokens", Record(b"k", encode_json(good(kind, 1, input_tokens=2**63 - 1)))
        yield "least cost", Record(b"k", encode_json(good(kind, 1, cost_usd=5e-324)))
        yield (
            "first moment",
            Record(b"k", encode_json(good(kind, 1, started_at="2000-01-01T00:00:00Z"))),
        )
    else:
        yield "a vote taken back", Record(b"k", encode_json(good(kind, 1, kind="thumbs", value=0)))
        yield "thumbs down", Record(b"k", encode_json(good(kind, 1, kind="thumbs", value=-1)))
