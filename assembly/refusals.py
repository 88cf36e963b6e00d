"""Why something that was made of spans was not written, in words that hold nothing of it."""

import hashlib
from typing import Final, NamedTuple

from schemas.record_batches import RejectedRecord
from schemas.record_rules import RuleBreach

INVALID: Final = "invalid"
NOT_REDACTED: Final = "not_redacted"
ERASED: Final = "erased"


class AssemblyRefusal(NamedTuple):
    """Why a row or a feedback was refused.

    ``kind`` is ``invalid``, ``not_redacted`` or ``erased``; ``reason`` is a word, such as a reason
    of quarantine; ``detail`` is a sentence.
    """

    kind: str
    reason: str
    detail: str


OF_ERASED: Final = AssemblyRefusal(ERASED, ERASED, "It is an erased person's.")
NOT_ALLOWED: Final = AssemblyRefusal(
    INVALID, INVALID, "A field has a type or a value that the contract does not allow."
)


def refuse_breach(breach: RuleBreach) -> AssemblyRefusal:
    """Return the refusal of a record that breaks a rule of the contract."""
    return AssemblyRefusal(INVALID, breach.reason.value, breach.detail)


def refuse_rejected(rejected: RejectedRecord) -> AssemblyRefusal:
    """Return the refusal of a record that could not be redacted."""
    return AssemblyRefusal(NOT_REDACTED, rejected.reason, rejected.detail)


def mark_trace(trace_id: str) -> str:
    """Return a mark of a trace for logs: the first 16 characters of its SHA-256 in hex.

    The id itself may be what redaction refused.
    """
    return hashlib.sha256(trace_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
