"""A wrapper for values that have been through redaction.

The tables accept nothing else, and only the room ``redact`` creates it (proved from the source by
``tests/architecture``). So a forgotten call to redaction is a type error, not a leak.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, repr=False)
class Redacted(Generic[T_co]):
    """Wraps a ``value`` whose personal data was redacted under a policy.

    ``policy`` is the hash of the redaction policy that was applied.
    """

    value: T_co
    policy: str

    def __repr__(self) -> str:
        return f"Redacted(policy={self.policy!r})"
