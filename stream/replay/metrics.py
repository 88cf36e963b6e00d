"""The metrics of a replay while it runs: what is read and staged, how fast, and how long yet."""

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
        "Records of a replay, by outcome: read; staged in its table (stored) or in its quarantine.",
        ("topic", "outcome"),
    ),
    MetricSpec(
        "goldpan_replay_offsets",
        MetricKind.GAUGE,
        "Offsets of the range: those that have been read (done), and all.",
        ("topic", "of"),
    ),
    MetricSpec(
        "goldpan_replay_traces",
        MetricKind.GAUGE,
        "Traces of the range: those whose labels have been decided (done), and all.",
        ("topic", "of"),
    ),
    MetricSpec(
        "goldpan_replay_offsets_per_second",
        MetricKind.GAUGE,
        "How fast the range is read, over the last minute.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_replay_seconds_left",
        MetricKind.GAUGE,
        "How long reading the rest of the range takes at that rate; 0 when it is read.",
        ("topic",),
    ),
)
READING_RANGE: Final = "replaying"
DECIDING_LABELS: Final = "deciding labels"
_GAUGES: Final = {READING_RANGE: "replay_offsets", DECIDING_LABELS: "replay_traces"}


@dataclass(slots=True)
class ReplayObserver:
    """Turns what a replay of one topic does into metrics, and passes its progress on.

    ``report`` is told as `stream.replay.run` tells it; ``monotonic`` is a clock in seconds.
    """

    metrics: Metrics
    topic: str
    report: Callable[[str, int, int], None]
    monotonic: Callable[[], float]
    _past: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        """Show what has not happened yet as 0: the first time is then seen as an increase."""
        for outcome in ("read", "stored", "quarantined"):
            self.metrics.count("replay_records", self.topic, outcome, by=0)

    def read(self, records: int) -> None:
        """Take note of records that were read."""
        self.metrics.count("replay_records", self.topic, "read", by=records)

    def staged(self, ranges: Sequence[SourceRange]) -> None:
        """Take note of records that are in the staged tables."""
        for outcome in ("stored", "quarantined"):
            count = sum(getattr(item, outcome) for item in ranges)
            self.metrics.count("replay_records", self.topic, outcome, by=count)

    def told(self, what: str, done: int, of: int) -> None:
        """Take note of how much is done, and of how much."""
        self.report(what, done, of)
        if what in _GAUGES:
            self.metrics.set(_GAUGES[what], done, self.topic, "done")
            self.metrics.set(_GAUGES[what], of, self.topic, "all")
        if what == READING_RANGE:
            self._judge(done, of)

    def _judge(self, done: int, of: int) -> None:
        now = self.monotonic()
        self._past.append((now, done))
        while now - self._past[0][0] > RATE_WINDOW_SECONDS and len(self._past) > 2:
            self._past.popleft()
        began, before = self._past[0]
        rate = (done - before) / (now - began) if now > began else 0.0
        self.metrics.set("replay_offsets_per_second", rate, self.topic)
        if done >= of:
            self.metrics.set("replay_seconds_left", 0, self.topic)
        elif rate:
            self.metrics.set("replay_seconds_left", (of - done) / rate, self.topic)
