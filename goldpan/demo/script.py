"""The script of the demo: what is sent, to which topic, in which wire format and when.

The conversations' own pace is sped up so that all of it fits into a few seconds; each event then
gets the moment of its sending as its time, so that seconds to the lake are real seconds.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from goldpan.demo.broken import broken_traces
from goldpan.demo.framing import as_framed_avro, as_json, as_single_object_avro
from goldpan.demo.traffic import Conversation, Record, feedback_of, traces_of
from schemas.provenance import RecordKind

START: Final = 1_750_000_000_000_000  # any moment: `sent_at` moves it
STAGGER_SECONDS: Final = 90.0

Encode = Callable[[RecordKind, Mapping[str, Any]], bytes]

FORMATS: Final[Mapping[str, Encode]] = {
    "JSON": lambda _kind, record: as_json(record),
    "framed Avro": as_framed_avro,
    "single-object Avro": as_single_object_avro,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the script.

    ``second`` counts from the beginning of the demo. A good record has its ``record`` and the name
    of its wire format; a broken one says what is wrong in ``broken`` and brings its ``value``.
    """

    second: float
    kind: RecordKind
    key: str
    record: Record | None = None
    format: str = ""
    broken: str = ""
    value: bytes | None = None

    def sent_at(self, moment: int) -> tuple[Record | None, bytes | None]:
        """Return the record, as of ``moment`` (microseconds), and the bytes to send."""
        if self.record is None:
            return None, self.value
        if self.kind is RecordKind.TRACE:
            times = {"started_at": moment - int(self.record["latency_ms"] * 1000)}
        else:
            times = {"occurred_at": moment}
        record = {**self.record, **times}
        return record, FORMATS[self.format](self.kind, record)


def script(conversations: Sequence[Conversation], *, seconds: float, seed: int) -> list[Line]:
    """Return all records in the order in which they are sent, within ``seconds``.

    Of three good records, one is sent in each wire format; the broken ones are spread in between.
    """
    rng = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    timed = sorted(_events(conversations, seed, rng), key=lambda event: event[0])
    first, last = timed[0][0], timed[-1][0]
    speed = seconds / max(1, last - first)
    names = list(FORMATS)
    lines = [
        Line((at - first) * speed, kind, record["trace_id"], record, names[number % len(names)])
        for number, (at, kind, record) in enumerate(timed)
    ]
    lines += _broken(lines, seconds, rng)
    return sorted(lines, key=lambda line: line.second)


def _events(
    conversations: Iterable[Conversation], seed: int, rng: random.Random
) -> Iterable[tuple[int, RecordKind, Record]]:
    """Yield each event with the time when it is over and would be reported."""
    for conversation in conversations:
        start = START + int(rng.uniform(0, STAGGER_SECONDS) * 1e6)
        traces = traces_of(conversation, started_at=start, seed=seed)
        for trace in traces:
            ended = trace["started_at"] + int(trace["latency_ms"] * 1000)
            yield ended, RecordKind.TRACE, trace
        for feedback in feedback_of(conversation, traces, seed=seed):
            yield feedback["occurred_at"], RecordKind.FEEDBACK, feedback


def _broken(lines: Sequence[Line], seconds: float, rng: random.Random) -> list[Line]:
    good = next(line.record for line in lines if line.kind is RecordKind.TRACE and line.record)
    return [
        Line(rng.uniform(0, seconds), RecordKind.TRACE, f"broken-{n}", broken=what, value=value)
        for n, (what, value) in enumerate(broken_traces(good))
    ]
