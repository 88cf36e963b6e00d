"""Checks producers' records and schemas against the contract, as the worker would."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from decode.avro_reader import prepare_schema
from decode.decoder import Decoder
from decode.refusal import Refusal
from decode.schema_sources import FolderSource
from decode.unknown_fields import find_unknown_fields
from schemas.contract import CONTRACTS
from schemas.errors import UsageError
from schemas.reasons import QuarantineReason
from schemas.record_batches import RawRecord, RecordKind

_BATCH_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class ContractViolation:
    """A record that would be quarantined: ``line`` (from 1) of its file, None for a whole file.

    ``unknown`` has the paths of fields that are not in the contract, each with the most similar
    known field, if any. They are for the owner of the file: a worker never logs or stores them,
    since a field name can be personal data too.
    """

    line: int | None
    reason: str
    detail: str
    field: str | None
    unknown: Sequence[str] = ()


def check_lines(
    kind: RecordKind, lines: Iterable[bytes], *, max_record_bytes: int
) -> Iterator[tuple[int, list[ContractViolation]]]:
    """Yield for each block of lines how many fit, and the violations; skip blank lines."""
    decoder = Decoder(kind, FolderSource(), max_record_bytes=max_record_bytes)
    batch: list[RawRecord] = []
    for line_number, line in enumerate(lines, 1):
        if text := line.strip():
            batch.append(RawRecord(0, line_number, -1, None, text))
        if len(batch) == _BATCH_LINES:
            yield _check_batch(decoder, batch)
            batch = []
    yield _check_batch(decoder, batch)


def _check_batch(decoder: Decoder, batch: list[RawRecord]) -> tuple[int, list[ContractViolation]]:
    decoded, rejected = decoder.decode("", batch)
    violations = [
        ContractViolation(
            record.raw.offset,
            str(record.reason),
            record.detail,
            record.field,
            find_unknown_fields(decoder.kind, record.raw.value or b"")
            if record.reason is QuarantineReason.UNKNOWN_FIELD
            else (),
        )
        for record in rejected
    ]
    return len(decoded), violations


def check_avro_schema(kind: RecordKind, text: bytes) -> ContractViolation | None:
    """Return why records of an Avro schema (its JSON) are unreadable; None if they are not."""
    try:
        avsc = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("an Avro schema must be JSON, and this file is not") from None
    prepared = prepare_schema(CONTRACTS[kind], avsc)
    if isinstance(prepared, Refusal):
        return ContractViolation(None, str(prepared.reason), prepared.detail, prepared.field)
    return None
