"""Heads of a lake as files: written, signed under the redaction key where one is set, and read.

The signature is Ed25519 over the head as JSON (names in order, no white space), under the key that
signs receipts of erasures. A head without one proves as much, if it is kept where those who write
to the lake cannot reach it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lake.head import Head, from_json
from redact.keys import Keys
from redact.signing import Signer, canonical, is_signed, public_keys, with_signature
from schemas.errors import UsageError

_LARGEST: Final = 2**20


@dataclass(frozen=True, slots=True)
class Kept:
    """A head as it was kept; ``problems`` say why its signature is not to be trusted."""

    head: Head
    signed_by: str | None
    problems: Sequence[str] = ()


def document(head: Head, keys: Sequence[Keys]) -> dict[str, Any]:
    """Return a head as it is kept, signed under the first of the keys, if there is any."""
    body = head.to_json()
    return with_signature(body, Signer(keys[0].receipt)) if keys else body


def write(path: Path, body: dict[str, Any]) -> None:
    """Write a head; UsageError if the file cannot be written."""
    try:
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path, keys: Sequence[Keys]) -> Kept:
    """Read a head that was kept; UsageError if it is none.

    Where keys are known, one of them must have signed what is signed.
    """
    try:
        with path.open("rb") as file:
            body = json.loads(file.read(_LARGEST))
        signed_by, signature = body.pop("signed_by", None), body.pop("signature", None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{path} is no head of a lake, as --write-head writes it") from None
    head = from_json(body, where=str(path))
    if signed_by is None and signature is None:
        return Kept(head, None)
    if not is_signed(str(signed_by), canonical(head.to_json()), str(signature)):
        return Kept(head, None, [f"the head {path} is not as it was signed"])
    if keys and signed_by not in public_keys(one.receipt for one in keys):
        return Kept(head, signed_by, [f"the head {path} was signed under another key: {signed_by}"])
    return Kept(head, str(signed_by))
