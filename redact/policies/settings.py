"""Settings of redaction: the policy, and the sources of the keys."""

from pathlib import Path

from pydantic import Field, SecretStr

from schemas.settings import SettingsGroup


class RedactSettings(SettingsGroup):
    """The settings ``GOLDPAN_REDACT__...``."""

    policy: str = Field(
        default="strict",
        description="A preset (strict, hipaa, gdpr, ccpa), the path of a policy file, or `off`: "
        "nothing is redacted.",
    )
    key: SecretStr | None = Field(
        default=None, description="The key of pseudonyms and fingerprints: base64 of 32 bytes."
    )
    key_file: Path | None = Field(default=None, description="A file that holds the key instead.")
    key_id: str = Field(
        default="k1",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="The name of the key: stands before each pseudonym, so that keys can rotate.",
    )
    former_keys: SecretStr | None = Field(
        default=None,
        description="Keys that were rotated out, as a JSON object of base64 by key id: under them "
        "pseudonyms and erased persons are still recognised.",
    )
    former_keys_file: Path | None = Field(
        default=None, description="A file that holds the former keys instead."
    )
    audit: bool = Field(
        default=True,
        description="Keep an audit of what was replaced where, in the table `redactions`: "
        "counts and places, never values.",
    )
    audit_kept: bool = Field(
        default=False,
        description="Count in the audit also what was found and kept, as the policy says (operator "
        "`keep` in `counts`): types that are kept must then be looked for, which costs CPU.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="Seals the payload of quarantined records: base64 of 32 bytes. Without it "
        "only their coordinates are kept.",
    )
    seal_key_file: Path | None = Field(
        default=None, description="A file that holds the sealing key instead."
    )
    seal_key_id: str = Field(
        default="s1",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="The name of the sealing key: stands beside each payload that it sealed.",
    )
