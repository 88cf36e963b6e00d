"""Reads synthetic rows for a release: JSON lines, checked against the contract and redaction.

A generator that has seen production data may repeat it. So each row passes redaction and its final
scan. A row whose text redaction would change is refused: run
`goldpan redact` over the file first and look at its findings. User ids become pseudonyms, and
values of segments are hashed, as in production. Errors name line and field, never the value.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pyarrow as pa

from batch.release.format.rows import TRACE_COLUMNS, SyntheticRow
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.synthetic_rows import SYNTHETIC_TOPIC, SyntheticOffer
from batch.reviews.review_texts import ReviewTexts, redact_review_texts
from decode.decoder import Decoder
from redact.pipeline.redactor import Redactor
from schemas.columns import record_batch
from schemas.contract import CONTRACTS, Pii
from schemas.errors import UsageError
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind

_LABEL_FIELDS: Final = ("label", "expected_response")
_LABELS: Final = ("pass", "fail", "unknown")
_TEXTS: Final = [
    field.name for field in CONTRACTS["trace"].fields if field.pii in {Pii.REDACT, Pii.REDACT_JSON}
]
_REDACT_FIRST: Final = "run `goldpan redact` over the file first, and look at its findings"


class SyntheticLabel(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a line that are not part of the trace."""

    label: str
    expected_response: str | None = None


@dataclass(frozen=True, slots=True)
class SyntheticRowPipeline:
    """The steps that a synthetic row must pass, as production records do.

    ``decoder`` decodes traces; ``load_redactor`` is called only if there are rows;
    ``without_erased`` removes records of erased persons and traces.
    """

    decoder: Decoder
    load_redactor: Callable[[], Redactor]
    without_erased: Callable[[DecodedBatch[Any]], DecodedBatch[Any]]
    now_us: Callable[[], int]


def read_synthetic_rows(
    spec: ReleaseSpec, folder: Path, pipeline: SyntheticRowPipeline
) -> SyntheticOffer | None:
    """Return the synthetic rows that a spec names, None if it names none.

    Relative paths are relative to ``folder``. Raises UsageError, with line and field, for the first
    line that is refused.
    """
    synthetic = spec.synthetic
    if synthetic is None:
        return None
    name = synthetic.file
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise UsageError(
            f"synthetic.file: {name} cannot be read: {error.strerror or type(error).__name__}."
        ) from None
    lines = [(n, line) for n, line in enumerate(data.splitlines(), 1) if line.strip()]
    rows = list(_read_rows(pipeline, _SyntheticFile(name, lines))) if lines else []
    accepted = spec.redaction_policies
    if rows and accepted != "any" and rows[0]["_policy"] not in accepted:
        raise UsageError(
            f"synthetic.file: the settings redact with policy {rows[0]['_policy']}, which "
            "`redaction_policies` does not accept."
        )
    return SyntheticOffer(synthetic.generator, hashlib.sha256(data).hexdigest(), rows)


class _SyntheticFile:
    """The lines of a file, for errors that name the line."""

    def __init__(self, name: str, lines: Sequence[tuple[int, bytes]]) -> None:
        self.name, self.lines = name, lines

    def error(self, number: int, problem: str) -> UsageError:
        """Return the error for a line."""
        return UsageError(f"{self.name}, line {number}: {problem}")


def _read_rows(pipeline: SyntheticRowPipeline, file: _SyntheticFile) -> Iterator[SyntheticRow]:
    labelled = [_split(file, number, line) for number, line in file.lines]
    raws = [
        RawRecord(0, number, -1, None, trace)
        for (number, _), (_, trace) in zip(file.lines, labelled, strict=True)
    ]
    decoded = _decode(pipeline.decoder, file, raws)
    _refuse_repeated(file, decoded)
    _refuse_erased(file, decoded, pipeline.without_erased(decoded))
    redactor = pipeline.load_redactor()
    traces = _redact_traces(file, redactor, decoded)
    responses = _check_responses(
        file, redactor, [label for label, _ in labelled], now=pipeline.now_us()
    )
    for trace, (label, _), response in zip(traces, labelled, responses, strict=True):
        # Not the current time, so that the same file gives the same rows.
        row = {
            **trace,
            "_ingested_at": trace["started_at"],
            "label": label.label,
            "expected_response": response,
        }
        yield cast("SyntheticRow", row)


