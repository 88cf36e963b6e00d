"""A box that says: what is inside has been through redaction.

The tables accept nothing else, and only the room ``redact`` fills such a box (proved from the
source by ``tests/architecture``). So a forgotten call to redaction is a type error, not a leak.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, repr=False)
class Redacted(Generic[T_co]):
    """Holds a ``value`` from which personal data has been taken out under a policy.

    ``policy`` is the hash of the redaction policy that was applied.
    """

    value: T_co
    policy: str

    def __repr__(self) -> str:
        return f"Redacted(policy={self.policy!r})"
