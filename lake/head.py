"""The head of a lake: the version of each table, and a hash of its log up to there.

All that proves a lake lies beside it, where the same hands may reach. Whoever keeps a head outside,
or signs it, can have a later state proved to continue it: nothing that the logs said by then was
changed, taken away or made again. And the logs bear the hashes of the files.

The hash of a log is that of its commits in order, each mixed with the hash so far. Bounds in the
statistics of files are left out, since an erasure widens them (`lake.stats_bounds`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lake.cut import LakeCut, TableCut
from schemas.errors import UsageError

HEAD_FORMAT: Final = 1
_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class LogMark:
    """A log from version ``begins`` to ``version``, and the SHA-256 (hex digits) of all of it."""

    version: int
    sha256: str
    begins: int = 0


@dataclass(frozen=True, slots=True)
class LakeHead:
    """The state of a lake: the mark of each table's log, by name."""

    tables: Mapping[str, LogMark]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON that is kept and signed; the same head always gives the same JSON."""
        return {
            "format": HEAD_FORMAT,
            "tables": {
                name: {"version": one.version, "begins": one.begins, "sha256": one.sha256}
                for name, one in sorted(self.tables.items())
            },
        }


def head_of_cut(cut: LakeCut) -> LakeHead:
    """Return the head of the tables of a cut."""
    marks = {
        name: LogMark(seen.version, _hash(seen, seen.version), seen.begins)
        for name, seen in cut.tables.items()
        if seen.commits
    }
    return LakeHead({name: marks[name] for name in cut.versions if name in marks})


def parse_head(body: Any, *, where: str) -> LakeHead:
    """Parse a head; raise UsageError, naming ``where``, if it is not a head or has no table."""
    try:
        if body["format"] != HEAD_FORMAT:
            raise UsageError(f"{where}: a head of format {body['format']}: use a newer goldpan")
        tables = {name: _mark(one) for name, one in body["tables"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{where} is not a head of a lake") from None
    if not tables:
        raise UsageError(f"{where} is a head without tables, which proves nothing")
    return LakeHead(tables)


def _mark(body: Mapping[str, Any]) -> LogMark:
    digest = body["sha256"]
    if len(bytes.fromhex(digest)) * 2 != _DIGITS:
        raise ValueError(digest)
    version, begins = body["version"], body["begins"]
    if type(version) is not int or type(begins) is not int or not 0 <= begins <= version:
        raise ValueError(version)
    return LogMark(version, digest, begins)


def check_continues_head(head: LakeHead, cut: LakeCut) -> Sequence[str]:
    """Return one sentence for each table that does not continue the head."""
    problems = []
    for name, mark in sorted(head.tables.items()):
        seen = cut.tables.get(name)
        if seen is None:
            state = "it is missing" if name in cut.missing else "its log cannot be read"
            problems.append(f"table {name}: the head has version {mark.version}, and {state}")
        elif seen.version < mark.version:
            problems.append(
                f"table {name} is at version {seen.version}, but was at {mark.version}: commits "
                "were removed"
            )
        elif seen.begins > mark.begins:
            problems.append(
                f"table {name}: its log begins at version {seen.begins}, but the head begins at "
                f"{mark.begins}, so it cannot be proved that the log continues the head"
            )
        elif _hash(seen, mark.version, mark.begins) != mark.sha256:
            problems.append(
                f"table {name}: its log up to version {mark.version} differs from the head: it was "
                "changed"
            )
    return problems


def _hash(seen: TableCut, version: int, begins: int = 0) -> str:
    whole = b""
    for commit in seen.commits:
        if begins <= commit.version <= version:
            whole = hashlib.sha256(whole + commit.digest).digest()
    return whole.hex()
