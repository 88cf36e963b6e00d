"""Checks assembled rows against their spans: each must be what its spans give.

A row of another version of the mapping, or of another redaction policy, cannot be made again here:
it is counted. So is a row with younger spans that would change it: the worker or the job will.
A row whose spans give no row any more stays in force, and is counted too: no job would change it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from assembly.row_writer import RowWriter
from assembly.stored_traces import TRACES_TABLE, digest_rows
from assembly.trace_assembler import TraceAssembler
from batch.trace_assembly.span_index import read_span_index
from lake.tables import Table
from otel.open_traces import AssemblyTerms
from schemas.arrow import TABLES

EQUAL: Final = "equal"
OLDER_MAPPING: Final = "older_mapping"
OTHER_POLICY: Final = "other_policy"
BEHIND: Final = "behind"
WITHOUT_SPANS: Final = "without_spans"
KEPT: Final = "kept"
DIFFERENT: Final = "different"
ROW_STATES: Final = (EQUAL, OLDER_MAPPING, OTHER_POLICY, BEHIND, WITHOUT_SPANS, KEPT, DIFFERENT)
_SHOWN: Final = 5


@dataclass(slots=True)
class RowCheckReport:
    """Rows by their state, and one sentence for what is wrong.

    ``not_checked`` says why no row was compared, if none was.
    """

    rows: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    not_checked: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the counts as `goldpan lake verify --json` prints them, or why there are none."""
        if self.not_checked is not None:
            return {"not_checked": self.not_checked}
        return {state: self.rows[state] for state in ROW_STATES}


@dataclass(frozen=True, slots=True)
class _Row:
    revision: int
    digest: bytes
    mapping: str | None
    policy: str
    written_us: int
    duplicate_of: str | None


@dataclass(frozen=True)
class RowCheck:
    """Assembles every trace of a lake again and compares the rows; writes nothing.

    ``policy`` is the hash of the redaction policy of ``writer``.
    """

    spans: Table
    writer: RowWriter
    assembler: TraceAssembler
    policy: str
    now_us: Callable[[], int]

    def run(self) -> RowCheckReport:
        """Compare the row with the highest revision of each trace.

        Raises RetryableError or FatalError if the lake cannot be read.
        """
        return _check(self)


def _check(check: RowCheck) -> RowCheckReport:
    writer, assembler = check.writer, check.assembler
    traces = writer.sequences.table
    traces.refresh()
    stored = _read_rows(traces)
    index = read_span_index(check.spans, AssemblyTerms(0, 0, 0), None)
    report, different = RowCheckReport(), list[str]()
    for trace_id, row in list(stored.items()):
        reason = _reason_to_skip(check, row, has_spans=trace_id in index.state.traces)
        if reason is not None:
            report.rows[reason] += 1
            del stored[trace_id]
    for due in index.portions(check.now_us()):
        ids = [trace_id for trace_id in due if trace_id in stored]
        assembled = index.assemble(ids, assembler)
        built = writer.build(assembled, {t: stored[t].duplicate_of for t in ids})
        kept = {trace.trace_id for trace in assembled if trace.row is None}
        digests = dict(zip(built.trace_ids, built.digests, strict=True))
        for trace_id in ids:
            row, last_us = stored[trace_id], index.state.traces[trace_id].last_us
            if digests.get(trace_id) == row.digest:
                report.rows[EQUAL] += 1
            elif trace_id in kept:
                report.rows[KEPT] += 1
            elif last_us >= row.written_us:
                report.rows[BEHIND] += 1
            else:
                report.rows[DIFFERENT] += 1
                different.append(trace_id)
    if different:
        listed = ", ".join(different[:_SHOWN])
        report.problems.append(
            f"table traces: {len(different)} assembled rows are not what their spans give, such as "
            f"{listed}: run `goldpan otel reconcile`, and find out what changed them"
        )
    return report


def _reason_to_skip(check: RowCheck, row: _Row, *, has_spans: bool) -> str | None:
    if row.mapping != check.assembler.rules.mapping:
        return OLDER_MAPPING
    if row.policy != check.policy:
        return OTHER_POLICY
    return None if has_spans else WITHOUT_SPANS


def _read_rows(traces: Table) -> dict[str, _Row]:
    """Return the row with the highest revision of each assembled trace."""
    rows: dict[str, _Row] = {}
    condition = pc.field("revision").is_valid()
    for batch in traces.batches(TABLES[TRACES_TABLE].arrow.names, condition, rows=4_096):
        columns = (
            batch["revision"].to_pylist(),
            digest_rows(batch),
            batch["_mapping"].to_pylist(),
            batch["_policy"].to_pylist(),
            batch["_ingested_at"].cast(pa.int64()).to_pylist(),
            batch["duplicate_of"].to_pylist(),
        )
        for trace_id, row in zip(batch["trace_id"].to_pylist(), map(_Row, *columns), strict=True):
            if trace_id not in rows or rows[trace_id].revision < row.revision:
                rows[trace_id] = row
    return rows
