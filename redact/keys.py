"""The keys of redaction: one secret, from which a key for each purpose is derived.

Destroying the secret ends the linkability of all pseudonyms and fingerprints made with it.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from redact.config import RedactSettings
from schemas.errors import UsageError

KEY_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class SealKey:
    """An AES-256 key for quarantined payloads, and its name."""

    key_id: str
    secret: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Keys by purpose, 32 bytes each, so that no value of one kind can be compared to another."""

    key_id: str
    pseudonym: bytes
    fingerprint: bytes
    cache: bytes
    release: bytes

    @classmethod
    def derive(cls, secret: bytes, key_id: str = "k1") -> "Keys":
        """Derive the keys from a secret of 32 bytes (HMAC-SHA256 over the purpose).

        Raises:
            UsageError: the secret is not 32 bytes long.
        """
        if len(secret) != KEY_BYTES:
            raise UsageError("The redaction key must be 32 bytes, given in base64.")
        pseudonym, fingerprint, cache, release = (
            hmac.digest(secret, f"goldpan/{purpose}".encode(), "sha256")
            for purpose in ("pseudonym", "fingerprint", "cache", "release")
        )
        return cls(key_id, pseudonym, fingerprint, cache, release)


def load_keys(settings: RedactSettings, *, default_secret: bytes | None = None) -> Keys:
    """Take the keys from the settings; ``default_secret`` stands in where none is set.

    Raises:
        UsageError: no key is set and there is no default, or it is not base64 of 32 bytes.
    """
    secret = _secret("GOLDPAN_REDACT__KEY", settings.key, settings.key_file) or default_secret
    if secret is None:
        raise UsageError(
            "No redaction key is set: put 32 random bytes in base64 into GOLDPAN_REDACT__KEY "
            "(for example from `openssl rand -base64 32`), or name a file in "
            "GOLDPAN_REDACT__KEY_FILE."
        )
    return Keys.derive(secret, settings.key_id)


def load_seal_key(settings: RedactSettings) -> SealKey | None:
    """Take the sealing key from the settings, if there is one.

    Raises:
        UsageError: it is not base64 of 32 bytes.
    """
    secret = _secret("GOLDPAN_REDACT__SEAL_KEY", settings.seal_key, settings.seal_key_file)
    return None if secret is None else SealKey(settings.seal_key_id, secret)


def _secret(name: str, value: SecretStr | None, file: Path | None) -> bytes | None:
    if value is not None:
        encoded = value.get_secret_value()
    elif file is not None:
        try:
            encoded = file.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"The file that {name}_FILE names cannot be read.") from None
    else:
        return None
    try:
        secret = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not base64.") from None
    if len(secret) != KEY_BYTES:
        raise UsageError(f"{name} must be base64 of 32 bytes, not of {len(secret)}.")
    return secret
