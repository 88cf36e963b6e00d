"""Measures the path of a span in the worker against bare parsing of the same protobuf.

    python -m benchmarks.otel_spans [--copies 2] [--rounds 3] [--model shipped]

The path is: decode a Kafka record, make the rows of its spans, redact them, and make columns. The
traffic is that of ``tests/data/otel``, as OTLP protobuf, copied with other ids. Three kinds of it:

- ``new``: each message has a word of its own, so that a conversation repeats only its own history;
- ``history``: only the last message in each attribute is new, and those before it come again;
- ``same``: only the ids are new.

Each round has copies of its own. In each round every path takes one copy after the other, in turns.
Given is the median of the rounds: CPU time a span, spans a second of CPU time, and how many times
the CPU time of bare parsing it is. Unchanged captures warm up each path: expressions compile when a
text first needs them.
"""

import gc
import hashlib
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import click
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from benchmarks.redaction_costs import KEYS, NOW, audit_all, policy
from otel.capture_files import read_capture
from redact.pipeline.passthrough import PassthroughRedactor
from redact.pipeline.policy_redactor import PolicyRedactor
from schemas.record_batches import DecodedBatch, RawRecord
from stream.memory import COLLECTOR_THRESHOLD
from stream.signal_decoder import SignalDecoder

CAPTURES: Final = Path(__file__).parents[1] / "tests" / "data" / "otel"
KINDS: Final = ("new", "history", "same")
_TOPIC: Final = "otlp_spans"
_DECODER: Final = SignalDecoder("otlp", 2**27, lambda: NOW)
_EVERY: Final = re.compile(r'(?<=[a-z]) (?=[a-z])(?P<rest>[^"]*)')
"""The first gap between two words of each text without quotation marks: a message, or a part."""

_LAST: Final = re.compile(r'(?<=[a-z]) (?=[a-z])(?P<rest>[^"]*)(?![\s\S]*[a-z] [a-z])')
"""The same of the last such text in a string."""

Parsed = ExportTraceServiceRequest
Edit = Callable[[str], str]


def read_requests() -> list[bytes]:
    """Return the captured requests with spans, as protobuf."""
    files = sorted(CAPTURES.glob("*.spans.otlp_proto.jsonl.gz"))
    return [record.value for file in files for record in read_capture(file.read_bytes())]


def copy_requests(requests: Sequence[bytes], seed: int, kind: str) -> list[bytes]:
    """Return the requests with other ids, and with other texts by their kind."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    return [_copy_request(request, seed, _edit_of(kind, rng)) for request in requests]


def _copy_request(request: bytes, seed: int, edit: Edit) -> bytes:
    parsed = Parsed.FromString(request)
    for group in parsed.resource_spans:
        for scoped in group.scope_spans:
            for span in scoped.spans:
                span.trace_id = _other_id(span.trace_id, seed)
                span.span_id = _other_id(span.span_id, seed)
                span.parent_span_id = _other_id(span.parent_span_id, seed)
                for holder in (span, *span.events):
                    for attribute in holder.attributes:
                        _edit_value(attribute.value, edit)
    copied: bytes = parsed.SerializeToString()
    return copied


def _other_id(old: bytes, seed: int) -> bytes:
    """Return another id of the same length; no id stays no id."""
    return (
        hashlib.blake2b(old, digest_size=len(old), salt=seed.to_bytes(8)).digest() if old else old
    )


def _edit_value(value: AnyValue, edit: Edit) -> None:
    if value.HasField("string_value"):
        value.string_value = edit(value.string_value)
    for inner in value.array_value.values:
        _edit_value(inner, edit)


def _edit_of(kind: str, rng: random.Random) -> Edit:
    """Return how a string changes. Words are the same for all spans of a copy."""
    word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(8))
    places = {"new": _EVERY, "history": _LAST}.get(kind)
    if places is None:
        return lambda text: text
    return lambda text: places.sub(rf" {word} \g<rest>", text)


def _records(requests: Sequence[bytes]) -> list[RawRecord]:
    return [RawRecord(0, row, NOW // 1000, None, value) for row, value in enumerate(requests)]


def parse(records: Sequence[RawRecord]) -> int:
    """Parse the requests and count their spans: what any consumer does at least."""
    count = 0
    for record in records:
        parsed = Parsed.FromString(record.value or b"")
        for group in parsed.resource_spans:
            for scoped in group.scope_spans:
                count += len(scoped.spans)
    return count


def decode(records: Sequence[RawRecord]) -> list[DecodedBatch[Any]]:
    """Decode each record to the rows of its spans."""
    batches = []
    for record in records:
        batch, rejected = _DECODER.decode(_TOPIC, [record])
        if rejected:
            raise SystemExit("a captured span was rejected")
        batches.append(batch)
    return batches


def paths(model: str) -> Mapping[str, Callable[[Sequence[RawRecord]], object]]:
    """Return the paths that are compared, each with a redactor of its own."""
    off, plain = PassthroughRedactor(), PolicyRedactor(policy("none"), KEYS, audit=True)
    compared: dict[str, Callable[[Sequence[RawRecord]], object]] = {
        "parse": parse,
        "decode to rows": decode,
        "and columns, redaction off": lambda records: [
            off.redact(batch, ingested_at=NOW) for batch in decode(records)
        ],
        "and redaction, no model": lambda records: audit_all(plain, decode(records)),
    }
    if model != "none":
        named = PolicyRedactor(policy(model), KEYS, audit=True)
        compared[f"and redaction, model {model}"] = lambda records: audit_all(
            named, decode(records)
        )
    return compared


def measure(kind: str, copies: int, rounds: int, model: str) -> tuple[int, dict[str, float]]:
    """Return the number of spans of a round, and the median CPU seconds a span of each path."""
    compared = paths(model)
    captured = read_requests()
    for path in compared.values():
        path(_records(captured))
    spans = copies * parse(_records(captured))
    taken: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(rounds):
        seeds = range(number * copies + 1, (number + 1) * copies + 1)
        work = [_records(copy_requests(captured, seed, kind)) for seed in seeds]
        for name, path in compared.items():
            begin = time.process_time()
            for records in work:
                path(records)
            taken[name].append((time.process_time() - begin) / spans)
    return spans, {name: median(seconds) for name, seconds in taken.items()}


@click.command()
@click.option("--copies", default=2, show_default=True, help="Copies of all captures, each round.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--model", default="shipped", show_default=True, help="Of names; `none` for none.")
def main(copies: int, rounds: int, model: str) -> None:
    """Print the figures of docs/otel.md."""
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)  # as in the worker
    for kind in KINDS:
        spans, seconds = measure(kind, copies, rounds, model)
        bare = seconds["parse"]
        click.echo(f"{kind} texts, {spans:,} spans a round")
        for name, taken in seconds.items():
            click.echo(
                f"  {name:32}{taken * 1e6:9.1f} µs CPU a span {1 / taken:11,.0f} a second"
                f" {taken / bare:8.1f} times"
            )


if __name__ == "__main__":
    main()
