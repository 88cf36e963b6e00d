"""Verifies that the audit table is as it was written, by walking its hash chains.

Each row is hashed again, with the link to the row before it. The rows of one flush are a chain, and
its commit records where the chain begins and ends (`lake.audit_chains`). So a row that was changed,
removed, inserted or moved is detected. A blank row is valid only if the receipt of an erasure lists
it, and a missing one only if a commit of retention removed its day.

The hash has no key: anyone who can write the files, the log and everything beside them can make
chains that are consistent. The head of the log, kept outside, detects that (`lake.head`).
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from lake import audit_chains
from lake.audit_chains import AuditChain
from lake.cut import TableCut
from lake.ledger import EntryKind, RecordSource, record_source
from lake.retention_horizon import ROWS_PART
from lake.table_log import AUDIT_CHAINS_KEY, RETENTION_KEY

_UNHASHED: Final = frozenset({"previous", "chain", "event_date", "_schema"})
_PLACE: Final = ("_topic", "_partition", "_offset", "_index")
_SHOWN: Final = 3
_AT_ONCE: Final = 4_096
_BLANK: Final = (
    "{} rows are blank, and no receipt accounts for them (an unfinished erasure has no receipt yet)"
)
_LINKS: Final = pa.schema(
    [
        ("_topic", pa.string()),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("_index", pa.int32()),
        ("previous", pa.string()),
        ("chain", pa.string()),
        ("day", pa.string()),
        ("sound", pa.bool_()),
        ("blank", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class AuditRules:
    """How a row is hashed, and which blank rows receipts account for.

    ``chained`` gives the hash of a row, and of the link before it
    (`redact.pipeline.audit.chain_hash`). ``erased`` reads the offsets that receipts account for. It
    is called after the rows were read, since a receipt is written after the rows that it lists.
    """

    chained: Callable[[Mapping[str, Any], str], str]
    erased: Callable[[], Mapping[RecordSource, frozenset[int]]] = dict


def chain_links(rows: pa.Table, day: str, rules: AuditRules) -> pa.Table:
    """Return the links of rows of one day, and whether each row matches its link."""
    checked = []
    for batch in rows.to_batches(max_chunksize=_AT_ONCE):
        for row in batch.to_pylist():
            blank = row["fingerprint"] is None and not row["counts"] and not row["positions"]
            hashed = {name: value for name, value in row.items() if name not in _UNHASHED}
            hashed["_ingested_at"] = _micros(row["_ingested_at"])
            sound = rules.chained(hashed, row["previous"]) == row["chain"]
            checked.append({**row, "day": day, "sound": sound, "blank": blank and not sound})
    return pa.Table.from_pylist(checked, schema=_LINKS)


def _micros(at: Any) -> int:
    return int(pa.scalar(at, pa.timestamp("us", "UTC")).value)


def find_audit_problems(audit: TableCut, rows: pa.Table, rules: AuditRules) -> list[str]:
    """Return one sentence for each law that the rows break; ``rows`` are all of `chain_links`."""
    walk = _Walk(audit, rows, rules)
    return [*walk.changed(), *walk.blank(), *walk.forked(), *walk.torn()]


class _Walk:
    def __init__(self, audit: TableCut, rows: pa.Table, rules: AuditRules) -> None:
        self._audit, self._rows, self._rules = audit, rows, rules
        self._chains = audit_chains.read_audit_chains(
            audit.commit_metadata(AUDIT_CHAINS_KEY), table=audit.name
        )
        self._expired = _expired_days(audit)

    def changed(self) -> list[str]:
        """Report rows that do not hash to their own link."""
        bad = pc.invert(pc.or_(self._rows["sound"], self._rows["blank"]))
        return self._report(bad, "{} rows do not match their hash: they were changed")

    def blank(self) -> list[str]:
        """Report blank rows that no receipt lists."""
        blank = self._rows.filter(self._rows["blank"])
        erased = self._rules.erased() if len(blank) else {}
        unaccounted = [
            row["_offset"] not in erased.get(_source(row), frozenset())
            for row in blank.select(list(_PLACE)).to_pylist()
        ]
        return self._report_rows(blank.filter(pa.array(unaccounted, pa.bool_())), _BLANK)

    def forked(self) -> list[str]:
        """Report rows with the link of another row: a chain does not fork.

        Several may begin at the same link: a worker died after the audit's commit.
        """
        rows = self._rows
        inside = pc.is_in(rows["previous"], value_set=_values(rows["chain"]))
        forks = pc.and_(inside, pc.is_in(rows["previous"], value_set=_repeated(rows["previous"])))
        twice = pc.is_in(rows["chain"], value_set=_repeated(rows["chain"]))
        return self._report(pc.or_(forks, twice), "{} rows have the link of another row")

    def torn(self) -> list[str]:
        """Report rows whose neighbour is missing, and chains without any rows."""
        rows = self._rows
        first = pc.invert(pc.is_in(rows["previous"], value_set=_values(rows["chain"])))
        last = pc.invert(pc.is_in(rows["chain"], value_set=_values(rows["previous"])))
        begins, ends = rows.filter(first), rows.filter(last)
        head, lost = _unrecorded(
            begins, "previous", [(c.before, c.first_day) for c in self._chains]
        )
        tail, cut = _unrecorded(ends, "chain", [(c.last, c.last_day) for c in self._chains])
        head, tail = (self._not_expired(rows) for rows in (head, tail))
        problems = self._surplus(head, "before") + self._surplus(tail, "after")
        missing = sorted(day for day in {*lost, *cut} if day not in self._expired)
        if missing:
            problems.append(
                f"table {self._audit.name}: the first or the last rows of chains are missing, "
                f"such as of {missing[0]}"
            )
        return problems

    def _surplus(self, rows: pa.Table, side: str) -> list[str]:
        """Report ends of chains beyond those of commits that did not record any."""
        allowed = self._count_unrecorded()
        if allowed is None or len(rows) <= allowed:
            return []
        return self._report_rows(rows, f"rows are missing {side} {{}} others")

    def _count_unrecorded(self) -> int | None:
        """Return how many chains no commit recorded; None if that is not known."""
        if not self._audit.is_complete:
            return None
        count = 0
        recorded = {version for version, _ in self._audit.commit_metadata(AUDIT_CHAINS_KEY)}
        for logged in self._audit.ledger:
            stored = sum(item.stored for item in logged.entry.ranges)
            if logged.table_version in recorded or not stored:
                continue
            if logged.entry.kind is EntryKind.REPLAY:
                return None
            count += logged.entry.kind is EntryKind.FLUSH
        return count

    def _not_expired(self, rows: pa.Table) -> pa.Table:
        """Return the rows without those whose neighbour was of an expired day."""
        if not self._expired:
            return rows
        near = [self._beside_expired(day) for day in rows["day"].to_pylist()]
        return rows.filter(pc.invert(pa.array(near, pa.bool_())))

    def _beside_expired(self, day: str) -> bool:
        of_day = [chain for chain in self._chains if chain.first_day <= day <= chain.last_day]
        if any(_crosses(chain, self._expired) for chain in of_day):
            return True
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        return before in self._expired

    def _report(self, mask: pa.ChunkedArray, sentence: str) -> list[str]:
        return self._report_rows(self._rows.filter(mask), sentence)

    def _report_rows(self, rows: pa.Table, sentence: str) -> list[str]:
        if not len(rows):
            return []
        examples = rows.slice(0, _SHOWN).select(list(_PLACE)).to_pylist()
        shown = ", ".join(f"{_source(row)}@{row['_offset']}" for row in examples)
        return [f"table {self._audit.name}: {sentence.format(len(rows))}, such as {shown}"]


def _unrecorded(
    rows: pa.Table, column: str, recorded: list[tuple[str, str]]
) -> tuple[pa.Table, list[str]]:
    """Compare the ends of chains with the recorded ones, given as (link, day).

    Returns the rows that no commit recorded, and the days of recorded ends that have no row.
    """
    unmatched = Counter(link for link, _ in recorded)
    unrecorded = []
    for link in rows[column].to_pylist():
        unrecorded.append(unmatched[link] <= 0)
        unmatched[link] -= 1
    days = [day for link, day in recorded if unmatched[link] > 0]
    return rows.filter(pa.array(unrecorded, pa.bool_())), days


def _crosses(chain: AuditChain, expired: frozenset[str]) -> bool:
    return chain.first_day in expired and chain.last_day not in expired


def _expired_days(audit: TableCut) -> frozenset[str]:
    removals = (json.loads(text) for _, text in audit.commit_metadata(RETENTION_KEY))
    return frozenset(removal["day"] for removal in removals if ROWS_PART in removal["parts"])


def _repeated(column: pa.ChunkedArray) -> pa.Array:
    counts = pa.table({"link": column}).group_by("link").aggregate([([], "count_all")])
    return _values(counts.filter(pc.greater(counts["count_all"], 1))["link"])


def _values(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _source(row: Mapping[str, Any]) -> RecordSource:
    return record_source(row["_topic"], row["_partition"], row["_index"])
