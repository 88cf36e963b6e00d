"""References from commits of a primary table to other tables, which reveal lost commits.

Each commit records the rows of the audit that were committed with it, by range, and the versions
that the other tables had by then. (The ledger counts its records in quarantine.) A table that is
missing, was recreated, or has lost its newest commits contradicts these references.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lake.cut import TableCut
from lake.delta_log import unreadable_metadata_error
from lake.ledger import EntryKind, SourcePartition, SourceRange
from lake.table_log import CROSS_REFERENCES_KEY
from lake.tables import Table
from schemas.arrow import AUDIT_TABLE


def cross_reference_metadata(
    tables: Iterable[Table], audited: Iterable[SourceRange]
) -> dict[str, str]:
    """Return the metadata of a commit: the versions of the other tables, and the audit's ranges."""
    body = {
        "versions": {table.name: table.handle.version() for table in tables},
        AUDIT_TABLE: [[*item.source, item.start, item.end, item.stored] for item in audited],
    }
    return {CROSS_REFERENCES_KEY: json.dumps(body, separators=(",", ":"))}


def referenced_versions(primaries: Iterable[TableCut]) -> dict[str, tuple[int, str]]:
    """Return the newest version that commits refer to, by table, and which commit does."""
    newest: dict[str, tuple[int, str]] = {}
    for primary in primaries:
        for version, references in _references(primary):
            for name, referenced in references.versions.items():
                if referenced > newest.get(name, (-1, ""))[0]:
                    newest[name] = (referenced, f"table {primary.name}, version {version}")
    return newest


def find_missing_audit_commits(primaries: Iterable[TableCut], audit: TableCut) -> list[str]:
    """Return one sentence for each commit whose rows of the audit were never committed."""
    if not audit.is_complete:
        return []
    committed = Counter(
        (*item.source, item.start, item.end, item.stored)
        for logged in audit.ledger
        if logged.entry.kind is EntryKind.FLUSH
        for item in logged.entry.ranges
    )
    problems = []
    for primary in primaries:
        for version, references in _references(primary):
            for topic, partition, start, end, rows in references.audited:
                committed[topic, partition, start, end, rows] -= 1
                if committed[topic, partition, start, end, rows] < 0:
                    problems.append(
                        f"{SourcePartition(topic, partition)}: the {rows} rows of table "
                        f"{AUDIT_TABLE} for [{start}, {end}) were committed before table "
                        f"{primary.name}, version {version}, but their commit is missing"
                    )
    return problems


@dataclass(frozen=True, slots=True)
class _References:
    versions: Mapping[str, int]
    audited: Sequence[tuple[str, int, int, int, int]]


def _references(primary: TableCut) -> Iterator[tuple[int, _References]]:
    for version, text in primary.commit_metadata(CROSS_REFERENCES_KEY):
        try:
            body = json.loads(text)
            versions = {str(name): int(v) for name, v in body["versions"].items()}
            audited = [
                (str(t), int(p), int(s), int(e), int(n)) for t, p, s, e, n in body[AUDIT_TABLE]
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise unreadable_metadata_error(
                primary.name, version, "its references to other tables"
            ) from None
        yield version, _References(versions, audited)
