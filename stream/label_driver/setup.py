"""Puts together what decides labels in a worker, from its settings."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labels.join import LabelJoin
from labels.scorer import LabelScorer
from lake.retry import Retry
from lake.table_writer import TableWriter
from lake.tables import Lake
from schemas.errors import RetryableError
from schemas.record_batches import RecordKind
from stream.applied_tombstones import TombstoneNumber
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.failpoints import FlushStep
from stream.label_driver.driver import LabelDriver
from stream.label_driver.flush_steps import LabelFlushSteps
from stream.label_driver.join_tables import JoinTables
from stream.label_driver.label_flush import LABELS_TABLE_NAME
from stream.label_driver.label_producer import LabelProducer
from stream.label_driver.observer import LabelObserver
from stream.tracing import Tracer


@dataclass(frozen=True, slots=True)
class LabelSetup:
    """How labels are decided, and where they go.

    ``open`` loads policy and calibration, which may lie in the lake: it raises UsageError if they
    cannot be used, RetryableError if the lake does not answer. ``window`` is in microseconds (None:
    the policy's), ``topic`` where label events are produced to (None: nowhere).
    """

    open: Callable[[], LabelScorer]
    window: int | None
    topic: str | None


def topics_by_kind(kafka: KafkaSettings) -> Mapping[RecordKind, str]:
    """Return the topic of each kind of record."""
    return {RecordKind.TRACE: kafka.traces_topic, RecordKind.FEEDBACK: kafka.feedback_topic}


@dataclass(frozen=True, slots=True)
class LabelParts:
    """What decides labels in a worker. ``policy`` is the hash of the redaction policy."""

    setup: LabelSetup
    scales: LabelScorer
    kafka: KafkaSettings
    policy: str
    retry_seconds: float

    def driver(
        self,
        lake: Lake,
        cluster: Cluster,
        observer: LabelObserver,
        *,
        limit: int,
        erasures: TombstoneNumber,
    ) -> LabelDriver:
        """Return what the worker's loop drives; ``limit`` bounds the state in bytes."""
        topics = topics_by_kind(self.kafka)
        primary = {
            RecordKind.TRACE: lake.table("traces"),
            RecordKind.FEEDBACK: lake.table("feedback"),
        }
        return LabelDriver(
            join=LabelJoin(self.scales, window=self.setup.window),
            tables=JoinTables(topics, primary, lake.table(LABELS_TABLE_NAME)),
            counts=lambda: {k: len(cluster.partitions([topic])) for k, topic in topics.items()},
            observer=observer,
            limit=limit,
            policy=self.policy,
            producing=self.setup.topic is not None,
            erasures=erasures,
            retry_seconds=self.retry_seconds,
            now_us=lambda: time.time_ns() // 1000,
            new_token=lambda: secrets.randbits(63),
        )

    def steps(
        self,
        writer: TableWriter,
        retry: Retry,
        reached: Callable[[FlushStep], None],
        on_checkpoint_error: Callable[[str, RetryableError], None],
        tracer: Tracer,
    ) -> LabelFlushSteps:
        """Return what the flusher's thread does with labels."""
        topic = self.setup.topic
        sends = None if topic is None else LabelProducer(self.kafka, topic)
        return LabelFlushSteps(writer, sends, retry, reached, on_checkpoint_error, tracer)
