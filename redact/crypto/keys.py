"""The keys of redaction: one secret, and a key derived from it for each purpose.

Destroying the secret ends the linkability of all pseudonyms and fingerprints made with it.
"""

import base64
import binascii
import hmac
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from redact.policies.settings import RedactSettings
from schemas.errors import UsageError
from schemas.text_files import read_text_file

KEY_BYTES = 32
KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,16}")
_FORMER: Final = "GOLDPAN_REDACT__FORMER_KEYS"


@dataclass(frozen=True, slots=True, repr=False)
class SealKey:
    """An AES-256 key for quarantined payloads, and its name."""

    key_id: str
    secret: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Keys by purpose, 32 bytes each, so that values of different purposes are not comparable.

    ``erasure`` marks the persons and traces of tombstones (`redact.crypto.subjects`). ``receipt``
    is the seed of the Ed25519 key that signs receipts of erasures. ``databases`` authenticates
    compiled expressions (`redact.recognition.kept_databases`).
    """

    key_id: str
    pseudonym: bytes
    fingerprint: bytes
    cache: bytes
    release: bytes
    erasure: bytes
    receipt: bytes
    databases: bytes

    @classmethod
    def derive(cls, secret: bytes, key_id: str = "k1") -> "Keys":
        """Derive the keys from a secret of 32 bytes (HMAC-SHA256 over the purpose).

        Raises:
            UsageError: the secret is not 32 bytes long.
        """
        if len(secret) != KEY_BYTES:
            raise UsageError("The redaction key must be 32 bytes, given in base64.")
        purposes = (
            "pseudonym",
            "fingerprint",
            "cache",
            "release",
            "erasure",
            "receipt",
            "databases",
        )
        return cls(
            key_id, *(hmac.digest(secret, f"goldpan/{p}".encode(), "sha256") for p in purposes)
        )

    @property
    def name(self) -> str:
        """Return the key's id and a check of its secret, such as ``k1.5c0e91d2a7f4``.

        Two secrets with the same id have different names.
        """
        return f"{self.key_id}.{hmac.digest(self.erasure, b'name', 'sha256').hex()[:12]}"


def load_keys(settings: RedactSettings, *, default_secret: bytes | None = None) -> Keys:
    """Load the keys from the settings; ``default_secret`` is used if none is set.

    Raises:
        UsageError: no key is set and there is no default, or it is not base64 of 32 bytes.
    """
    secret = _load_secret("GOLDPAN_REDACT__KEY", settings.key, settings.key_file) or default_secret
    if secret is None:
        raise UsageError(
            "No redaction key is set: put 32 random bytes in base64 into GOLDPAN_REDACT__KEY "
            "(for example from `openssl rand -base64 32`), or name a file in "
            "GOLDPAN_REDACT__KEY_FILE."
        )
    return Keys.derive(secret, settings.key_id)


def load_all_keys(settings: RedactSettings) -> tuple[Keys, ...]:
    """Load all keys, the current one first, then the former ones.

    Empty if none is set: then no pseudonym or mark can be recognised.

    Raises:
        UsageError: one of them is not usable.
    """
    secret = _load_secret("GOLDPAN_REDACT__KEY", settings.key, settings.key_file)
    current = [] if secret is None else [Keys.derive(secret, settings.key_id)]
    return (*current, *_load_former_keys(settings))


def _load_former_keys(settings: RedactSettings) -> list[Keys]:
    text = _load_text(_FORMER, settings.former_keys, settings.former_keys_file)
    if text is None:
        return []
    try:
        by_id = json.loads(text)
    except ValueError:
        by_id = None
    source = _describe_former_source(settings)
    if not isinstance(by_id, dict) or not all(map(KEY_ID.fullmatch, by_id)):
        raise UsageError(
            f'{source} must be a JSON object of keys in base64 by their ids: {{"k1": "…"}}.'
        )
    secrets = (
        (key_id, _decode_secret(f"The key {key_id} in {source}", by_id[key_id])) for key_id in by_id
    )
    return [Keys.derive(secret, key_id) for key_id, secret in secrets]


def _describe_former_source(settings: RedactSettings) -> str:
    if settings.former_keys is not None:
        return _FORMER
    return f"the file {settings.former_keys_file} of {_FORMER}_FILE"


def load_seal_key(settings: RedactSettings) -> SealKey | None:
    """Load the sealing key from the settings, if there is one.

    Raises:
        UsageError: it is not base64 of 32 bytes.
    """
    secret = _load_secret("GOLDPAN_REDACT__SEAL_KEY", settings.seal_key, settings.seal_key_file)
    return None if secret is None else SealKey(settings.seal_key_id, secret)


def _load_secret(name: str, value: SecretStr | None, file: Path | None) -> bytes | None:
    encoded = _load_text(name, value, file)
    return None if encoded is None else _decode_secret(_describe_source(name, value, file), encoded)


def _describe_source(name: str, value: SecretStr | None, file: Path | None) -> str:
    """Return the name of a key for messages: its setting, or its file."""
    return name if value is not None else f"The key in the file {file} of {name}_FILE"


def _load_text(name: str, value: SecretStr | None, file: Path | None) -> str | None:
    if value is not None:
        return value.get_secret_value()
    if file is None:
        return None
    return read_text_file(file, f"The file {file} of {name}_FILE")


def _decode_secret(name: str, encoded: object) -> bytes:
    try:
        secret = base64.b64decode(str(encoded).strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not base64.") from None
    if len(secret) != KEY_BYTES:
        raise UsageError(f"{name} must be base64 of 32 bytes, not of {len(secret)}.")
    return secret
