"""Builds the redactor for a policy, and loads detectors only if something is redacted.

Presidio, spaCy and hyperscan take more than a second of CPU to import. A worker whose policy is
`off` does without: it needs this module, not ``redact.pipeline.policy_redactor``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from redact.crypto.keys import Keys
from redact.pipeline.passthrough import PassthroughRedactor
from redact.pipeline.redactor import Redactor
from redact.policies.policy import RedactionPolicy

if TYPE_CHECKING:
    from redact.pipeline.policy_redactor import PolicyRedactor


def build_redactor(
    policy: RedactionPolicy, keys: Keys, *, audit: bool = False, report: bool = False
) -> Redactor:
    """Build the redactor of a policy. It is pickled as policy and keys, and rebuilt from them.

    With ``audit`` each outcome includes what was done to each record, with ``report`` also what
    was found and kept.

    Raises:
        UsageError: the policy names a model that does not exist.
    """
    if policy.off:
        return PassthroughRedactor()
    engine = cast(
        "type[PolicyRedactor]", import_module("redact.pipeline.policy_redactor").PolicyRedactor
    )
    return engine(policy, keys, audit=audit, report=report)
