"""The personal values in the captured traffic, and spans with values planted in every place."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import msgspec

from otel.signals import DecodedSignals, OtelSpan, SpanEvent, SpanLink, SpanStatus
from otel.stored_spans import to_stored_spans
from redact.pipeline.factory import build_redactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import StoredSpan
from tests.otel.captures import read_truth
from tests.otel.make_spans import span
from tests.redact.kit import KEYS, NOW

ESCAPE: Final = re.compile(r"\\+u([0-9a-fA-F]{4})")
PERSONAL: Final = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\+[0-9][0-9 -]{8,15}[0-9]|\([0-9]{3}\) [0-9]{3}-[0-9]{4}"
    r"|198\.51\.100\.[0-9]+|DE[0-9]{2}(?: ?[0-9]{4}){4} ?[0-9]{2}"
)
"""Mail addresses, telephone numbers, addresses of machines, accounts: as the truth has them."""
NAME_KEYS: Final = frozenset({"name", "full_name", "holder"})
VALUE_KEYS: Final = frozenset({"address", "dob", "phone", "email", "iban"})
CARD: Final = re.compile(r"\b(?:4[0-9]{3}|5[0-9]{3})(?: ?[0-9]{4}){3}\b")
DECOY: Final = re.compile(r"\bBM-[0-9]{6}\b|\b1Z[0-9]{10}US\b|(?<=build=)10\.2\.3\.4")


@cache
def engine() -> PolicyRedactor:
    """Return the engine of the default policy, with its model."""
    built = build_redactor(load_policy("strict"), KEYS, audit=True)
    assert isinstance(built, PolicyRedactor)
    return built


def batch_of(
    signals: DecodedSignals, signal_format: str = "otlp", offset: int = 0
) -> DecodedBatch[StoredSpan]:
    """Return the rows of one Kafka record, as the worker hands them to redaction."""
    rows = to_stored_spans(
        signals, signal_format, fallback_us=NOW, most_bytes=32 * 1024 * 1024
    ).rows
    spans = [row for _, row in rows]
    count = len(rows)
    return DecodedBatch(
        kind=RecordKind.SPAN,
        topic="otlp",
        records=spans,
        partitions=[0] * count,
        offsets=[offset] * count,
        schema_ids=[""] * count,
        raws=[RawRecord(0, offset, -1, None, b"{}") for _ in rows],
        indexes=[index for index, _ in rows],
        groups=[row.trace_id for row in spans],
    )


def redacted_rows(*spans: OtelSpan) -> list[dict[str, Any]]:
    """Return the rows of spans that came in one Kafka record, redacted."""
    signals = DecodedSignals(spans=tuple(replace(s, index=i) for i, s in enumerate(spans)))
    outcome = engine().redact(batch_of(signals), ingested_at=NOW)
    assert outcome.rejected == []
    rows: list[dict[str, Any]] = outcome.rows.value.to_pylist()
    return rows


def all_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return everything in rows as text, as it is and with all escapes of JSON undone."""
    text = msgspec.json.encode(rows).decode()
    plain = text
    for _ in range(6):
        before = plain
        plain = ESCAPE.sub(lambda match: chr(int(match[1], 16)), plain)
        plain = plain.replace("\\\\", "\\").replace('\\"', '"')
        if plain == before:
            break
    return f"{text}\n{plain}"


@cache
def planted(source: str) -> frozenset[str]:
    """Return the personal values of the persons in a capture, as its truth shows them.

    They are read from what users, tools and the model said, by their forms and by keys.
    """
    found: set[str] = set()
    for turn in read_truth():
        if turn["source"] == source:
            said = [turn["user_message"], turn.get("final_response") or ""]
            found.update(v for text in said for v in PERSONAL.findall(text))
            found.update(v for text in said for v in CARD.findall(text) if passes_luhn(v))
            for tool in turn["tool_results"]:
                found.update(_values_of(tool))
    return frozenset(found)


@cache
def decoys(source: str) -> frozenset[str]:
    """Return the values in a capture that look personal and are not."""
    texts = [json.dumps(t, ensure_ascii=False) for t in read_truth() if t["source"] == source]
    return frozenset(value for text in texts for value in DECOY.findall(text))


