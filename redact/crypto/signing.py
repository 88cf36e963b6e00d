"""Signatures of receipts and heads, so that forgeries are detected.

Ed25519 (RFC 8032) under a key whose seed is derived from the redaction secret: the same text always
gets the same signature. Keys and signatures are hex digits.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Signer:
    """Signs under a seed of 32 bytes, such as `redact.crypto.keys.Keys.receipt`."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public(self) -> str:
        """Return the public key."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message."""
        return self._key.sign(message).hex()


def public_keys(seeds: Iterable[bytes]) -> set[str]:
    """Return the public keys of some seeds."""
    return {Signer(seed).public for seed in seeds}


def signing_bytes(body: Mapping[str, Any]) -> bytes:
    """Return the bytes of a document to sign: JSON with sorted names, no white space."""
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode()


def add_signature(body: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """Return a document with the public key and signature of the signer."""
    return {**body, "signed_by": signer.public, "signature": signer.sign(signing_bytes(body))}


def verify_signature(public: str, message: bytes, signature: str) -> bool:
    """Return whether a signature of a message is valid; False if the public key is malformed."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), message)
    except (ValueError, InvalidSignature):
        return False
    return True
