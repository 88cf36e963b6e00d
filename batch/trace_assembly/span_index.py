"""An index of the traces in ``otel_spans``: which files hold their rows, and what is due."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from assembly.feedback_targets import has_feedback, read_feedback
from assembly.span_arrivals import find_arrivals, read_arrival_columns
from assembly.trace_assembler import TraceAssembler
from assembly.trace_rows import read_trace_rows
from lake.live_files import list_live_files
from lake.tables import Table
from otel.assembly import AssembledTrace
from otel.open_traces import AssemblyTerms, OpenTraces
from otel.signals import ProductFeedback

PORTION_ROWS: Final = 20_000
"""Rows that are assembled together; one trace may have more."""
MARGIN: Final = timedelta(days=1)
"""Spans of a trace, and its row, may lie under the days beside those that are asked for."""


@dataclass
class SpanIndex:
    """The traces of some days as open ones, the paths of their files by number, and feedback."""

    spans: Table
    state: OpenTraces
    paths: dict[int, str]
    feedback: dict[str, ProductFeedback]

    def portions(self, now_us: int, *, rows: int = PORTION_ROWS) -> Iterator[list[str]]:
        """Yield the traces that are due, in the order of their arrival, and close them."""
        while due := self.state.take_due(now_us, max_rows=rows):
            yield due
            for trace_id in due:
                self.state.close(trace_id, revision=None)

    def assemble(self, trace_ids: Sequence[str], assembler: TraceAssembler) -> list[AssembledTrace]:
        """Return traces from all their rows; RetryableError if a file cannot be read."""
        files = {self.paths[number] for t in trace_ids for number in self.state.traces[t].files}
        rows = read_trace_rows(self.spans, files, trace_ids)
        return [assembler.assemble(t, rows[t]) for t in trace_ids if t in rows]


def read_span_index(spans: Table, terms: AssemblyTerms, since: date | None) -> SpanIndex:
    """Return the index of the traces with a span of this day (UTC) or later; None: of all.

    As of the table's newest version. Memory grows with the traces: about half a kilobyte each.
    Raises RetryableError or FatalError if the table cannot be read.
    """
    spans.refresh()
    index = SpanIndex(spans, OpenTraces(terms), {}, {})
    asked: set[str] = set()
    for number, file in enumerate(list_live_files(spans)):
        if since is not None and file.day < since - MARGIN:
            continue
        index.paths[number] = file.path
        rows = read_arrival_columns(spans, file.path)
        if has_feedback(rows):
            found = read_feedback(spans, file.path)
            index.feedback |= {each.feedback_id: each for each, _ in found}
        for arrival in find_arrivals(rows, version=0, file=number):
            index.state.add(arrival)
            if since is None or file.day >= since:
                asked.add(arrival.trace_id)
    _close(index.state, index.state.traces.keys() - asked)
    return index


def _close(state: OpenTraces, trace_ids: Collection[str]) -> None:
    for trace_id in trace_ids:
        state.close(trace_id, revision=None)
