"""Records that are deliberately broken, each in a different way; none may stop the worker."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from goldpan.demo.wire_formats import encode_framed_avro, encode_json
from schemas.record_batches import RecordKind

GoodTrace = Mapping[str, Any]


def make_broken_traces(good: GoodTrace) -> list[tuple[str, bytes | None]]:
    """Return broken variants of a good trace: a short description, and the value."""
    return [(description, make(good)) for description, make in _VARIANTS.items()]


def _without(good: GoodTrace, field: str) -> bytes:
    return encode_json({name: value for name, value in good.items() if name != field})


def _unknown_schema(good: GoodTrace) -> bytes:
    framed = encode_framed_avro(RecordKind.TRACE, good)
    return framed[:1] + (4711).to_bytes(4, "big") + framed[5:]


_VARIANTS: Final[Mapping[str, Callable[[GoodTrace], bytes | None]]] = {
    "a tombstone (null)": lambda _: None,
    "no bytes at all": lambda _: b"",
    "not JSON": lambda _: b"Traceback (most recent call last):",
    "JSON of another shape": lambda _: b'["a", "list"]',
    "JSON cut off in the middle": lambda good: encode_json(good)[:400],
    "an unknown field": lambda good: encode_json({**good, "customer_email": "mia.li@example.com"}),
    "a required field missing": lambda good: _without(good, "app"),
    "a number where text belongs": lambda good: encode_json({**good, "response": 42}),
    "NaN for a latency": lambda good: json.dumps({**good, "latency_ms": float("nan")}).encode(),
    "a time in the year 1970": lambda good: encode_json({**good, "started_at": 12}),
    "half of a character (not UTF-8)": lambda good: encode_json({**good, "response": "é"}).replace(
        "é".encode(), b"\xc3"
    ),
    "deep nesting": lambda _: b'{"messages":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "an unknown schema id": _unknown_schema,
    "Avro cut off in the middle": lambda good: encode_framed_avro(RecordKind.TRACE, good)[:300],
    "more than a megabyte": lambda good: encode_json({**good, "response": "x" * 1_000_100}),
}
