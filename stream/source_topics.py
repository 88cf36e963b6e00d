"""The topics that the worker reads: the kind of their records, and the table each of them feeds."""

from collections.abc import Mapping
from dataclasses import dataclass

from otel.formats import SignalFormat
from schemas.columns import TABLE_OF_KIND
from schemas.record_batches import RecordKind
from stream.config import KafkaSettings


@dataclass(frozen=True, slots=True)
class SourceTopic:
    """One topic. ``signal_format`` is None if its records have the form of the contract.

    The table of its kind is its primary table: the position of each partition is there.
    """

    kind: RecordKind
    signal_format: SignalFormat | None = None

    @property
    def table(self) -> str:
        """Return the primary table of the topic."""
        return TABLE_OF_KIND[self.kind]

    @property
    def reads_headers(self) -> bool:
        """Return whether headers say what a record is: which call of a product's API it was."""
        return self.signal_format not in {None, "otlp"}


def source_topics(kafka: KafkaSettings) -> Mapping[str, SourceTopic]:
    """Return the topics that these settings read.

    With topics of signals, the topics of traces and feedback are read only if they were set.
    """
    topics = {topic: SourceTopic(RecordKind.SPAN, form) for topic, form in kafka.sources.items()}
    contract = {
        "traces_topic": (kafka.traces_topic, RecordKind.TRACE),
        "feedback_topic": (kafka.feedback_topic, RecordKind.FEEDBACK),
    }
    own = {
        topic: SourceTopic(kind)
        for name, (topic, kind) in contract.items()
        if not topics or name in kafka.model_fields_set
    }
    return {**own, **topics}


def joins_labels(kafka: KafkaSettings) -> bool:
    """Return whether the worker decides labels: it needs the topics of traces and of feedback."""
    kinds = {topic.kind for topic in source_topics(kafka).values()}
    return {RecordKind.TRACE, RecordKind.FEEDBACK} <= kinds
