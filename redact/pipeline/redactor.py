"""The interface of redactors: batches of records in, rows and rejected records out.

Nothing here imports a detector, so that importing the types loads none.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import pyarrow as pa

from redact.pipeline.audit import AuditEntry
from schemas.record_batches import DecodedBatch, RejectedRecord
from schemas.redacted import Redacted

FOUND_BY_PROOF: Final = "found_by_proof_"
"""Prefix of the counters of values that only the residual scan found; a type follows."""

PROVED_TYPES: Final = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "SECRET", "US_SSN")
"""Types with expressions of their own in the residual scan."""


@dataclass(frozen=True, slots=True)
class RedactionOutcome:
    """The result for a batch: rows for the table, and the records that could not be redacted.

    ``audit`` lists what was done to each record in ``rows``, if the redactor keeps an audit.
    """

    rows: Redacted[pa.RecordBatch]
    rejected: list[RejectedRecord]
    audit: list[AuditEntry] = field(default_factory=list)


class Redactor(Protocol):
    """Redacts batches of records under one policy.

    ``memory_bytes`` is the approximate size limit of its caches.
    """

    policy_hash: str
    memory_bytes: int

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact a batch. The records are changed in place; never raises for a bad record.

        ``ingested_at`` in microseconds since 1970 (UTC).
        """

    def redact_again(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact records that were made from redacted rows, such as assembled traces.

        Stand-ins and pseudonyms in them stay as they are. What any text of a record teaches, and
        what its spans taught (``decoded.assembly``), counts for all of it.
        """

    def statistics(self) -> dict[str, int]:
        """Return counters since the start: records, findings, cache look-ups of segments."""
