"""Verifies that labels match the records they rest on, and that no label is there twice.

For each source partition the ranges of the table ``labels`` follow one another without gap or
overlap up to its position, which is never beyond that of the primary table (labels are committed
last). The table holds as many rows as its commits account for.
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
    """The labels of one source partition by the commits: their end, and how many there are."""

    end: int
    stored: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, item: SourceRange, commit: str) -> None:
        if item.start != self.end:
            self.problems.append(
                f"{item.source}: labels up to {self.end} are followed by those from {item.start} "
                f"on ({commit})"
            )
        self.end = item.end
        self.stored += item.stored


def find_label_problems(labels: TableCut, ends: Mapping[SourcePartition, int]) -> list[str]:
    """Return one sentence for each law that the log of the table ``labels`` breaks.

    ``ends`` are the positions of the primary tables, read after the labels.
    """
    by_source, rows = _read_commits(labels)
    problems = [problem for entry in by_source.values() for problem in entry.problems]
    for source, position in labels.positions(list(by_source)).items():
        end = by_source[source].end
        if position != end:
            problems.append(
                f"{source}: the position in table {labels.name} is {position}, but its commits "
                f"end at {end}"
            )
        if end > ends.get(source, 0):
            problems.append(
                f"{source}: there are labels up to {end}, but the primary table ends at "
                f"{ends.get(source, 0)}: labels are committed last and cannot be ahead"
            )
    return problems + check_row_count(labels, rows)


def _read_commits(labels: TableCut) -> tuple[dict[SourcePartition, _Labels], int]:
    """Return the labels of each partition by the commits, and the rows of all."""
    by_source: dict[SourcePartition, _Labels] = {}
    rows = 0
    for logged in labels.ledger:
        commit = f"table {labels.name}, version {logged.table_version}"
        for item in logged.entry.ranges:
            rows += rows_added(logged.entry.kind, item)
            if item.source in by_source:
                removed = (
                    rule(logged.entry.kind, item)
                    for rule in (rows_expired, rows_erased, rows_relabelled)
                )
                by_source[item.source].stored -= sum(removed)
            if logged.entry.kind is EntryKind.ADOPT:
                by_source.setdefault(item.source, _Labels(item.end)).end = item.end
            elif logged.entry.kind is EntryKind.FLUSH:
                by_source.setdefault(item.source, _Labels(item.start)).add(item, commit)
    return by_source, rows


def find_label_row_problems(labels: TableCut, rows: pa.Table) -> list[str]:
    """Return one sentence for each law that the label events break.

    ``rows`` are their columns label_event_id, decided_at, _topic and _partition.
    """
    by_source, _ = _read_commits(labels)
    reconciled = pc.equal(rows["_topic"], RECONCILE_SEQUENCE)
    # The job may bring an event back into force that another of equal revision has replaced.
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
    for source in sorted({*by_source, *counts}):
        logged = by_source[source].stored if source in by_source else 0
        if counts[source] != logged and labels.is_complete:
            problems.append(
                f"{source}: {counts[source]} label events rest on it, but its commits account for "
                f"{logged}"
            )
    return problems


def _repeated(rows: pa.Table, key: list[str], writers: str) -> list[str]:
    counts = rows.group_by(key).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))["label_event_id"].to_pylist()
    if not repeated:
        return []
    examples = ", ".join(sorted(repeated)[:_SHOWN])
    return [
        f"{len(repeated)} label events of {writers} are there more than once, such as {examples}"
    ]
