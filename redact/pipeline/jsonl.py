"""Redacts JSON lines with an id and a text, as `goldpan redact --schema text` reads them.

A line that cannot be read or redacted produces a problem instead of an output: its text never
passes.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from redact.analysis.segment_parts import SegmentFailure, TextSegment
from redact.crypto.keys import Keys
from redact.lexical.findings import PiiFinding
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy
from redact.rendering.renderer import KEEP_OPERATOR
from schemas.surrogates import replace_lone_surrogates

_PROBLEM_JSON = "not a JSON object of the schema"


class TextLine(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line of the schema `text`."""

    id: str | int
    text: str


_DECODER = msgspec.json.Decoder(TextLine)


@dataclass(frozen=True, slots=True)
class RedactedLine:
    """The result for one line: its output, or a problem (a sentence without content).

    ``replaced`` counts replacements by ``TYPE/operator``; ``kept`` counts, by type, the findings
    that the policy keeps, if they were looked for. ``characters`` is the length of the text
    scanned.
    """

    output: bytes | None
    problem: str | None = None
    characters: int = 0
    replaced: dict[str, int] = dataclasses.field(default_factory=dict)
    kept: dict[str, int] = dataclasses.field(default_factory=dict)


class LineRedactor:
    """Redacts lines of the schema `text`. It is pickled as policy and keys, and rebuilt."""

    def __init__(self, policy: RedactionPolicy, keys: Keys) -> None:
        self._policy = policy
        self._keys = keys
        self._engine = None if policy.off else PolicyRedactor(policy, keys, audit=True, report=True)

    def __reduce__(self) -> tuple[Callable[..., "LineRedactor"], tuple[RedactionPolicy, Keys]]:
        return LineRedactor, (self._policy, self._keys)

    @property
    def policy_hash(self) -> str:
        """Return the hash of the policy, model included."""
        return self._engine.policy_hash if self._engine else self._policy.hash

    def lines(self, lines: Iterable[bytes | str]) -> list[RedactedLine]:
        """Redact lines, in order; the more at once, the cheaper the name model."""
        decoded: list[TextLine | None] = []
        for line in lines:
            try:
                decoded.append(_DECODER.decode(_encoded(line)))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                decoded.append(None)
        redacted = self._texts([record for record in decoded if record is not None])
        return [
            RedactedLine(None, _PROBLEM_JSON) if record is None else next(redacted)
            for record in decoded
        ]

    def _texts(self, records: list[TextLine]) -> Iterator[RedactedLine]:
        if self._engine is None:
            yield from (_text_line(record, record.text, []) for record in records)
            return
        free = "user" in self._policy.names.read
        segments = [TextSegment(record.text, free=free) for record in records]
        for record, result in zip(records, self._engine.texts(segments), strict=True):
            if isinstance(result, SegmentFailure):
                yield RedactedLine(None, f"refused: {result.reason.value}")
                continue
            yield dataclasses.replace(
                _text_line(record, result.text, result.findings),
                characters=len(record.text),
                replaced=dict(Counter(f"{each.type}/{each.operator}" for each in result.replaced)),
                kept=self._count_kept(result.findings),
            )

    def _count_kept(self, findings: Iterable[PiiFinding]) -> dict[str, int]:
        rules = self._policy.rules("redact_json")
        return dict(Counter(f.type for f in findings if rules[f.type].operator == KEEP_OPERATOR))


def _encoded(line: bytes | str) -> bytes:
    return replace_lone_surrogates(
        line.encode("utf-8", "surrogatepass") if isinstance(line, str) else line
    )


def _text_line(record: TextLine, text: str, findings: list[PiiFinding]) -> RedactedLine:
    document = {
        "id": record.id,
        "text": text,
        "findings": [
            {"type": f.type, "start": f.start, "end": f.end, "score": f.score} for f in findings
        ],
    }
    return RedactedLine(msgspec.json.encode(document))