@cache
def listed_values() -> tuple[frozenset[str], frozenset[str]]:
    """Return the personal values and the decoys that the truth lists, over all captures.

    A decoy that is a valid number of a card by chance is none.
    """
    turns = read_truth()
    personal = {entry["value"] for turn in turns for entry in turn["pii"] if entry["on_wire"]}
    likely = {value for turn in turns for value in turn["decoys"]}
    valid = {value for value in likely if CARD.fullmatch(value) and passes_luhn(value)}
    return frozenset(personal), frozenset(likely - valid)


def _values_of(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str):
                in_words = key == "full_name" or (key in NAME_KEYS and " " in value)
                if value and (in_words or key in VALUE_KEYS):
                    yield value
                yield from PERSONAL.findall(value)
            else:
                yield from _values_of(value)
    elif isinstance(document, list):
        for item in document:
            yield from _values_of(item)


def passes_luhn(number: str) -> bool:
    """Return whether the digits of a number have a valid check digit (ISO/IEC 7812-1)."""
    digits = [int(c) for c in reversed(number) if c.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def nested(value: Any, depth: int) -> Any:
    """Return a value within JSON within JSON, with escapes, ``depth`` times."""
    for _ in range(depth):
        value = json.dumps({"data": value}, ensure_ascii=True)
    return value


Place = Callable[[str, int], OtelSpan]
"""Returns a span with a value in one place, within JSON of some depth."""


def _attribute(key: str) -> Place:
    return lambda value, depth: span(1, attributes={key: nested(value, depth)})


def _message(value: str, depth: int) -> OtelSpan:
    parts = [{"type": "text", "content": nested(f"I wrote {value} there", depth)}]
    return span(
        1, attributes={"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}
    )


def _key(value: str, depth: int) -> OtelSpan:
    return span(1, attributes={"scores": nested(json.dumps({value: 3}), depth)})


PLACES: Final[Mapping[str, Place]] = {
    "attribute": _attribute("note"),
    "entity": _attribute("traceloop.entity.output"),
    "output value": _attribute("output.value"),
    "url": lambda v, _: span(1, attributes={"url.full": f"https://x.example/find?q={v}"}),
    "baggage": lambda v, _: span(1, attributes={"baggage": f"person={v},flag=1"}),
    "list": lambda v, d: span(1, attributes={"process.command_args": ["run", nested(v, d)]}),
    "message": _message,
    "key": _key,
    "attribute name": lambda v, _: span(1, attributes={f"seen.{v}": True, v: 1}),
    "span name": lambda v, _: span(1, name=f"GET /people/{v}"),
    "status": lambda v, _: span(1, status=SpanStatus(2, f"no account for {v}")),
    "scope": lambda v, _: span(1, scope=f"lib {v}"),
    "trace state": lambda v, _: span(1, trace_state=f"vendor={v}"),
    "resource": lambda v, d: span(1, resource={"service.name": "s", "note": nested(v, d)}),
    "event": lambda v, d: span(1, events=(SpanEvent(f"saw {v}", 1, {"k": nested(v, d)}),)),
    "link": lambda v, d: span(1, links=(SpanLink("1" * 32, "1" * 16, {"k": nested(v, d)}),)),
    "stack trace": lambda v, _: span(
        1,
        events=(
            SpanEvent(
                "exception",
                1,
                {
                    "exception.message": f"KeyError: '{v}'",
                    "exception.stacktrace": f"Traceback:\n  File 'a.py', line 3\nKeyError: '{v}'",
                },
            ),
        ),
    ),
}
"""Where a value can stand in a span."""

VALUES: Final = (
    "mia.li@mail.example.com",
    "+44 20 7946 0817",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "521-43-8871",
    "198.51.100.17",
    f"/{'home'}/mia_li/run.py",
    "C:\\Users\\mia.li\\run.py",
)
"""Values that are personal wherever they stand."""


def secret_part(value: str) -> str:
    """Return what must be gone of a value: of a path, the user's name."""
    return next((name for name in ("mia_li", "mia.li\\") if name in value), value).rstrip("\\")
