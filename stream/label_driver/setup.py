"""Builds the label driver of a worker from its settings."""

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
from stream.label_driver.join_rebuild import JoinRebuild
from stream.label_driver.join_tables import JoinTables
from stream.label_driver.join_topic_check import JoinTopicCheck
from stream.label_driver.label_flush import LABELS_TABLE_NAME
from stream.label_driver.label_positions import LabelPositions
from stream.label_driver.label_producer import LabelProducer
from stream.label_driver.observer import LabelObserver
from stream.tracing import Tracer


@dataclass(frozen=True, slots=True)
class LabelSetup:
    """How labels are decided, and where they are produced to.

    ``load_scorer`` loads policy and calibration, which may be in the lake: it raises UsageError if
    they are invalid, RetryableError if the lake is unavailable. ``window`` is in microseconds
    (None: the policy's). ``topic`` receives the label events (None: no topic).
    """

    load_scorer: Callable[[], LabelScorer]
    window: int | None
    topic: str | None


def topics_by_kind(kafka: KafkaSettings) -> Mapping[RecordKind, str]:
    """Return the topic of each kind of record."""
    return {RecordKind.TRACE: kafka.traces_topic, RecordKind.FEEDBACK: kafka.feedback_topic}


@dataclass(frozen=True, slots=True)
class LabelParts:
    """Builds the label driver and its flush steps. ``policy`` is the redaction policy's hash."""

    setup: LabelSetup
    scorer: LabelScorer
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
        """Return the driver for the worker's loop; ``limit`` bounds the state in bytes."""
        topics = topics_by_kind(self.kafka)
        primary = {
            RecordKind.TRACE: lake.table("traces"),
            RecordKind.FEEDBACK: lake.table("feedback"),
        }
        tables = JoinTables(topics, primary, lake.table(LABELS_TABLE_NAME))
        join = LabelJoin(self.scorer, window=self.setup.window)
        producing = self.setup.topic is not None
        return LabelDriver(
            join=join,
            positions=LabelPositions(topics, producing),
            rebuild=JoinRebuild(join, tables, observer, limit, producing, self.retry_seconds),
            check=JoinTopicCheck(
                topics,
                lambda: {kind: len(cluster.partitions([topic])) for kind, topic in topics.items()},
                observer,
            ),
            observer=observer,
            limit=limit,
            policy=self.policy,
            erasures=erasures,
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
        """Return the steps that the flusher's thread runs for labels."""
        topic = self.setup.topic
        producer = None if topic is None else LabelProducer(self.kafka, topic)
        return LabelFlushSteps(writer, producer, retry, reached, on_checkpoint_error, tracer)
