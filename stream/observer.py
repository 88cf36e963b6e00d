"""Reports the worker's activity as metrics and log events."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from confluent_kafka import KafkaError

from decode.schema_sources import RegistryError
from lake.ledger import SourcePartition
from redact.crypto.erasure_filter import ERASED_RULE as ERASED
from schemas.errors import FencedError, RetryableError
from schemas.record_batches import RawRecord, RejectedRecord
from stream.buffer import Flush, RedactedBatch
from stream.events import EventLog
from stream.flusher import CommittedFlush
from stream.health import WorkerHealth
from stream.metrics import Metrics
from stream.owned_partition import OwnedPartition
from stream.state_gauges import StateGauges

KAFKA_ERROR_SECONDS = 30.0
JOINING_GROUP = "joining the group"
DECODING = "decoding"


@dataclass(slots=True)
class WorkerObserver:
    """Turns the worker's activity into metrics and log events.

    ``event_times`` maps a topic to its event time column. Clocks: ``now_ms`` wall, ``monotonic``
    seconds.
    """

    metrics: Metrics
    log: EventLog
    health: WorkerHealth
    gauges: StateGauges
    event_times: Mapping[str, str]
    now_ms: Callable[[], int]
    monotonic: Callable[[], float]
    _epochs_logged: bool = False
    _errors_logged: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for state in ("kafka_client_fatal", "registry_failing"):
            self.metrics.set(state, 0)

    # -- reading --------------------------------------------------------------------------------

    def read(self, topic: str, new_records: int, records: Sequence[RawRecord]) -> None:
        """Record a batch."""
        self.metrics.count("records_read", topic, by=new_records)
        self.metrics.count("bytes_read", topic, by=sum(len(r[4]) for r in records if r[4]))

    def unrecognised(self, topic: str, spans: int) -> None:
        """Record spans that no dialect recognises."""
        self.metrics.count("spans_unrecognised", topic, by=spans)

    def rejected(self, item: RejectedRecord) -> None:
        """Record a rejected record, or a rejected item of one."""
        self.metrics.count("quarantined", item.topic, item.reason)

    def kafka_error(self, error: KafkaError) -> None:
        """Record a transient client error; its text names brokers only.

        A client repeats an error many times a second, for each broker and each attempt. So the
        first of each kind is logged, then one at intervals, with the number of errors in between.
        """
        name, now = error.name(), self.monotonic()
        logged_at, repeated = self._errors_logged.get(name, (-KAFKA_ERROR_SECONDS, 0))
        if now - logged_at < KAFKA_ERROR_SECONDS:
            self._errors_logged[name] = logged_at, repeated + 1
            return
        self._errors_logged[name] = now, 0
        more = {"repeated": repeated} if repeated else {}
        self.log.warning("kafka_error", error=name, detail=error.str(), **more)

    def client_ended(self, error: RetryableError) -> None:
        """Record that the client has ended and a new one is being tried."""
        self.metrics.set("kafka_client_fatal", 1)
        self.health.failing(JOINING_GROUP, str(error))
        self.log.warning("kafka_client_ended", detail=str(error))

    def offsets_not_committed(self, name: str) -> None:
        """Record that the group's committed offsets lag behind."""
        self.log.warning("offsets_not_committed", error=name)

    def paused(self, reason: str) -> None:
        """Record that reading is paused."""
        self.metrics.set("paused", 1, reason)
        self.log.info("paused", why=reason)

    def resumed(self) -> None:
        """Record that reading continues."""
        for reason in ("memory", "retry"):
            self.metrics.set("paused", 0, reason)
        self.log.info("resumed")

    # -- flushing -------------------------------------------------------------------------------

    def committed(self, flushed: CommittedFlush) -> None:
        """Record a flush that is in the lake."""
        flush, topic = flushed.flush, flushed.flush.topic
        outcomes: Counter[str] = Counter()
        found = 0
        rules = Counter({ERASED: 0})  # shown as 0, so that its first time is seen
        for item in flush.primary.ranges:
            outcomes["stored"] += item.stored
            outcomes["quarantined"] += item.quarantined
            outcomes["dropped"] += sum(item.dropped.values())
            outcomes["skipped"] += sum(item.skipped.values())
            found += item.items
            rules.update(item.dropped)
        self.gauges.committed(flush.primary.ranges)
        for outcome, count in outcomes.items():
            self.metrics.count("records", topic, outcome, by=count)
        self.metrics.count("items_found", topic, by=found)
        for rule, count in rules.items():
            self.metrics.count("dropped", topic, rule, by=count)
        self.metrics.count("files_written", topic, by=flushed.files)
        self.metrics.count("bytes_written", topic, by=flushed.bytes)
        self.metrics.count("flushes", topic, "committed")
        self.metrics.observe("commit_seconds", flushed.seconds, topic)
        self._freshness(topic, flush.rows)
        self._findings(topic, flush.audit_rows)
        self.log.info(
            "flush_committed",
            topic=topic,
            **outcomes,
            files=flushed.files,
            bytes=flushed.bytes,
            seconds=round(flushed.seconds, 3),
            positions={str(item.source): item.end for item in flush.primary.ranges},
        )

    def _freshness(self, topic: str, rows: Sequence[RedactedBatch]) -> None:
        now_us = self.now_ms() * 1000
        for sealed in rows:
            column = sealed.value.column(self.event_times[topic]).cast("int64")
            times = column.to_numpy(zero_copy_only=False)
            self.metrics.freshness.observe(topic, (now_us - times).astype(np.float64) / 1e6)

    def _findings(self, topic: str, audit: Sequence[RedactedBatch]) -> None:
        counts_by_type: Counter[str] = Counter()
        for sealed in audit:
            counts = sealed.value.column("counts").flatten()
            by_type = pa.table([counts.field("type"), counts.field("count")], ["type", "count"])
            for row in by_type.group_by("type").aggregate([("count", "sum")]).to_pylist():
                counts_by_type[row["type"]] += row["count_sum"]
        for kind, count in counts_by_type.items():
            self.metrics.count("findings", topic, kind, by=count)

    def fenced(self, flush: Flush, error: FencedError) -> None:
        """Record that another worker moved a position first."""
        self.metrics.count("flushes", flush.topic, "fenced")
        self.log.warning("flush_fenced", topic=flush.topic, detail=str(error))

    def abandoned(self, flush: Flush) -> None:
        """Record an abandoned flush."""
        self.metrics.count("flushes", flush.topic, "abandoned")
        self.log.warning(
            "flush_abandoned",
            topic=flush.topic,
            positions={str(item.source): item.start for item in flush.primary.ranges},
        )

    def retried(self, step: str, error: RetryableError, wait: float) -> None:
        """Record that a step is being retried."""
        self.health.failing(step, f"{step}: being retried")
        if isinstance(error, RegistryError):
            self.metrics.set("registry_failing", 1)
        self.metrics.count("retries", step)
        self.log.warning("step_retried", step=step, detail=str(error), wait_seconds=round(wait, 2))

    def recovered(self, step: str) -> None:
        """Record that a retried step has succeeded."""
        if step == DECODING:
            self.metrics.set("registry_failing", 0)
        self.health.recovered(step)

    def commit_unknown(self, table: str, error: BaseException) -> None:
        """Record a commit without a clear answer."""
        self.metrics.count("commits_unknown", table)
        self.log.warning("commit_unknown", table=table, error=type(error).__name__)

    def commit_settled(self, table: str) -> None:
        """Record that a commit had already landed."""
        self.metrics.count("commits_settled", table)
        self.log.info("commit_settled", table=table)

    def checkpoint_failed(self, table: str, error: RetryableError) -> None:
        """Record that a checkpoint was not written."""
        self.log.warning("checkpoint_failed", table=table, detail=str(error))

    def erasures(self, newest: int) -> None:
        """Record that the tombstones up to a number are applied from now on."""
        self.metrics.set("erasures", newest)
        self.log.info("erasures_applied", newest=newest)

    # -- partitions -----------------------------------------------------------------------------

    def assigned(self, partitions: Sequence[OwnedPartition]) -> None:
        """Record partitions that were taken over."""
        self.health.assigned()
        self.recovered(JOINING_GROUP)
        self.metrics.set("kafka_client_fatal", 0)
        self.metrics.count("rebalances", "assigned")
        self.gauges.taken_over(partitions)
        self._without_epoch(partitions)
        self.log.info(
            "partitions_assigned",
            positions={str(item.source): item.range.next for item in partitions},
        )

    def _without_epoch(self, partitions: Sequence[OwnedPartition]) -> None:
        """Log once for which positions a truncated and refilled log cannot be detected."""
        bare = [item for item in partitions if item.position and item.range.epoch is None]
        if bare and not self._epochs_logged:
            self._epochs_logged = True
            self.log.info("positions_without_epoch", partitions=[str(item.source) for item in bare])

    def revoked(self, sources: Sequence[SourcePartition], *, flushed: bool) -> None:
        """Record partitions that were given up."""
        self.metrics.count("rebalances", "revoked" if flushed else "lost")
        event = "partitions_revoked" if flushed else "partitions_abandoned"
        report = self.log.info if flushed else self.log.warning
        report(event, partitions=[str(source) for source in sources])
        if not flushed:
            self.health.unassigned()
        self.gauges.given_up(sources)

    def lost(self, source: SourcePartition, start: int, end: int) -> None:
        """Record a gap: offsets that Kafka deleted before they were read."""
        self.metrics.count("lost_offsets", source.topic, by=end - start)
        self.log.error("offsets_lost", source=str(source), start=start, end=end)
