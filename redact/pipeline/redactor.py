"""What a redactor is to those who use one: batches of records in, rows and refusals out.

Nothing here needs a detector, so that who only names the types does not load any.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow as pa

from redact.pipeline.audit import AuditEntry
from schemas.record_batches import DecodedBatch, RejectedRecord
from schemas.redacted import Redacted

FOUND_BY_PROOF: Final = "found_by_proof_"
"""What the counters begin with of values that only the second look found; a type follows."""

PROVED_TYPES: Final = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "SECRET", "US_SSN")
"""Types that the second look has expressions of its own for."""


@dataclass(frozen=True, slots=True)
class RedactionOutcome:
    """What came of a batch: rows for the table, and the records that could not be redacted.

    ``audit`` says what was done to each record in ``rows``, where the redactor was asked to.
    """

    rows: Redacted[pa.RecordBatch]
    rejected: list[RejectedRecord]
    audit: list[AuditEntry] = field(default_factory=list)


class Redactor(Protocol):
    """Redacts batches of records under one policy.

    ``memory_bytes`` is about how far its memories of texts may grow.
    """

    policy_hash: str
    memory_bytes: int

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact a batch. The records are changed in place; never raises for a bad record.

        ``ingested_at`` in microseconds since 1970 (UTC).
        """

    def statistics(self) -> dict[str, int]:
        """Return counters since the start: records, findings, look-ups of segments."""
