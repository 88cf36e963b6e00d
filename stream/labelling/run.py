"""Puts together what decides labels in a worker, from its settings."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from labels.evidence import Scales
from labels.join import Join
from lake.retry import Retry
from lake.tables import Lake
from lake.writer import TableWriter
from schemas.errors import RetryableError
from schemas.provenance import RecordKind
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.erasures import Known
from stream.failpoints import Step
from stream.labelling.flush import TABLE
from stream.labelling.join import Labelling
from stream.labelling.observer import LabelObserver
from stream.labelling.steps import LabelSteps
from stream.labelling.tables import LabelTables
from stream.labelling.topic import LabelTopic


@dataclass(frozen=True, slots=True)
class LabelSetup:
    """How labels are decided, and where they go.

    ``open`` loads policy and calibration, which may lie in the lake: it raises UsageError if they
    cannot be used, RetryableError if the lake does not answer. ``window`` is in microseconds (None:
    the policy's), ``topic`` where label events are produced to (None: nowhere).
    """

    open: Callable[[], Scales]
    window: int | None
    topic: str | None


def topics_of(kafka: KafkaSettings) -> Mapping[RecordKind, str]:
    """Return the topic of each kind of record."""
    return {RecordKind.TRACE: kafka.traces_topic, RecordKind.FEEDBACK: kafka.feedback_topic}


@dataclass(frozen=True, slots=True)
class LabelParts:
    """What decides labels in a worker. ``policy`` is the hash of the redaction policy."""

    setup: LabelSetup
    scales: Scales
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
        erasures: Known,
    ) -> Labelling:
        """Return what the worker's loop drives; ``limit`` bounds the state in bytes."""
        topics = topics_of(self.kafka)
        primary = {
            RecordKind.TRACE: lake.table("traces"),
            RecordKind.FEEDBACK: lake.table("feedback"),
        }
        return Labelling(
            join=Join(self.scales, window=self.setup.window),
            tables=LabelTables(topics, primary, lake.table(TABLE)),
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
        reached: Callable[[Step], None],
        on_checkpoint_error: Callable[[str, RetryableError], None],
    ) -> LabelSteps:
        """Return what the flusher's thread does with labels."""
        topic = self.setup.topic
        sends = None if topic is None else LabelTopic(self.kafka, topic)
        return LabelSteps(writer, sends, retry, reached, on_checkpoint_error)
