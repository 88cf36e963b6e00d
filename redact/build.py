"""The redactor that a policy asks for; detectors are loaded only where something is redacted.

Presidio, spaCy and hyperscan take more than a second of CPU to import. A worker whose policy is
`off` does without: it needs this module, not ``redact.engine``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from redact.keys import Keys
from redact.open_door import OpenDoor
from redact.policy import Policy
from redact.redactor import Redactor

if TYPE_CHECKING:
    from redact.engine import PolicyRedactor


def build_redactor(
    policy: Policy, keys: Keys, *, audit: bool = False, report: bool = False
) -> Redactor:
    """Make the redactor of a policy. It pickles as its policy and keys, and is built anew.

    With ``audit`` each outcome says what was done to each record, with ``report`` as well what was
    found and kept.

    Raises:
        UsageError: the policy names a model that is not there.
    """
    if policy.off:
        return OpenDoor()
    engine = cast("type[PolicyRedactor]", import_module("redact.engine").PolicyRedactor)
    return engine(policy, keys, audit=audit, report=report)
