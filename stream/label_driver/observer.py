"""Metrics and log events about labels in the worker."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labels.join import LabelJoin
from labels.join_partition import JoinCounts
from schemas.errors import FencedError, RetryableError
from schemas.record_batches import RecordKind
from stream.events import EventLog
from stream.label_driver.label_flush import LabelsFlushed
from stream.metrics import Metrics

REBUILDING = "rebuilding the join"
PASSED_OVER = ("late_trace", "late_feedback", "unmatched", "repeated")
PARTITION_COUNTS, KEYS = "partition counts", "keys"


@dataclass(slots=True)
class LabelObserver:
    """Reports on labels as metrics and log events. ``now_ms`` is the wall clock."""

    metrics: Metrics
    log: EventLog
    now_ms: Callable[[], int]
    on_retry: Callable[[str, RetryableError, float], None]
    on_recovered: Callable[[str], None]

    def __post_init__(self) -> None:
        """Set counters to 0, so that the first occurrence shows as an increase."""
        for reason in PASSED_OVER:
            self.metrics.count("join_passed_over", reason, by=0)
        for reason in (PARTITION_COUNTS, KEYS):
            self.metrics.set("labels_left_to_batch", 0, reason)

    def committed(self, flushed: LabelsFlushed) -> None:
        """Report label events that are in the lake."""
        now_us = self.now_ms() * 1000
        by_label: Counter[tuple[str, str]] = Counter()
        for event, _, trigger in flushed.flush.decided:
            by_label[event.label, event.route] += 1
            if event.trace_started_at is not None:
                since = max(0, now_us - event.trace_started_at) / 1e6
                self.metrics.observe("label_turnaround_seconds", since, "trace")
            if trigger.kind is RecordKind.FEEDBACK:
                since = max(0, now_us - trigger.event_time) / 1e6
                self.metrics.observe("label_turnaround_seconds", since, "feedback")
        for (label, route), count in by_label.items():
            self.metrics.count("labels", label, route, by=count)
        self.metrics.count("label_events_produced", by=flushed.produced)
        self.log.info(
            "labels_committed",
            labels=by_label.total(),
            produced=flushed.produced,
            seconds=round(flushed.seconds, 3),
            positions={str(item.source): item.end for item in flushed.flush.part.ranges},
        )

    def report_counts(self, counts: JoinCounts, join: LabelJoin) -> None:
        """Report records that changed nothing, and the size of the state."""
        numbers = (counts.late_traces, counts.late_feedback, counts.unmatched, counts.repeated)
        passed_over = dict(zip(PASSED_OVER, numbers, strict=True))
        for reason, count in passed_over.items():
            if count:
                self.metrics.count("join_passed_over", reason, by=count)
        if any(passed_over.values()):
            self.log.info("join_passed_over", **passed_over)
        self.measured(join)

    def measured(self, join: LabelJoin) -> None:
        """Set the gauges of the state's size."""
        size = join.size()
        self.metrics.set("join_traces", size.traces)
        self.metrics.set("join_waiting", size.waiting)
        self.metrics.set("join_feedback", size.feedback)
        self.metrics.set("join_bytes", size.bytes)
        self.metrics.set("join_partitions", len(join.partitions))

    def rebuilt(self, numbers: Sequence[int], join: LabelJoin, seconds: float) -> None:
        """Report that partitions are joined from now on."""
        self.on_recovered(REBUILDING)
        self.measured(join)
        size = join.size()
        self.log.info(
            "join_rebuilt",
            partitions=sorted(numbers),
            traces=size.traces,
            feedback=size.feedback,
            bytes=size.bytes,
            seconds=round(seconds, 3),
        )

    def retried(self, error: RetryableError, wait: float) -> None:
        """Report that the state will be read from the lake again."""
        self.on_retry(REBUILDING, error, wait)

    def fenced(self, error: FencedError) -> None:
        """Report that another worker has moved a position of labels."""
        self.log.warning("labels_fenced", detail=str(error))

    def labels_disabled(self, reason: str, detail: str) -> None:
        """Report that only the batch job decides labels from now on."""
        self.metrics.set("labels_left_to_batch", 1, reason)
        self.log.error("labels_left_to_batch", why=reason, detail=detail)

    def window_shortened(self, window: int) -> None:
        """Report that the window was shortened, to fit the state into memory."""
        self.log.warning("join_window_shortened", window_hours=round(window / 3.6e9, 2))
