"""Versions of a release, and which one comes next: decided from what changed, not by a person.

Semantic versioning, for data (semver.org 2.0.0): *major* when rows were edited, removed, erased,
relabelled or moved across the holdout line, *minor* when rows were only added, *patch* when the
rows are the same and something else is not: weights, evidence, the datasheet.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from schemas.errors import UsageError

_NUMBER = re.compile(r"(0|[1-9]\d{0,8})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{12,64}")
_PIN = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
KEY_DIGITS: Final = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})(?:@(.+))?")


class SemanticVersion(NamedTuple):
    """A version; they compare as one expects."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> "SemanticVersion":
        """Read ``3.1.0``; ValueError if it is none."""
        parts = text.split(".")
        if len(parts) != 3 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise ValueError("a version is three numbers, as in 3.1.0")
        return cls(*map(int, parts))


FIRST_VERSION = SemanticVersion(1, 0, 0)


class ChangeLevel(StrEnum):
    """How much a release differs from the one before it."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


def bump_version(version: SemanticVersion, level: ChangeLevel) -> SemanticVersion:
    """Return the version that comes after, if so much changed."""
    if level is ChangeLevel.MAJOR:
        return SemanticVersion(version.major + 1, 0, 0)
    if level is ChangeLevel.MINOR:
        return SemanticVersion(version.major, version.minor + 1, 0)
    return SemanticVersion(version.major, version.minor, version.patch + 1)


class RowFingerprint(NamedTuple):
    """What of a row decides about the version: its content's commitment, its label, its side."""

    content: str
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class RowChanges:
    """How the rows of two releases differ, by trace id. ``edited`` have the same label.

    ``erased`` counts rows that the first one had and that nobody can name any more.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    same: int = 0
    erased: int = 0

    @property
    def level(self) -> ChangeLevel:
        """Return what the rows alone make of it; NONE if they are the same."""
        if self.removed or self.relabelled or self.edited or self.moved or self.erased:
            return ChangeLevel.MAJOR
        return ChangeLevel.MINOR if self.added else ChangeLevel.NONE

    def counts(self) -> dict[str, int]:
        """Return how many rows there are of each kind."""
        return {
            "added": len(self.added),
            "removed": len(self.removed),
            "relabelled": len(self.relabelled),
            "edited": len(self.edited),
            "moved": len(self.moved),
            "erased": self.erased,
            "same": self.same,
        }


def compare_rows(
    before: Mapping[str, RowFingerprint],
    after: Mapping[str, RowFingerprint],
    erased: Collection[str] = (),
) -> RowChanges:
    """Compare the rows of two releases of one name, by trace id.

    ``erased`` are the commitments (`Commitment.content`) of rows that ``before`` had once.
    """
    both = sorted(before.keys() & after.keys())
    other = [t for t in both if before[t].content != after[t].content]
    relabelled = [t for t in other if before[t].label != after[t].label]
    stayed = [t for t in both if before[t].content == after[t].content]
    return RowChanges(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        relabelled=tuple(relabelled),
        edited=tuple(t for t in other if t not in set(relabelled)),
        moved=tuple(t for t in stayed if before[t].split != after[t].split),
        same=sum(1 for t in stayed if before[t].split == after[t].split),
        erased=len(set(erased) - {facts.content for facts in after.values()}),
    )


def row_fingerprints(
    rows: Sequence[Mapping[str, Any]], contents: Sequence[str]
) -> dict[str, RowFingerprint]:
    """Return what decides about the version, by trace id, for rows and their commitments."""
    return {
        row["trace_id"]: RowFingerprint(content, row["label"], row["split"])
        for row, content in zip(rows, contents, strict=True)
    }


class ReleaseReference(NamedTuple):
    """What a person asks for: a name, and which of its versions (``latest`` if not said)."""

    name: str
    which: str


def parse_reference(text: str) -> ReleaseReference:
    """Read ``name``, ``name@latest``, ``name@3``, ``name@3.1``, ``name@3.1.0``, ``name@sha256:…``.

    Raises UsageError for anything else.
    """
    match = _REFERENCE.fullmatch(text)
    which = (match[2] or "latest") if match else ""
    numbers = which.split(".")
    known = which == "latest" or _DIGEST.fullmatch(which)
    if match and (
        known or (len(numbers) <= 3 and all(_NUMBER.fullmatch(part) for part in numbers))
    ):
        return ReleaseReference(match[1], which)
    raise UsageError(
        f"{text!r} names no release: write name@latest, name@3, name@3.1.0 or name@sha256:… "
        "(12 to 64 digits)"
    )


def parse_pin(text: str) -> str:
    """Read a digest that was pinned, ``sha256:…`` or its 64 digits alone; return the digits.

    Raises UsageError for anything else: a part of a digest, or none, would fit what nobody pinned.
    """
    match = _PIN.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{text!r} is no pin: it takes the whole digest, sha256: and its 64 digits (0-9, a-f), "
            "as `goldpan release build` and `goldpan release list --json` print it"
        )
    return match[1]


def parse_key(text: str) -> str:
    """Read a public key, 64 hex digits; UsageError for anything else."""
    if not KEY_DIGITS.fullmatch(text):
        raise UsageError(f"{text!r} is no public key: that is 64 digits (0-9, a-f), as printed")
    return text
