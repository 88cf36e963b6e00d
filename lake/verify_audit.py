"""The proof that the audit of redaction is as it was written, by walking its chains.

Each row is hashed again, with the link to the row before it. Rows of one flush are a chain; where
it begins and ends its commit says (`lake.audit_chains`). So a row that was changed, taken out, put in or
put elsewhere shows. A row that says nothing any more is right only if the receipt of an erasure
lists it, and one that is gone only if a commit of retention took its day.

The hash has no key: who can write the files, the log and all that is kept beside them can make
chains that hold. Against that there is the head of the log, kept outside (`lake.head`).
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
from lake.ledger import EntryKind, SourcePartition
from lake.retention_horizon import ROWS_PART
from lake.table_log import AUDIT_CHAINS_KEY, RETENTION_KEY

_OUTSIDE: Final = frozenset({"previous", "chain", "event_date", "_schema"})
_SHOWN: Final = 3
_AT_ONCE: Final = 4_096
_SILENT: Final = (
    "{} rows say nothing any more, and no receipt accounts for them (an erasure that is not "
    "finished has none yet)"
)
_LINKS: Final = pa.schema(
    [
        ("_topic", pa.string()),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("previous", pa.string()),
        ("chain", pa.string()),
        ("day", pa.string()),
        ("sound", pa.bool_()),
        ("blank", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class AuditRules:
    """What a walk needs to know: how a row is hashed, and which rows receipts account for.

    ``chained`` gives the hash of a row, and of the link before it (`redact.pipeline.audit.chain_hash`).
    ``erased`` reads what receipts account for; it is asked once the rows have been read, since a
    receipt comes after the rows that it is about.
    """

    chained: Callable[[Mapping[str, Any], str], str]
    erased: Callable[[], Mapping[SourcePartition, frozenset[int]]] = dict


def chain_links(rows: pa.Table, day: str, rules: AuditRules) -> pa.Table:
    """Return what is needed of some rows of one day: their links, and whether they fit them."""
    found = []
    for batch in rows.to_batches(max_chunksize=_AT_ONCE):
        for row in batch.to_pylist():
            blank = row["fingerprint"] is None and not row["counts"] and not row["positions"]
            told = {name: value for name, value in row.items() if name not in _OUTSIDE}
            told["_ingested_at"] = _micros(row["_ingested_at"])
            sound = rules.chained(told, row["previous"]) == row["chain"]
            found.append({**row, "day": day, "sound": sound, "blank": blank and not sound})
    return pa.Table.from_pylist(found, schema=_LINKS)


def _micros(at: Any) -> int:
    return int(pa.scalar(at, pa.timestamp("us", "UTC")).value)


def find_audit_problems(audit: TableCut, rows: pa.Table, rules: AuditRules) -> list[str]:
    """Return one sentence for each law that the rows break; ``rows`` are all of `chain_links`."""
    walk = _Walk(audit, rows, rules)
    return [*walk.changed(), *walk.silent(), *walk.doubled(), *walk.torn()]


class _Walk:
    def __init__(self, audit: TableCut, rows: pa.Table, rules: AuditRules) -> None:
        self._audit, self._rows, self._rules = audit, rows, rules
        self._chains = audit_chains.read_audit_chains(
            audit.commit_metadata(AUDIT_CHAINS_KEY), table=audit.name
        )
        self._expired = _expired_days(audit)

    def changed(self) -> list[str]:
        """Rows that do not hash to their own link."""
        bad = pc.invert(pc.or_(self._rows["sound"], self._rows["blank"]))
        return self._say(bad, "{} rows do not fit their hash any more: they were changed")

    def silent(self) -> list[str]:
        """Rows that say nothing, and that no receipt lists."""
        blank = self._rows.filter(self._rows["blank"])
        erased = self._rules.erased() if len(blank) else {}
        unaccounted = [
            row["_offset"] not in erased.get(_source(row), frozenset())
            for row in blank.select(["_topic", "_partition", "_offset"]).to_pylist()
        ]
        some = blank.filter(pa.array(unaccounted, pa.bool_()))
        return self._say_of(some, _SILENT)

    def doubled(self) -> list[str]:
        """Rows that bear another's link: a chain does not fork.

        Several may begin at the same place: a worker that died had told, and not stored.
        """
        rows = self._rows
        inside = pc.is_in(rows["previous"], value_set=_values(rows["chain"]))
        forks = pc.and_(inside, pc.is_in(rows["previous"], value_set=_repeated(rows["previous"])))
        twice = pc.is_in(rows["chain"], value_set=_repeated(rows["chain"]))
        return self._say(pc.or_(forks, twice), "{} rows bear a link that another row bears")

    def torn(self) -> list[str]:
        """Rows whose neighbour is missing, and chains of which nothing is left."""
        rows = self._rows
        first = pc.invert(pc.is_in(rows["previous"], value_set=_values(rows["chain"])))
        last = pc.invert(pc.is_in(rows["chain"], value_set=_values(rows["previous"])))
        begins, ends = rows.filter(first), rows.filter(last)
        head, lost = _unlike(begins, "previous", [(c.before, c.first_day) for c in self._chains])
        tail, cut = _unlike(ends, "chain", [(c.last, c.last_day) for c in self._chains])
        head, tail = (self._not_expired(some) for some in (head, tail))
        problems = self._surplus(head, "before") + self._surplus(tail, "after")
        gone = sorted(day for day in {*lost, *cut} if day not in self._expired)
        if gone:
            problems.append(
                f"table {self._audit.name}: the first or the last rows of chains are missing, "
                f"such as of {gone[0]}"
            )
        return problems

    def _surplus(self, some: pa.Table, side: str) -> list[str]:
        """Allow for chains of commits that do not say where theirs begin and end."""
        allowed = self._unsaid()
        if allowed is None or len(some) <= allowed:
            return []
        return self._say_of(some, f"rows are missing {side} {{}} others")

    def _unsaid(self) -> int | None:
        """Return how many chains there may be that no commit speaks of; None: nobody can tell."""
        if not self._audit.whole:
            return None
        count = 0
        spoken = {version for version, _ in self._audit.commit_metadata(AUDIT_CHAINS_KEY)}
        for logged in self._audit.ledger:
            stored = sum(item.stored for item in logged.entry.ranges)
            if logged.table_version in spoken or not stored:
                continue
            if logged.entry.kind is EntryKind.REPLAY:
                return None
            count += logged.entry.kind is EntryKind.FLUSH
        return count

    def _not_expired(self, some: pa.Table) -> pa.Table:
        """Leave out rows whose neighbour was of a day that retention has taken."""
        if not self._expired:
            return some
        near = [self._beside_expired(day) for day in some["day"].to_pylist()]
        return some.filter(pc.invert(pa.array(near, pa.bool_())))

    def _beside_expired(self, day: str) -> bool:
        of_day = [one for one in self._chains if one.first_day <= day <= one.last_day]
        if any(_crosses(one, self._expired) for one in of_day):
            return True
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        return before in self._expired

    def _say(self, mask: pa.ChunkedArray, sentence: str) -> list[str]:
        return self._say_of(self._rows.filter(mask), sentence)

    def _say_of(self, some: pa.Table, sentence: str) -> list[str]:
        if not len(some):
            return []
        few = some.slice(0, _SHOWN).select(["_topic", "_partition", "_offset"]).to_pylist()
        shown = ", ".join(f"{_source(row)}@{row['_offset']}" for row in few)
        return [f"table {self._audit.name}: {sentence.format(len(some))}, such as {shown}"]


def _unlike(rows: pa.Table, column: str, told: list[tuple[str, str]]) -> tuple[pa.Table, list[str]]:
    """Compare the ends of chains with those that commits speak of, as (link, day).

    Returns the rows that no commit speaks of, and the days of ends that no row is.
    """
    left = Counter(link for link, _ in told)
    unlike = []
    for link in rows[column].to_pylist():
        unlike.append(left[link] <= 0)
        left[link] -= 1
    days = [day for link, day in told if left[link] > 0]
    return rows.filter(pa.array(unlike, pa.bool_())), days


def _crosses(chain: AuditChain, expired: frozenset[str]) -> bool:
    return chain.first_day in expired and chain.last_day not in expired


def _expired_days(audit: TableCut) -> frozenset[str]:
    said = (json.loads(text) for _, text in audit.commit_metadata(RETENTION_KEY))
    return frozenset(one["day"] for one in said if ROWS_PART in one["parts"])


def _repeated(column: pa.ChunkedArray) -> pa.Array:
    counts = pa.table({"link": column}).group_by("link").aggregate([([], "count_all")])
    return _values(counts.filter(pc.greater(counts["count_all"], 1))["link"])


def _values(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _source(row: Mapping[str, Any]) -> SourcePartition:
    return SourcePartition(row["_topic"], row["_partition"])
