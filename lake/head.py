"""The head of a lake: the version of each table, and a hash of its log up to that version.

Everything that proves a lake is stored beside it, where the same people can write. A head that is
kept elsewhere, or signed, proves that a later state continues it: nothing in the logs up to then
was changed, removed or recreated. The logs in turn hold the hashes of the files.

The hash of a log covers its commits in order, each hashed together with the hash so far. Bounds in
the statistics of files are left out, since an erasure widens them (`lake.stats_bounds`).
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
                name: {"version": mark.version, "begins": mark.begins, "sha256": mark.sha256}
                for name, mark in sorted(self.tables.items())
            },
        }


def head_of_cut(cut: LakeCut) -> LakeHead:
    """Return the head of the tables of a cut."""
    marks = {
        name: LogMark(table.version, _hash(table, table.version), table.begins)
        for name, table in cut.tables.items()
        if table.commits
    }
    return LakeHead({name: marks[name] for name in cut.versions if name in marks})


def parse_head(body: Any, *, origin: str) -> LakeHead:
    """Parse a head; raise UsageError, naming ``origin``, if it is not a head or has no table."""
    try:
        if body["format"] != HEAD_FORMAT:
            raise UsageError(f"{origin}: a head of format {body['format']}: use a newer goldpan")
        tables = {name: _parse_mark(mark) for name, mark in body["tables"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{origin} is not a head of a lake") from None
    if not tables:
        raise UsageError(f"{origin} is a head without tables, which proves nothing")
    return LakeHead(tables)


def _parse_mark(body: Mapping[str, Any]) -> LogMark:
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
        table = cut.tables.get(name)
        if table is None:
            state = "it is missing" if name in cut.missing else "its log cannot be read"
            problems.append(f"table {name}: the head has version {mark.version}, and {state}")
        elif table.version < mark.version:
            problems.append(
                f"table {name} is at version {table.version}, but was at {mark.version}: commits "
                "were removed"
            )
        elif table.begins > mark.begins:
            problems.append(
                f"table {name}: its log begins at version {table.begins}, but the head begins at "
                f"{mark.begins}, so it cannot be proved that the log continues the head"
            )
        elif _hash(table, mark.version, mark.begins) != mark.sha256:
            problems.append(
                f"table {name}: its log up to version {mark.version} differs from the head: it was "
                "changed"
            )
    return problems


def _hash(table: TableCut, version: int, begins: int = 0) -> str:
    digest = b""
    for commit in table.commits:
        if begins <= commit.version <= version:
            digest = hashlib.sha256(digest + commit.digest).digest()
    return digest.hex()
