"""Gauges of the worker's state, refreshed at intervals."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lake.ledger import SourcePartition, SourceRange
from redact.pipeline.redactor import FOUND_BY_PROOF, PROVED_TYPES
from stream.health import WorkerHealth
from stream.lag import compute_lag
from stream.memory import MemoryBudget, read_resident_bytes
from stream.metrics import Metrics
from stream.owned_partition import Assignment, OwnedPartition
from stream.partition_consumer import PartitionConsumer


@dataclass(slots=True)
class StateGauges:
    """``redaction`` returns the redactor's counters; ``now_ms`` is the wall clock."""

    metrics: Metrics
    health: WorkerHealth
    budget: MemoryBudget
    topics: Sequence[str]
    redaction: Callable[[], Mapping[str, int]]
    now_ms: Callable[[], int]
    _committed: dict[SourcePartition, int] = field(default_factory=dict)
    _reported: Counter[str] = field(default_factory=Counter)

    def taken_over(self, partitions: Iterable[OwnedPartition]) -> None:
        """Start at the positions of partitions that were taken over."""
        for item in partitions:
            self._committed[item.source] = item.range.start

    def committed(self, ranges: Iterable[SourceRange]) -> None:
        """Move the positions of partitions to the ends of committed ranges."""
        for item in ranges:
            self._committed[item.source] = item.end

    def given_up(self, sources: Iterable[SourcePartition]) -> None:
        """Stop showing partitions."""
        for source in sources:
            self._committed.pop(source, None)
            for gauge in ("lag_records", "lag_seconds", "position"):
                self.metrics.forget(gauge, source.topic, str(source.partition))

    def refresh(self, kafka: PartitionConsumer, assignment: Assignment, buffered: int) -> None:
        """Set all gauges; ``buffered`` is the size of the buffers in bytes."""
        self.metrics.set("kafka_silent_seconds", self.health.silence())
        owned_by_topic: Counter[str] = Counter(dict.fromkeys(self.topics, 0))
        for source, item in assignment.owned.items():
            owned_by_topic[source.topic] += 1
            self._show_partition(kafka, source, item)
        for topic, count in owned_by_topic.items():
            self.metrics.set("partitions_owned", count, topic)
        self._count_redaction()
        self.metrics.set("memory_bytes", read_resident_bytes(), "resident")
        self.metrics.set("memory_bytes", buffered, "buffered")
        self.metrics.set("memory_bytes", self.budget.ceiling, "ceiling")
        self.metrics.set("memory_bytes", self.budget.buffers, "buffer_limit")
        self.metrics.set("ready", 1 if self.health.ready() is None else 0)

    def _show_partition(
        self, kafka: PartitionConsumer, source: SourcePartition, item: OwnedPartition
    ) -> None:
        labels = (source.topic, str(source.partition))
        committed = self._committed.get(source, item.range.start)
        self.metrics.set("position", committed, *labels)
        high = None if self.health.kafka_silent else kafka.cached_high(source)
        if high is None:
            # Unknown, which is not the same as no lag.
            self.metrics.forget("lag_records", *labels)
            self.metrics.forget("lag_seconds", *labels)
        else:
            lag = compute_lag(item, high=high, now_ms=self.now_ms(), committed=committed)
            self.metrics.set("lag_records", lag.records, *labels)
            self.metrics.set("lag_seconds", lag.seconds, *labels)

    def _count_redaction(self) -> None:
        """Add the redactor's counts since the last refresh."""
        statistics = self.redaction()
        for result, name in (("hit", "segment_hits"), ("miss", "segment_misses")):
            self.metrics.count("redaction_cache_lookups", result, by=self._since(statistics, name))
        other_names = {name for name in statistics if name.startswith(FOUND_BY_PROOF)}
        for name in sorted(other_names | {f"{FOUND_BY_PROOF}{kind}" for kind in PROVED_TYPES}):
            kind = name.removeprefix(FOUND_BY_PROOF)
            self.metrics.count("redaction_proof_findings", kind, by=self._since(statistics, name))

    def _since(self, statistics: Mapping[str, int], name: str) -> int:
        now = statistics.get(name, 0)
        since = now - self._reported[name]
        self._reported[name] = now
        return since
