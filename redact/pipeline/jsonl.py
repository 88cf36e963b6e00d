"""Redaction of lines of JSON: texts, traces or feedback in, the same without personal data out.

A line that cannot be read or redacted gives a problem instead of an output: its text never passes.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from redact.analysis.segments import SegmentFailure, TextSegment
from redact.crypto.keys import Keys
from redact.lexical.findings import PiiFinding
from redact.pipeline.audit import AuditReplacement
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy
from redact.rendering.renderer import KEEP_OPERATOR, RenderedReplacement
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Feedback, Trace
from schemas.surrogates import replace_lone_surrogates

LineSchema = Literal["text", "trace", "feedback"]

_PROBLEM_JSON = "not a JSON object of the schema"


class TextLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of the schema `text`."""

    id: str | int
    text: str


_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "text": msgspec.json.Decoder(TextLine),
    "trace": msgspec.json.Decoder(Trace),
    "feedback": msgspec.json.Decoder(Feedback),
}


@dataclass(frozen=True, slots=True)
class RedactedLine:
    """What came of one line: its output, or a problem (a sentence without content).

    ``replaced`` counts replacements by ``TYPE/operator``, ``kept`` by type what was found and
    stays, as the policy says (where one looked for it). ``characters`` were looked through.
    """

    output: bytes | None
    problem: str | None = None
    characters: int = 0
    replaced: dict[str, int] = dataclasses.field(default_factory=dict)
    kept: dict[str, int] = dataclasses.field(default_factory=dict)


class LineRedactor:
    """Redacts lines of one schema. It pickles, to be built anew in each process."""

    def __init__(self, policy: RedactionPolicy, keys: Keys, schema: LineSchema) -> None:
        self._made_of = (policy, keys, schema)
        self._schema = schema
        self._policy = policy
        self._engine = None if policy.off else PolicyRedactor(policy, keys, audit=True, report=True)
        self._decoder = _DECODERS[schema]

    def __reduce__(
        self,
    ) -> tuple[Callable[..., "LineRedactor"], tuple[RedactionPolicy, Keys, LineSchema]]:
        return LineRedactor, self._made_of

    @property
    def policy_hash(self) -> str:
        """Return the hash of the policy, model included."""
        return self._engine.policy_hash if self._engine else self._policy.hash

    def lines(self, lines: Iterable[bytes | str]) -> list[RedactedLine]:
        """Redact some lines, in order; the more at a time, the cheaper the model for names."""
        decoded: list[Any] = []
        for line in lines:
            try:
                decoded.append(self._decoder.decode(_whole(line)))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                decoded.append(None)
        good = [record for record in decoded if record is not None]
        done = iter(self._texts(good) if self._schema == "text" else self._records(good))
        return [
            RedactedLine(None, _PROBLEM_JSON) if record is None else next(done)
            for record in decoded
        ]

    def _texts(self, records: list[TextLine]) -> Iterator[RedactedLine]:
        if self._engine is None:
            yield from (_text_line(r.id, r.text, []) for r in records)
            return
        free = "user" in self._policy.names.read
        segments = [TextSegment(record.text, json=True, free=free) for record in records]
        for record, result in zip(records, self._engine.texts(segments), strict=True):
            if isinstance(result, SegmentFailure):
                yield RedactedLine(None, f"refused: {result.reason.value}")
                continue
            line = _text_line(record.id, result.text, result.findings)
            yield dataclasses.replace(
                line,
                characters=len(record.text),
                replaced=_by_operator(result.replaced),
                kept=self._kept(result.findings),
            )

    def _kept(self, findings: Iterable[PiiFinding]) -> dict[str, int]:
        rules = self._policy.rules("redact_json")
        return dict(Counter(f.type for f in findings if rules[f.type].operator == KEEP_OPERATOR))

    def _records(self, records: list[Any]) -> Iterator[RedactedLine]:
        if self._engine is None:
            yield from (RedactedLine(msgspec.json.encode(record)) for record in records)
            return
        kind = RecordKind(self._schema)
        rows = range(len(records))
        batch = DecodedBatch(
            kind=kind,
            topic=self._schema,
            records=records,
            partitions=[0 for _ in rows],
            offsets=list(rows),
            schema_ids=["" for _ in rows],
            raws=[RawRecord(0, row, -1, None, None) for row in rows],
        )
        done = self._engine.in_place(batch)
        passed = {entry.offset: entry for entry in done.audit}
        reasons = {refused.raw.offset: refused.reason for refused in done.rejected}
        for row, record in enumerate(records):
            if row in reasons:
                yield RedactedLine(None, f"refused: {reasons[row]}")
            else:
                entry = passed[row]
                yield RedactedLine(
                    msgspec.json.encode(record),
                    characters=entry.characters,
                    replaced=_by_operator(entry.positions),
                    kept={one.type: one.count for one in entry.kept},
                )


def _whole(line: bytes | str) -> bytes:
    return replace_lone_surrogates(
        line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    )


def redact_jsonl(
    lines: Iterable[bytes | str], redactor: LineRedactor, *, block: int = 256
) -> Iterator[RedactedLine]:
    """Redact lines one block after the other; yields one :class:`RedactedLine` for each, in order."""
    waiting: list[bytes | str] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) >= block:
            yield from redactor.lines(waiting)
            waiting.clear()
    yield from redactor.lines(waiting)


def _text_line(identity: str | int, text: str, findings: list[PiiFinding]) -> RedactedLine:
    document = {
        "id": identity,
        "text": text,
        "findings": [
            {"type": f.type, "start": f.start, "end": f.end, "score": f.score} for f in findings
        ],
    }
    return RedactedLine(msgspec.json.encode(document))


def _by_operator(replaced: Iterable[RenderedReplacement | AuditReplacement]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in replaced:
        key = f"{one.type}/{one.operator}"
        counts[key] = counts.get(key, 0) + 1
    return counts
