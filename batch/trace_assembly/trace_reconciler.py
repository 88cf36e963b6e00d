"""Assembles traces again from all their spans: those that came after the worker's term, and any.

The function is the worker's, and so are the sequences: a row that a job writes fences a worker that
knows less, which reads the lake again. It is the authority after anything unforeseen, and over an
unchanged lake it writes nothing. It also marks traces that account for model calls which another
trace accounts for: a question of all traces together, which no worker can answer.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

from assembly.feedback_writer import FeedbackWriter
from assembly.refusals import ERASED, AssemblyRefusal, mark_trace
from assembly.row_writer import RowOutcome, RowWriter
from assembly.stored_traces import StoredTrace, read_stored_traces
from assembly.trace_assembler import TraceAssembler
from batch.progress import ReportProgress, no_progress
from batch.trace_assembly.span_index import MARGIN, PORTION_ROWS, SpanIndex, read_span_index
from lake.table_commit import CommitContext
from lake.tables import Table
from otel.assembly import AssembledTrace
from otel.call_accounts import TraceAccount
from otel.duplicate_traces import find_duplicates
from otel.open_traces import ASSEMBLY_SHARDS, AssemblyTerms
from otel.row_reasons import name_row_reason
from otel.signals import ProductFeedback
from schemas.errors import FatalError, FencedError

ATTEMPTS: Final = 20
"""How often rows are numbered again because a worker was faster."""
_ALWAYS_SLOWER: Final = (
    f"other writers were faster during each of {ATTEMPTS} attempts: run this again"
)


@dataclass(frozen=True, slots=True)
class TraceRequest:
    """Which traces: those with a span that began since a day (UTC), or all of them."""

    since: date | None = None
    dry_run: bool = False

    @property
    def days(self) -> tuple[date, date] | None:
        """The days of rows and spans to read, None for all."""
        return None if self.since is None else (self.since - MARGIN, date.max)


@dataclass(slots=True)
class TraceReport:
    """The result: traces by what became of them, those without a row by reason, and open ones."""

    traces: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    without_row: Counter[str] = field(default_factory=Counter)
    still_open: int = 0
    duplicates: int = 0
    feedback: int = 0
    feedback_without_trace: int = 0
    feedback_refused: Counter[str] = field(default_factory=Counter)
    refused_rows: dict[str, AssemblyRefusal] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the report as the command prints it."""
        return {
            "traces": self.traces,
            **{kind: self.rows[kind] for kind in ("new", "revised", "unchanged")},
            "duplicates": self.duplicates,
            "still_open": self.still_open,
            "feedback": self.feedback,
            "feedback_without_trace": self.feedback_without_trace,
            "feedback_refused": dict(sorted(self.feedback_refused.items())),
            "without_row": dict(sorted(self.without_row.items())),
            "refused_rows": [
                {"trace": mark_trace(trace_id), "reason": each.reason, "detail": each.detail}
                for trace_id, each in sorted(self.refused_rows.items())
            ],
        }


