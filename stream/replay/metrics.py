"""Metrics of a running replay: records read and staged, rate, time left."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from lake.ledger import SourceRange
from stream.metrics import MetricKind, Metrics, MetricSpec

RATE_WINDOW_SECONDS: Final = 60.0
REPLAY_METRICS: Sequence[MetricSpec] = (
    MetricSpec(
        "goldpan_replay_records_total",
        MetricKind.COUNTER,
        "Records of a replay, by outcome: read; staged in its table (stored) or its quarantine.",
        ("topic", "outcome"),
    ),
    MetricSpec(
        "goldpan_replay_offsets",
        MetricKind.GAUGE,
        "Offsets of the range: read so far (done), and all.",
        ("topic", "of"),
    ),
    MetricSpec(
        "goldpan_replay_traces",
        MetricKind.GAUGE,
        "Traces of the range: with labels decided so far (done), and all.",
        ("topic", "of"),
    ),
    MetricSpec(
        "goldpan_replay_offsets_per_second",
        MetricKind.GAUGE,
        "Reading rate over the last minute.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_replay_seconds_left",
        MetricKind.GAUGE,
        "Time to read the rest of the range at that rate; 0 at the end.",
        ("topic",),
    ),
)
READING_RANGE: Final = "replaying"
DECIDING_LABELS: Final = "deciding labels"
_GAUGES: Final = {READING_RANGE: "replay_offsets", DECIDING_LABELS: "replay_traces"}


@dataclass(slots=True)
class ReplayObserver:
    """Turns the progress of one topic's replay into metrics, and passes it on.

    ``report`` is called with stage, done and total (see `stream.replay.run`); ``monotonic`` is a
    clock in seconds.
    """

    metrics: Metrics
    topic: str
    report: Callable[[str, int, int], None]
    monotonic: Callable[[], float]
    _past: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Show counters as 0 from the start: the first increase is then visible."""
        for outcome in ("read", "stored", "quarantined"):
            self.metrics.count("replay_records", self.topic, outcome, by=0)

    def read(self, records: int) -> None:
        """Count records that were read."""
        self.metrics.count("replay_records", self.topic, "read", by=records)

    def staged(self, ranges: Sequence[SourceRange]) -> None:
        """Count records that are in the staged tables."""
        for outcome in ("stored", "quarantined"):
            count = sum(getattr(item, outcome) for item in ranges)
            self.metrics.count("replay_records", self.topic, outcome, by=count)

    def progress(self, stage: str, completed: int, total: int) -> None:
        """Report the progress of a stage."""
        self.report(stage, completed, total)
        if stage in _GAUGES:
            self.metrics.set(_GAUGES[stage], completed, self.topic, "done")
            self.metrics.set(_GAUGES[stage], total, self.topic, "all")
        if stage == READING_RANGE:
            self._measure_rate(completed, total)

    def _measure_rate(self, completed: int, total: int) -> None:
        now = self.monotonic()
        self._past.append((now, completed))
        while now - self._past[0][0] > RATE_WINDOW_SECONDS and len(self._past) > 2:
            self._past.popleft()
        began, before = self._past[0]
        rate = (completed - before) / (now - began) if now > began else 0.0
        self.metrics.set("replay_offsets_per_second", rate, self.topic)
        if completed >= total:
            self.metrics.set("replay_seconds_left", 0, self.topic)
        elif rate:
            self.metrics.set("replay_seconds_left", (total - completed) / rate, self.topic)