def _split(file: _SyntheticFile, number: int, line: bytes) -> tuple[SyntheticLabel, bytes]:
    """Split a line into its label fields and the trace as JSON."""
    try:
        fields = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise file.error(number, "not a JSON object.") from None
    label_fields = {name: fields.pop(name) for name in _LABEL_FIELDS if name in fields}
    try:
        label = msgspec.json.decode(msgspec.json.encode(label_fields), type=SyntheticLabel)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise file.error(
            number, "`label` is required, and `label` and `expected_response` must be text."
        ) from None
    if label.label not in _LABELS:
        raise file.error(number, f"`label` must be one of {', '.join(_LABELS)}.")
    return label, msgspec.json.encode(fields)


def _decode(decoder: Decoder, file: _SyntheticFile, raws: Sequence[RawRecord]) -> DecodedBatch[Any]:
    decoded, refused = decoder.decode(SYNTHETIC_TOPIC, list(raws))
    if refused:
        first = min(refused, key=lambda record: record.raw.offset)
        raise file.error(first.raw.offset, first.detail)
    return decoded


def _refuse_repeated(file: _SyntheticFile, decoded: DecodedBatch[Any]) -> None:
    lines: dict[str, int] = {}
    for number, record in zip(decoded.offsets, decoded.records, strict=True):
        if record.trace_id in lines:
            first = lines[record.trace_id]
            raise file.error(number, f"`trace_id` is the same as in line {first}.")
        lines[record.trace_id] = number


def _refuse_erased(
    file: _SyntheticFile, decoded: DecodedBatch[Any], kept: DecodedBatch[Any]
) -> None:
    """Refuse rows of erased persons or traces: the file may be older than the erasure."""
    if erased := sorted({*decoded.offsets} - {*kept.offsets}):
        raise file.error(
            erased[0], "`user_id` or `trace_id` belongs to an erased person: remove the row."
        )


def _redact_traces(
    file: _SyntheticFile, redactor: Redactor, decoded: DecodedBatch[Any]
) -> list[Mapping[str, Any]]:
    """Return the rows after redaction; UsageError if it would change a text."""
    before = _to_rows(record_batch(RecordKind.TRACE, decoded, ingested_at=0, policy=""))
    outcome = redactor.redact(decoded, ingested_at=0)
    if outcome.rejected:
        first = min(outcome.rejected, key=lambda record: record.raw.offset)
        field = f"`{first.field}`: " if first.field else ""
        raise file.error(first.raw.offset, f"{field}{first.detail}")
    after = _to_rows(outcome.rows.value)
    for old, new in zip(before, after, strict=True):
        changed = [name for name in _TEXTS if old[name] != new[name]]
        if changed:
            raise file.error(
                new["_offset"], f"`{changed[0]}` holds personal data: {_REDACT_FIRST}."
            )
    return [{name: row[name] for name in TRACE_COLUMNS} for row in after]


def _to_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return list(batch.to_pylist(maps_as_pydicts="strict"))


def _check_responses(
    file: _SyntheticFile, redactor: Redactor, labels: Sequence[SyntheticLabel], *, now: int
) -> list[str | None]:
    """Return the expected responses; UsageError if redaction would change one."""
    texts = [ReviewTexts(None, label.expected_response) for label in labels]
    redacted = redact_review_texts(redactor, texts, now=now)
    for (number, _), old, new in zip(file.lines, texts, redacted, strict=True):
        if new.problem is not None or new.texts != old:
            raise file.error(number, f"`expected_response` holds personal data: {_REDACT_FIRST}.")
    return [label.expected_response for label in labels]
