"""The redactor of the policy `off`: everything passes as it is."""

from typing import Any

from redact.redactor import Outcome
from schemas.columns import record_batch
from schemas.provenance import Decoded
from schemas.redacted import Redacted


class OpenDoor:
    """Redacts nothing, and marks each row with the policy `off`."""

    policy_hash = "off"
    memory_bytes = 0

    def redact(self, decoded: Decoded[Any], *, ingested_at: int) -> Outcome:
        """Return all records as rows."""
        batch = record_batch(decoded.kind, decoded, ingested_at=ingested_at, policy="off")
        return Outcome(Redacted(batch, "off"), [])

    def statistics(self) -> dict[str, int]:
        """Return nothing: nothing is counted."""
        return {}
