"""Seals bytes under a key: AES-256-GCM, in which the same bytes are always sealed the same.

The nonce is derived from key, place and value (as in RFC 5297), so that no nonce is used for two
values. The place is associated data: sealed bytes cannot be moved to another one.
"""

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12


class CannotOpenError(ValueError):
    """Sealed bytes were sealed with another key or for another place, or they were changed."""


def seal_bytes(key: bytes, value: bytes, bound_to: bytes) -> bytes:
    """Return a value sealed under a key (32 bytes), bound to a place."""
    nonce = hmac.digest(key, bound_to + b"\0" + value, "sha256")[:_NONCE_BYTES]
    return nonce + AESGCM(key).encrypt(nonce, value, bound_to)


def open_bytes(key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Return the value of sealed bytes. Raises CannotOpenError."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):
        raise CannotOpenError("it cannot be opened: another key, or it was changed") from None
