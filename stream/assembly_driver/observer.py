"""Metrics and log events about the assembly in the worker."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from assembly.feedback_writer import FeedbackOutcome
from assembly.refusals import ERASED, AssemblyRefusal, mark_trace
from assembly.row_writer import RowOutcome
from otel.assembly import AssembledTrace
from otel.missing_content import ContentWatch
from otel.row_reasons import name_row_reason
from stream.events import EventLog
from stream.metrics import Metrics

SHOWN: Final = 5
"""Refused traces that one log event names."""


@dataclass
class AssemblyObserver:
    """Reports on the assembly as metrics and log events. ``now_us`` is the wall clock."""

    metrics: Metrics
    log: EventLog
    now_us: Callable[[], int]
    content: ContentWatch = field(default_factory=ContentWatch)

    def assembled(self, outcomes: Sequence[RowOutcome]) -> None:
        """Report traces that were assembled and committed."""
        counts: Counter[str] = Counter()
        without: Counter[str] = Counter()
        incomplete: Counter[str] = Counter()
        refused: dict[AssemblyRefusal, list[str]] = {}
        empty = 0
        for outcome in outcomes:
            if outcome.stored is None:
                refusal = outcome.refused
                kind = ERASED if refusal is None else refusal.kind
                without[name_row_reason(outcome.trace) or kind] += 1
                if refusal is not None and refusal.kind != ERASED:
                    refused.setdefault(refusal, []).append(mark_trace(outcome.trace.trace_id))
                continue
            counts[outcome.kind] += 1
            if outcome.written:
                incomplete.update(outcome.trace.incomplete)
                empty += not outcome.trace.has_content
                self._watch_content(outcome.trace)
        for kind, count in counts.items():
            self.metrics.count("assembled_traces", kind, by=count)
        for reason, count in without.items():
            self.metrics.count("traces_without_row", reason, by=count)
        for reason, count in incomplete.items():
            self.metrics.count("incomplete_traces", reason, by=count)
        self.metrics.count("traces_without_content", by=empty)
        self.log.info("traces_assembled", **counts, without_row=without.total())
        for refusal, traces in refused.items():
            self.log.warning(
                "rows_refused",
                reason=refusal.reason,
                detail=refusal.detail,
                rows=len(traces),
                traces=traces[:SHOWN],
            )

    def open_traces(self, count: int, oldest_us: int | None) -> None:
        """Set the gauges of what is open."""
        age = 0.0 if oldest_us is None else max(0, self.now_us() - oldest_us) / 1e6
        self.metrics.set("open_traces", count)
        self.metrics.set("oldest_open_trace_seconds", age)

    def rebuilt(self, shards: Collection[int], reason: str) -> None:
        """Report that the state was read back from the lake."""
        self.metrics.count("assembly_rebuilds", reason)
        self.log.info("assembly_rebuilt", shards=sorted(shards), why=reason)

    def feedback(self, outcome: FeedbackOutcome, left: int, waiting: int) -> None:
        """Report what became of feedback."""
        self.metrics.count("resolved_feedback", by=len(outcome.written))
        self.metrics.count("feedback_left_to_batch", by=left)
        self.metrics.set("waiting_feedback", waiting)
        refused = +Counter(outcome.refused)
        for reason, count in refused.items():
            self.metrics.count("refused_feedback", reason, by=count)
        if outcome.written or left or refused:
            self.log.info(
                "feedback_resolved",
                records=len(outcome.written),
                waiting=waiting,
                left=left,
                refused=dict(refused),
            )

    def _watch_content(self, trace: AssembledTrace) -> None:
        """Warn once of an application that exports no content at all."""
        observation = trace.content_observation
        setting = None if observation is None else self.content.observe(observation)
        if observation is not None and setting is not None:
            self.log.warning("no_content_exported", app=observation.app, setting=setting)
