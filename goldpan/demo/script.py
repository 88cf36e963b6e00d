"""The script of the demo: when each record is sent, to which topic, in which wire format.

The conversations are sped up to fit into a few seconds. Each event gets the time of its sending, so
that measured delays are real seconds.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from goldpan.demo.broken_records import make_broken_traces
from goldpan.demo.traffic import Conversation, TrafficRecord, make_feedback, make_traces
from goldpan.demo.wire_formats import encode_framed_avro, encode_json, encode_single_object_avro
from schemas.record_batches import RecordKind

START: Final = 1_750_000_000_000_000  # arbitrary: `sent_at` replaces it
STAGGER_SECONDS: Final = 90.0

EncodeRecord = Callable[[RecordKind, Mapping[str, Any]], bytes]

WIRE_FORMATS: Final[Mapping[str, EncodeRecord]] = {
    "JSON": lambda _kind, record: encode_json(record),
    "framed Avro": encode_framed_avro,
    "single-object Avro": encode_single_object_avro,
}


@dataclass(frozen=True, slots=True)
class ScriptedRecord:
    """One record of the script.

    ``second`` counts from the beginning of the demo. A good record has ``record`` and the name of
    its wire format; a broken one has a description in ``broken``, and its ``value``.
    """

    second: float
    kind: RecordKind
    key: str
    record: TrafficRecord | None = None
    format: str = ""
    broken: str = ""
    value: bytes | None = None

    def sent_at(self, moment: int) -> tuple[TrafficRecord | None, bytes | None]:
        """Return the record, as of ``moment`` (microseconds), and the bytes to send."""
        if self.record is None:
            return None, self.value
        if self.kind is RecordKind.TRACE:
            times = {"started_at": moment - int(self.record["latency_ms"] * 1000)}
        else:
            times = {"occurred_at": moment}
        record = {**self.record, **times}
        return record, WIRE_FORMATS[self.format](self.kind, record)


def write_script(
    conversations: Sequence[Conversation], *, seconds: float, seed: int
) -> list[ScriptedRecord]:
    """Return all records in sending order, within ``seconds``.

    Good records alternate between the wire formats; broken ones are spread among them.
    """
    rng = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    timed = sorted(_events(conversations, seed, rng), key=lambda event: event[0])
    first, last = timed[0][0], timed[-1][0]
    speed = seconds / max(1, last - first)
    formats = list(WIRE_FORMATS)
    lines = [
        ScriptedRecord(
            (at - first) * speed, kind, record["trace_id"], record, formats[index % len(formats)]
        )
        for index, (at, kind, record) in enumerate(timed)
    ]
    lines += _broken_records(lines, seconds, rng)
    return sorted(lines, key=lambda line: line.second)


def _events(
    conversations: Iterable[Conversation], seed: int, rng: random.Random
) -> Iterable[tuple[int, RecordKind, TrafficRecord]]:
    """Yield each event with the time when it ends and is reported."""
    for conversation in conversations:
        start = START + int(rng.uniform(0, STAGGER_SECONDS) * 1e6)
        traces = make_traces(conversation, started_at=start, seed=seed)
        for trace in traces:
            ended = trace["started_at"] + int(trace["latency_ms"] * 1000)
            yield ended, RecordKind.TRACE, trace
        for feedback in make_feedback(conversation, traces, seed=seed):
            yield feedback["occurred_at"], RecordKind.FEEDBACK, feedback


def _broken_records(
    lines: Sequence[ScriptedRecord], seconds: float, rng: random.Random
) -> list[ScriptedRecord]:
    good = next(line.record for line in lines if line.kind is RecordKind.TRACE and line.record)
    return [
        ScriptedRecord(
            rng.uniform(0, seconds),
            RecordKind.TRACE,
            f"broken-{n}",
            broken=description,
            value=value,
        )
        for n, (description, value) in enumerate(make_broken_traces(good))
    ]
