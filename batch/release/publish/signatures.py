"""Signatures of publishers, in separate files that leave the release unchanged.

A digest identifies a release and says nothing about its origin. Each publisher (the holder of an
Ed25519 key, RFC 8032) may put a file ``SIGNED-….json`` into the folder of a version. The signed
text is the canonical JSON (sorted keys, no spaces) of everything in that file except ``signed_by``
and ``signature``: the name, the version and the digest of the manifest, which stays the same when
rows are erased.

Anyone with write access to the folder can remove such a file, or add one under a key of their own.
So a signature counts only if the reader requires one by a known key (``verify --signed-by``).
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Final

from batch.release.format.commitments import canonical_json
from batch.release.format.files import SIGNATURE_PREFIX, pretty_json
from batch.release.publish.reference import KEY_DIGITS
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from redact.crypto.signing import Signer, verify_signature
from schemas.errors import UsageError

SIGNATURE_FORMAT: Final = 1
SIGNED_KIND: Final = "goldpan release"
_SEED_BYTES: Final = 32


def signer_from_key(name: str, encoded: str) -> Signer:
    """Return the signer for a key (base64 of 32 bytes), which the setting ``name`` holds.

    Raises UsageError, without quoting the key, if it is not one.
    """
    try:
        seed = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not base64.") from None
    if len(seed) != _SEED_BYTES:
        raise UsageError(f"{name} must be base64 of {_SEED_BYTES} bytes, not of {len(seed)}.")
    return Signer(seed)


def sign_version(repository: ReleaseRepository, release: ReleaseVersion, publisher: Signer) -> None:
    """Put the signature of a publisher beside a version; may be repeated."""
    body = _body(release.name, str(release.version), release.digest)
    signature = publisher.sign(canonical_json(body))
    repository.put_new(
        f"{release.folder}/{_file(publisher.public)}",
        pretty_json({**body, "signed_by": publisher.public, "signature": signature}),
    )


def is_signature_file(file: str) -> bool:
    """Return whether a file of a release has the name of a signature."""
    return file.startswith(SIGNATURE_PREFIX) and file.endswith(".json")


def check_signatures(
    files: Mapping[str, bytes], name: str, version: str, digest: str
) -> tuple[list[str], list[str]]:
    """Return the public keys that signed a version, and the problems of signature files."""
    body, keys, problems = _body(name, version, digest), [], []
    for file in sorted(filter(is_signature_file, files)):
        key = _key(files[file], body)
        if key is None:
            problems.append(f"{file} was changed, or belongs to another release")
        else:
            keys.append(key)
    return sorted(set(keys)), problems


def _body(name: str, version: str, digest: str) -> dict[str, object]:
    return {
        "format": SIGNATURE_FORMAT,
        "what": SIGNED_KIND,
        "name": name,
        "version": version,
        "digest": f"sha256:{digest}",
    }


def _key(data: bytes, body: Mapping[str, object]) -> str | None:
    """Return the key of a signature file, None unless it is a valid signature of ``body``."""
    try:
        document = json.loads(data)
        key, signature = document.pop("signed_by"), document.pop("signature")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if document != body or not KEY_DIGITS.fullmatch(str(key)):
        return None
    valid = verify_signature(str(key), canonical_json(document), str(signature))
    return str(key) if valid else None


def _file(public: str) -> str:
    return f"{SIGNATURE_PREFIX}{public[:16]}.json"
