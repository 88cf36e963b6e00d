"""The redactor of the policy `off`: every record passes unchanged."""

from typing import Any

from redact.pipeline.redactor import RedactionOutcome
from schemas.columns import record_batch
from schemas.record_batches import DecodedBatch
from schemas.redacted import Redacted


class PassthroughRedactor:
    """Redacts nothing, and marks each row with the policy `off`."""

    policy_hash = "off"
    memory_bytes = 0

    def redact(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Return all records as rows."""
        batch = record_batch(decoded.kind, decoded, ingested_at=ingested_at, policy="off")
        return RedactionOutcome(Redacted(batch, "off"), [])

    def redact_again(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Return all records as rows."""
        return self.redact(decoded, ingested_at=ingested_at)

    def statistics(self) -> dict[str, int]:
        """Return an empty mapping: nothing is counted."""
        return {}
