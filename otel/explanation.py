"""Explains what became of the traces in some records: places and reasons, without any content."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from otel.assembly import INCOMPLETE_REASONS, AssembledTrace, assemble_trace
from otel.evaluation_logs import read_evaluations
from otel.feedback_records import ResolvedFeedback, collect_targets, resolve_feedback
from otel.missing_content import name_content_setting
from otel.signals import DecodedSignals
from otel.trace_sets import group_by_trace


@dataclass(frozen=True)
class SignalsExplanation:
    """The traces and the feedback of some records, and what was set aside."""

    traces: tuple[AssembledTrace, ...]
    feedback: tuple[ResolvedFeedback, ...]
    rejected: tuple[tuple[int, int, str], ...]
    """Line of the record, index within it, and the reason."""
    unreadable: int

    @property
    def row_count(self) -> int:
        """The number of traces that have a row."""
        return sum(trace.row is not None for trace in self.traces)


def explain_signals(records: Iterable[tuple[int, DecodedSignals]]) -> SignalsExplanation:
    """Return the explanation of decoded records, each with the line it stands in."""
    numbered = list(records)
    decoded = [record for _, record in numbered]
    groups = group_by_trace(decoded)
    traces = {
        trace_id: assemble_trace(trace_id, group.spans, group.logs)
        for trace_id, group in groups.items()
    }
    targets = collect_targets(traces, (span for record in decoded for span in record.spans))
    feedback = {item.feedback_id: item for record in decoded for item in record.feedback}
    for item in read_evaluations(log for record in decoded for log in record.logs):
        feedback[item.feedback_id] = item
    return SignalsExplanation(
        traces=tuple(traces[trace_id] for trace_id in sorted(traces)),
        feedback=tuple(resolve_feedback(feedback[key], targets) for key in sorted(feedback)),
        rejected=tuple(
            (line, item.index, item.reason) for line, record in numbered for item in record.rejected
        ),
        unreadable=sum(not record.readable for record in decoded),
    )


def describe_trace(trace: AssembledTrace, *, content: bool = False) -> dict[str, Any]:
    """Return the explanation of a trace for a program. ``content`` adds the row itself."""
    described: dict[str, Any] = {
        "trace_id": trace.trace_id,
        "has_row": trace.row is not None,
        "reason": trace.reason,
        "dialects": list(trace.dialects),
        "spans": trace.span_count,
        "fields": {name: asdict(origin) for name, origin in sorted(trace.origins.items())},
        "missing": missing_fields(trace),
        "incomplete": list(trace.incomplete),
        "sampling_probability": trace.sampling_probability,
        "has_content": trace.has_content,
        "switch_on": None if trace.has_content else name_content_setting(trace.dialects),
    }
    if content:
        described["row"] = trace.row
    return described


def describe_feedback(resolved: ResolvedFeedback) -> dict[str, Any]:
    """Return the explanation of a feedback for a program, without its content."""
    record: Mapping[str, Any] = resolved.record or {}
    return {
        "feedback_id": resolved.feedback.feedback_id,
        "target": resolved.feedback.target_kind,
        "trace_id": record.get("trace_id"),
        "kind": record.get("kind"),
        "has_value": record.get("value") is not None,
        "reason": resolved.reason,
    }


def missing_fields(trace: AssembledTrace) -> list[str]:
    """Return the fields of the row that nothing in the trace says."""
    if trace.row is None:
        return []
    return [
        name
        for name, value in trace.row.items()
        if (value is None or value == []) and name not in _NEVER_READ
    ]


def explain_incomplete(name: str) -> str:
    """Return what a name in ``incomplete`` means."""
    return INCOMPLETE_REASONS[name]


_NEVER_READ = frozenset({"request_id"})
