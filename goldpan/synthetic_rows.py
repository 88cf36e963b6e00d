"""Reads synthetic rows for a release: lines of JSON, held to the contract and to redaction.

A generator that has seen production may repeat it. So each row goes through redaction, proof and
all, under the policy of the settings, and one of which a text would be changed is refused: run
`goldpan redact` over the file first, and look at what it found. Users become pseudonyms, and values
of segments are hashed, as in production. Errors name the line and the field, never what stands
there.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.synthetic_rows import SYNTHETIC_TOPIC, SyntheticOffer
from batch.reviews.review_texts import ReviewTexts, redact_review_texts
from goldpan import wiring
from goldpan.settings import Settings
from redact.pipeline.redactor import Redactor
from schemas.columns import record_batch
from schemas.contract import CONTRACTS, Pii
from schemas.errors import UsageError
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind

_OWN: Final = ("label", "expected_response")
_LABELS: Final = ("pass", "fail", "unknown")
_TEXTS: Final = [
    field.name for field in CONTRACTS["trace"].fields if field.pii in {Pii.REDACT, Pii.REDACT_JSON}
]
_REDACT_FIRST: Final = "run `goldpan redact` over the file first, and look at what it finds"


class SyntheticLabel(msgspec.Struct, forbid_unknown_fields=True):
    """What a line has beside the trace."""

    label: str
    expected_response: str | None = None


def read_synthetic_rows(
    settings: Settings, spec: ReleaseSpec, beside: Path
) -> SyntheticOffer | None:
    """Return the synthetic rows that a spec names, None if it names none.

    The file lies in the folder ``beside`` unless its path is whole. Raises UsageError, with line
    and field, for the first line that cannot be taken.
    """
    wanted = spec.synthetic
    if wanted is None:
        return None
    name = wanted.file
    try:
        data = (beside / name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"synthetic.file: {name} cannot be read: {error.strerror or type(error).__name__}."
        ) from None
    lines = [(n, line) for n, line in enumerate(data.splitlines(), 1) if line.strip()]
    rows = list(_rows(settings, _Source(name, lines)))
    accepted = spec.redaction_policies
    if rows and accepted != "any" and rows[0]["_policy"] not in accepted:
        raise UsageError(
            f"synthetic.file: the settings redact under policy {rows[0]['_policy']}, which "
            "`redaction_policies` does not accept."
        )
    return SyntheticOffer(wanted.generator, hashlib.sha256(data).hexdigest(), rows)


class _Source:
    """The lines of a file, and how a fault in one of them is told."""

    def __init__(self, name: str, lines: Sequence[tuple[int, bytes]]) -> None:
        self.name, self.lines = name, lines

    def fault(self, number: int, why: str) -> UsageError:
        """Return the error for a line."""
        return UsageError(f"{self.name}, line {number}: {why}")


def _rows(settings: Settings, source: _Source) -> Iterator[dict[str, Any]]:
    judged = [_split(source, number, line) for number, line in source.lines]
    raws = [
        RawRecord(0, number, -1, None, trace)
        for (number, _), (_, trace) in zip(source.lines, judged, strict=True)
    ]
    decoded = _decoded(settings, source, raws)
    _refuse_repeated(source, decoded)
    _refuse_erased(settings, source, decoded)
    redactor = wiring.load_redaction(settings.redact).redactor
    traces = _redacted(source, redactor, decoded)
    answers = _answers(source, redactor, [one for one, _ in judged])
    for trace, (one, _), answer in zip(traces, judged, answers, strict=True):
        # Not the clock: the same file gives the same rows.
        yield {
            **trace,
            "_ingested_at": trace["started_at"],
            "label": one.label,
            "expected_response": answer,
        }


def _split(source: _Source, number: int, line: bytes) -> tuple[SyntheticLabel, bytes]:
    """Return what a line has beside the trace, and the trace as JSON."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise source.fault(number, "is no JSON object.") from None
    own = {name: fields.pop(name) for name in _OWN if name in fields}
    try:
        judged = msgspec.json.decode(msgspec.json.encode(own), type=SyntheticLabel)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise source.fault(
            number, "`label` must be there, and it and `expected_response` be texts."
        ) from None
    if judged.label not in _LABELS:
        raise source.fault(number, f"`label` must be one of {', '.join(_LABELS)}.")
    return judged, msgspec.json.encode(fields)


def _decoded(settings: Settings, source: _Source, raws: Sequence[RawRecord]) -> DecodedBatch[Any]:
    decoder = wiring.make_decoder(settings, RecordKind.TRACE)
    decoded, refused = decoder.decode(SYNTHETIC_TOPIC, list(raws))
    if refused:
        first = min(refused, key=lambda one: one.raw.offset)
        raise source.fault(first.raw.offset, first.detail)
    return decoded


def _refuse_repeated(source: _Source, decoded: DecodedBatch[Any]) -> None:
    lines: dict[str, int] = {}
    for number, record in zip(decoded.offsets, decoded.records, strict=True):
        if record.trace_id in lines:
            first = lines[record.trace_id]
            raise source.fault(number, f"`trace_id` is that of line {first}.")
        lines[record.trace_id] = number


def _refuse_erased(settings: Settings, source: _Source, decoded: DecodedBatch[Any]) -> None:
    """Refuse the rows of persons, and of traces, that were erased: a file outlives an erasure."""
    erasures = wiring.open_erasures(settings)
    wiring.make_retry().call("reading tombstones", erasures.reload)
    kept, _ = erasures.kept_out.without(decoded)
    if gone := sorted({*decoded.offsets} - {*kept.offsets}):
        raise source.fault(
            gone[0], "`user_id` or `trace_id` is of somebody who was erased: take the row out."
        )


def _redacted(
    source: _Source, redactor: Redactor, decoded: DecodedBatch[Any]
) -> list[Mapping[str, Any]]:
    """Return the rows after redaction; UsageError if a text of one is not what it was."""
    before = _plain(record_batch(RecordKind.TRACE, decoded, ingested_at=0, policy=""))
    outcome = redactor.redact(decoded, ingested_at=0)
    if outcome.rejected:
        first = min(outcome.rejected, key=lambda one: one.raw.offset)
        named = f"`{first.field}`: " if first.field else ""
        raise source.fault(first.raw.offset, f"{named}{first.detail}")
    after = _plain(outcome.rows.value)
    for old, new in zip(before, after, strict=True):
        changed = [name for name in _TEXTS if old[name] != new[name]]
        if changed:
            raise source.fault(
                new["_offset"], f"`{changed[0]}` holds personal data: {_REDACT_FIRST}."
            )
    return [{name: row[name] for name in TRACE_COLUMNS} for row in after]


def _plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return list(batch.to_pylist(maps_as_pydicts="strict"))


def _answers(
    source: _Source, redactor: Redactor, judged: Sequence[SyntheticLabel]
) -> list[str | None]:
    """Return the expected responses; UsageError if redaction would change one."""
    now = wiring.now_us()
    written = [ReviewTexts(None, one.expected_response) for one in judged]
    clean = redact_review_texts(redactor, written, now=now)
    for (number, _), old, new in zip(source.lines, written, clean, strict=True):
        if new.problem is not None or new.texts != old:
            raise source.fault(number, f"`expected_response` holds personal data: {_REDACT_FIRST}.")
    return [one.expected_response for one in judged]
