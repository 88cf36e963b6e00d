"""The proof that labels are in step with what they rest on, and that none is there twice.

For each source partition the ranges of the table ``labels`` follow one another without gap or
overlap up to its position, which is never beyond that of the primary table (labels are committed
last), and the table holds as many rows as its commits say.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from lake.cut import TableCut
from lake.ledger import (
    EntryKind,
    SourcePartition,
    SourceRange,
    rows_added,
    rows_erased,
    rows_expired,
    rows_relabelled,
)
from lake.table_log import RECONCILE_SEQUENCE
from lake.verify_ranges import check_row_count

_SHOWN = 5


@dataclass(slots=True)
class _Labels:
    """What the commits say of one source partition: up to where, and how many events by whom."""

    end: int
    stored: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, item: SourceRange, where: str) -> None:
        if item.start != self.end:
            self.problems.append(
                f"{item.source}: labels up to {self.end} are followed by those from {item.start} "
                f"on ({where})"
            )
        self.end = item.end
        self.stored += item.stored


def find_label_problems(labels: TableCut, ends: Mapping[SourcePartition, int]) -> list[str]:
    """Return one sentence for each law that the log of the table ``labels`` breaks.

    ``ends`` are the positions of the primary tables, looked at later than labels.
    """
    found, told = _commits(labels)
    problems = [problem for one in found.values() for problem in one.problems]
    for source, position in labels.positions(list(found)).items():
        end = found[source].end
        if position != end:
            problems.append(
                f"{source}: the position in table {labels.name} is {position}, but its commits "
                f"end at {end}"
            )
        if end > ends.get(source, 0):
            problems.append(
                f"{source}: labels have been decided up to {end}, beyond the {ends.get(source, 0)} "
                "of the primary table: they are committed last and cannot be ahead"
            )
    return problems + check_row_count(labels, told)


def _commits(labels: TableCut) -> tuple[dict[SourcePartition, _Labels], int]:
    found: dict[SourcePartition, _Labels] = {}
    told = 0
    for logged in labels.ledger:
        where = f"table {labels.name}, version {logged.table_version}"
        for item in logged.entry.ranges:
            told += rows_added(logged.entry.kind, item)
            if item.source in found:
                gone = (
                    rule(logged.entry.kind, item)
                    for rule in (rows_expired, rows_erased, rows_relabelled)
                )
                found[item.source].stored -= sum(gone)
            if logged.entry.kind is EntryKind.ADOPT:
                found.setdefault(item.source, _Labels(item.end)).end = item.end
            elif logged.entry.kind is EntryKind.FLUSH:
                found.setdefault(item.source, _Labels(item.start)).add(item, where)
    return found, told


def find_label_row_problems(labels: TableCut, rows: pa.Table) -> list[str]:
    """Return one sentence for each law that the label events themselves break.

    ``rows`` are their columns label_event_id, decided_at, _topic and _partition.
    """
    found, _ = _commits(labels)
    reconciled = pc.equal(rows["_topic"], RECONCILE_SEQUENCE)
    # The job may put an event in force again that another of equal revision has taken the place of.
    problems = _repeated(rows.filter(pc.invert(reconciled)), ["label_event_id"], "workers")
    problems += _repeated(
        rows.filter(reconciled), ["label_event_id", "decided_at"], "the batch job"
    )
    counts = Counter(
        SourcePartition(topic, partition)
        for topic, partition in zip(
            rows["_topic"].to_pylist(), rows["_partition"].to_pylist(), strict=True
        )
        if topic != RECONCILE_SEQUENCE
    )
    for source in sorted({*found, *counts}):
        told = found[source].stored if source in found else 0
        if counts[source] != told and labels.whole:
            problems.append(
                f"{source}: {counts[source]} label events rest on it, but its commits told {told}"
            )
    return problems


def _repeated(rows: pa.Table, key: list[str], whose: str) -> list[str]:
    counts = rows.group_by(key).aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1))["label_event_id"].to_pylist()
    if not several:
        return []
    some = ", ".join(sorted(several)[:_SHOWN])
    return [f"{len(several)} label events of {whose} are there more than once, such as {some}"]
