"""Who published a release: signatures of its publishers, beside files that they do not change.

A digest says what a release is and nothing about who made it. Each publisher (a holder of an Ed25519
key, RFC 8032) may put a file ``SIGNED-….json`` into the folder of a version. What is signed is the
canonical JSON (keys in order, no spaces) of everything in that file but ``signed_by`` and
``signature``: the name, the version and the digest of the manifest, which stays when rows are erased.

Whoever can write into the folder can take such a file away or add one of his own key. So a signature
counts only where somebody asks for that of a key that he knows (``verify --signed-by``).
"""  # noqa: E501 - a line of prose

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Final

from batch.release.format.files import SIGNATURE_PREFIX, pretty_json
from batch.release.format.rows import canonical_json
from batch.release.format.version import KEY_DIGITS
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from redact.crypto.signing import Signer, verify_signature
from schemas.errors import UsageError

FORMAT: Final = 1
SIGNED_KIND: Final = "goldpan release"
_SEED_BYTES: Final = 32


def signer_from_key(name: str, encoded: str) -> Signer:
    """Return who signs with a key (base64 of 32 bytes), which the setting ``name`` holds.

    Raises UsageError, without the key, if it is none.
    """
    try:
        seed = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise UsageError(f"{name} is not base64.") from None
    if len(seed) != _SEED_BYTES:
        raise UsageError(f"{name} must be base64 of {_SEED_BYTES} bytes, not of {len(seed)}.")
    return Signer(seed)


def sign_version(shelf: ReleaseRepository, one: ReleaseVersion, publisher: Signer) -> None:
    """Put the signature of a publisher beside a version; it is no error if it is there."""
    said = _said(one.name, str(one.version), one.digest)
    shelf.put_new(
        f"{one.folder}/{_file(publisher.public)}",
        pretty_json(
            {
                **said,
                "signed_by": publisher.public,
                "signature": publisher.sign(canonical_json(said)),
            }
        ),
    )


def is_signature_file(file: str) -> bool:
    """Tell whether a file of a release is called as signatures are."""
    return file.startswith(SIGNATURE_PREFIX) and file.endswith(".json")


def check_signatures(
    found: Mapping[str, bytes], name: str, version: str, digest: str
) -> tuple[list[str], list[str]]:
    """Return the public keys whose holders signed a version, and what is wrong with signatures."""
    said, keys, faults = _said(name, version, digest), [], []
    for file in sorted(filter(is_signature_file, found)):
        key = _key(found[file], said)
        if key is None:
            faults.append(f"{file} was changed, or is of another release")
        else:
            keys.append(key)
    return sorted(set(keys)), faults


def _said(name: str, version: str, digest: str) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "what": SIGNED_KIND,
        "name": name,
        "version": version,
        "digest": f"sha256:{digest}",
    }


def _key(data: bytes, said: Mapping[str, Any]) -> str | None:
    """Return whose signature a file is, None if it is no good one of what was to be ``said``."""
    try:
        whole = json.loads(data)
        key, signature = whole.pop("signed_by"), whole.pop("signature")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if whole != said or not KEY_DIGITS.fullmatch(str(key)):
        return None
    return str(key) if verify_signature(str(key), canonical_json(whole), str(signature)) else None


def _file(public: str) -> str:
    return f"{SIGNATURE_PREFIX}{public[:16]}.json"
