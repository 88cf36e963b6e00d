"""Makes records of the contract from values that were assembled, as batches without numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from assembly.refusals import NOT_ALLOWED, AssemblyRefusal, refuse_breach
from lake.table_log import ASSEMBLY_SEQUENCE
from schemas.assembly_columns import AssemblyFacts
from schemas.contract import CONTRACTS
from schemas.record_batches import DecodedBatch, RecordKind, batch_records
from schemas.record_rules import NORMALIZERS
from schemas.records import Feedback, Trace

RecordT = TypeVar("RecordT", Trace, Feedback)


def convert_values(
    kind: RecordKind, record_type: type[RecordT], values: Mapping[str, Any]
) -> RecordT | AssemblyRefusal:
    """Return a record of the contract, or which rule it breaks."""
    try:
        record = msgspec.convert(dict(values), record_type)
    except (msgspec.ValidationError, ValueError):
        return NOT_ALLOWED
    breach = NORMALIZERS[kind](record)
    return record if breach is None else refuse_breach(breach)


def make_batch(
    kind: RecordKind, records: Sequence[RecordT], assembly: Sequence[AssemblyFacts] = ()
) -> DecodedBatch[RecordT]:
    """Return records as a batch. Their numbers are provisional: their places in it."""
    return batch_records(
        kind,
        ASSEMBLY_SEQUENCE,
        records,
        schema_id=CONTRACTS[kind].fingerprint,
        assembly=assembly,
    )
