"""Reads and writes head files of a lake, signed if a redaction key is set.

The signature is Ed25519 over the head as JSON (sorted names, no white space), made with the key
that signs receipts of erasures. An unsigned head proves as much, if it is kept where nobody who can
write to the lake can reach it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lake.head import LakeHead, parse_head
from redact.crypto.keys import Keys
from redact.crypto.signing import (
    Signer,
    add_signature,
    public_keys,
    signing_bytes,
    verify_signature,
)
from schemas.errors import UsageError

_MAX_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head read from a file; ``problems`` say why its signature cannot be trusted."""

    head: LakeHead
    signed_by: str | None
    problems: Sequence[str] = ()


def sign_head(head: LakeHead, keys: Sequence[Keys]) -> dict[str, Any]:
    """Return the JSON of a head, signed with the first key if there is one."""
    body = head.to_json()
    return add_signature(body, Signer(keys[0].receipt)) if keys else body


def write_head(path: Path, body: dict[str, Any]) -> None:
    """Write a head; UsageError if the file cannot be written."""
    try:
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def read_head(path: Path, keys: Sequence[Keys]) -> SignedHead:
    """Read a head from a file; UsageError if it is not one.

    If keys are given, the signature of a signed head must be by one of them.
    """
    try:
        with path.open("rb") as file:
            body = json.loads(file.read(_MAX_BYTES))
        signed_by, signature = body.pop("signed_by", None), body.pop("signature", None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{path} is not the head of a lake (as written by --write-head)") from None
    head = parse_head(body, origin=str(path))
    if signed_by is None and signature is None:
        return SignedHead(head, None)
    if not verify_signature(str(signed_by), signing_bytes(head.to_json()), str(signature)):
        return SignedHead(head, None, [f"the head {path} was changed after it was signed"])
    if keys and signed_by not in public_keys(key.receipt for key in keys):
        return SignedHead(
            head, signed_by, [f"the head {path} was signed with another key: {signed_by}"]
        )
    return SignedHead(head, str(signed_by))