@dataclass
class TraceReconciler:
    """Runs the job on one lake. ``terms`` are the worker's: traces that are not due are left."""

    spans: Table
    writer: RowWriter
    feedback: FeedbackWriter
    assembler: TraceAssembler
    terms: AssemblyTerms
    context: CommitContext
    now_us: Callable[[], int]
    portion_rows: int = PORTION_ROWS

    @property
    def traces(self) -> Table:
        """The table of traces."""
        return self.writer.sequences.table

    def run(self, request: TraceRequest, progress: ReportProgress = no_progress) -> TraceReport:
        """Assemble the traces, and write the rows that differ.

        Raises FatalError if workers are faster all the time, or if the lake fails for too long.
        """
        retry = self.context.retry
        report, accounts = TraceReport(), dict[str, TraceAccount]()
        retry.call("reading the tombstones", self.writer.tombstones.reload)
        retry.call("reading table traces", self.traces.refresh)
        self.writer.sequences.load(range(ASSEMBLY_SHARDS))
        stored = retry.call("reading table traces", lambda: self._read_stored(None, request))
        index = retry.call(
            "reading the spans", lambda: read_span_index(self.spans, self.terms, request.since)
        )
        total = index.state.open_count
        for due in index.portions(self.now_us(), rows=self.portion_rows):
            progress("traces", report.traces, total)
            traces = retry.call("reading the spans", partial(self._assemble, index, due))
            accounts |= {t.trace_id: t.account for t in traces if t.account is not None}
            own = {t.trace_id: stored[t.trace_id] for t in traces if t.trace_id in stored}
            self._count(report, self._write(traces, own, {}, request))
            report.traces += len(due)
        report.still_open = index.state.open_count
        progress("traces", total, total)
        self._mark_duplicates(request, report, accounts, index)
        if not request.dry_run:
            self._resolve_feedback(list(index.feedback.values()), request, report)
        return report

    def _assemble(self, index: SpanIndex, trace_ids: Sequence[str]) -> list[AssembledTrace]:
        return index.assemble(trace_ids, self.assembler)

    def _read_stored(
        self, trace_ids: Sequence[str] | None, request: TraceRequest
    ) -> dict[str, StoredTrace]:
        return read_stored_traces(self.traces, trace_ids, request.days)

    def _write(
        self,
        traces: Sequence[AssembledTrace],
        stored: Mapping[str, StoredTrace],
        duplicates: Mapping[str, str | None],
        request: TraceRequest,
    ) -> list[RowOutcome]:
        """Write the rows that differ; again with what is stored then if a worker was faster."""
        for _ in range(ATTEMPTS):
            marks = {t: each.duplicate_of for t, each in stored.items()} | dict(duplicates)
            built = self.writer.build(traces, marks)
            try:
                if request.dry_run:
                    return self.writer.compare(traces, built, stored)
                return self.writer.write(traces, built, stored, {})
            except FencedError:
                retry = self.context.retry
                retry.call("reading the tombstones", self.writer.tombstones.reload)
                retry.call("reading table traces", self.traces.refresh)
                self.writer.sequences.load(range(ASSEMBLY_SHARDS))
                ids = [trace.trace_id for trace in traces]
                stored = retry.call(
                    "reading table traces", partial(self._read_stored, ids, request)
                )
        raise FatalError(_ALWAYS_SLOWER)

    def _mark_duplicates(
        self,
        request: TraceRequest,
        report: TraceReport,
        accounts: Mapping[str, TraceAccount],
        index: SpanIndex,
    ) -> None:
        """Write revisions of traces whose mark has changed."""
        duplicates = find_duplicates(accounts.values())
        report.duplicates = len(duplicates)
        retry = self.context.retry
        retry.call("reading table traces", self.traces.refresh)
        stored = retry.call("reading table traces", lambda: self._read_stored(None, request))
        changed = [
            trace_id
            for trace_id in accounts
            if trace_id in stored and stored[trace_id].duplicate_of != duplicates.get(trace_id)
        ]
        for at in range(0, len(changed), self.portion_rows):
            portion = changed[at : at + self.portion_rows]
            traces = retry.call("reading the spans", partial(self._assemble, index, portion))
            own = {t: stored[t] for t in portion}
            self._write(traces, own, {t: duplicates.get(t) for t in portion}, request)

    def _resolve_feedback(
        self, feedback: Sequence[ProductFeedback], request: TraceRequest, report: TraceReport
    ) -> None:
        """Write the records of feedback whose traces are known now."""
        retry, writer = self.context.retry, self.feedback
        for at in range(0, len(feedback), self.portion_rows):
            portion = feedback[at : at + self.portion_rows]
            for _ in range(ATTEMPTS):
                for table in (self.traces, writer.sequences.table):
                    retry.call(f"reading table {table.name}", table.refresh)
                writer.sequences.load(range(ASSEMBLY_SHARDS))
                try:
                    outcome = retry.call(
                        "resolving feedback",
                        partial(writer.write, portion, request.days),
                    )
                except FencedError:
                    retry.call("reading the tombstones", writer.tombstones.reload)
                    continue
                report.feedback += len(outcome.written)
                report.feedback_without_trace += len(outcome.waiting)
                report.feedback_refused.update(+Counter(outcome.refused))
                break
            else:
                raise FatalError(_ALWAYS_SLOWER)

    @staticmethod
    def _count(report: TraceReport, outcomes: Sequence[RowOutcome]) -> None:
        for outcome in outcomes:
            if outcome.stored is None:
                refusal = outcome.refused
                kind = ERASED if refusal is None else refusal.kind
                report.without_row[name_row_reason(outcome.trace) or kind] += 1
                if refusal is not None and refusal.kind != ERASED:
                    report.refused_rows[outcome.trace.trace_id] = refusal
            else:
                report.rows[outcome.kind] += 1
