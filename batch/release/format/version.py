"""Version numbers of a release: the changed rows decide which number comes next.

Semantic versioning for data (semver.org 2.0.0): *major* when rows were edited, removed, erased,
relabelled or moved across the holdout line; *minor* when rows were only added; *patch* when the
rows are the same and something else changed: weights, evidence, the datasheet.
"""

import re
from enum import StrEnum
from typing import NamedTuple

_NUMBER = re.compile(r"(0|[1-9]\d{0,8})")


class SemanticVersion(NamedTuple):
    """The number of a version; versions compare by it."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @classmethod
    def parse(cls, text: str) -> "SemanticVersion":
        """Read ``3.1.0``; ValueError for anything else."""
        parts = text.split(".")
        if len(parts) != 3 or not all(map(is_version_part, parts)):
            raise ValueError("a version is three numbers, as in 3.1.0")
        return cls(*map(int, parts))


FIRST_VERSION = SemanticVersion(1, 0, 0)


class ChangeLevel(StrEnum):
    """How much a version differs from the one before it."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


def is_version_part(text: str) -> bool:
    """Return whether a text may be one of the numbers of a version."""
    return _NUMBER.fullmatch(text) is not None


def bump_version(version: SemanticVersion, level: ChangeLevel) -> SemanticVersion:
    """Return the version that follows after changes of a level."""
    if level is ChangeLevel.MAJOR:
        return SemanticVersion(version.major + 1, 0, 0)
    if level is ChangeLevel.MINOR:
        return SemanticVersion(version.major, version.minor + 1, 0)
    return SemanticVersion(version.major, version.minor, version.patch + 1)
