"""Parses references to releases: name, version, pinned digest, and the signer's key."""

import re
from typing import Final, NamedTuple

from batch.release.format.version import is_version_part
from schemas.errors import UsageError

_DIGEST = re.compile(r"sha256:[0-9a-f]{12,64}")
_PIN = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
KEY_DIGITS: Final = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})(?:@(.+))?")


class ReleaseReference(NamedTuple):
    """A name, and the selector of one of its versions: ``latest``, a number or a digest."""

    name: str
    selector: str


def parse_reference(text: str) -> ReleaseReference:
    """Read ``name``, ``name@latest``, ``name@3``, ``name@3.1``, ``name@3.1.0``, ``name@sha256:…``.

    Raises UsageError for anything else.
    """
    match = _REFERENCE.fullmatch(text)
    selector = (match[2] or "latest") if match else ""
    numbers = selector.split(".")
    is_valid = (
        selector == "latest"
        or _DIGEST.fullmatch(selector)
        or (len(numbers) <= 3 and all(map(is_version_part, numbers)))
    )
    if match and is_valid:
        return ReleaseReference(match[1], selector)
    raise UsageError(
        f"{text!r} is not the name of a release: write name@latest, name@3, name@3.1.0 or "
        "name@sha256:… (12 to 64 digits)"
    )


def parse_pin(text: str) -> str:
    """Read a pinned digest, ``sha256:…`` or its 64 digits alone; return the digits.

    Raises UsageError for anything else: part of a digest, or an empty one, would match releases
    that were never pinned.
    """
    match = _PIN.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a pin: give the full digest, sha256: and its 64 digits (0-9, a-f), "
            "as printed by `goldpan release build` and `goldpan release list --json`"
        )
    return match[1]


def parse_key(text: str) -> str:
    """Read a public key, 64 hex digits; UsageError for anything else."""
    if not KEY_DIGITS.fullmatch(text):
        raise UsageError(f"{text!r} is not a public key: give its 64 digits (0-9, a-f), as printed")
    return text
