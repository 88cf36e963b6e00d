"""Settings of redaction: the policy, and the sources of the keys."""

from pathlib import Path

from pydantic import Field, SecretStr

from schemas.settings import SettingsGroup


class RedactSettings(SettingsGroup):
    """The settings ``GOLDPAN_REDACT__...``."""

    policy: str = Field(
        default="strict",
        description="A preset (strict, hipaa, gdpr, ccpa), the path of a policy file, or `off`, "
        "which redacts nothing.",
    )
    key: SecretStr | None = Field(
        default=None, description="The key of pseudonyms and fingerprints: base64 of 32 bytes."
    )
    key_file: Path | None = Field(default=None, description="A file with the key instead.")
    key_id: str = Field(
        default="k1",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="The name of the key: the prefix of each pseudonym, so that keys can rotate.",
    )
    former_keys: SecretStr | None = Field(
        default=None,
        description="Keys that were rotated out, as a JSON object of base64 by key id: they still "
        "recognise pseudonyms and erased persons.",
    )
    former_keys_file: Path | None = Field(
        default=None, description="A file with the former keys instead."
    )
    audit: bool = Field(
        default=True,
        description="Keep an audit of all replacements in the table `redactions`: counts and "
        "positions, never values.",
    )
    audit_kept: bool = Field(
        default=False,
        description="Count kept findings in the audit, too (operator `keep` in `counts`): kept "
        "types must then be searched for, which costs CPU.",
    )
    compiled: bool = Field(
        default=True,
        description="Run the compiled modules of redaction, in a build that has them: the image, "
        "or a wheel of `make wheel`. Only from the environment. `false` runs the same code as pure "
        "Python.",
    )
    cache_dir: Path | None = Field(
        default=None,
        description="Folder for compiled expressions, under a MAC of the key: a worker that finds "
        "its own there starts with a third of the CPU time. It may be emptied at any time.",
    )
    seal_key: SecretStr | None = Field(
        default=None,
        description="The key that seals the payload of quarantined records: base64 of 32 bytes. "
        "Without it only their coordinates are stored.",
    )
    seal_key_file: Path | None = Field(
        default=None, description="A file with the sealing key instead."
    )
    seal_key_id: str = Field(
        default="s1",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="The name of the sealing key, stored beside each payload that it sealed.",
    )
