"""The settings and external parts of one worker."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from decode.schema_sources import SchemaSource
from lake.config import LakeSettings
from lake.tables import Lake
from redact.crypto.keys import Keys
from stream.assembly_driver.setup import AssemblySetup
from stream.config import KafkaSettings, StreamSettings
from stream.events import EventLog
from stream.intake import PayloadSealer, RecordRedactor
from stream.label_driver.setup import LabelSetup
from stream.source_topics import source_topics
from stream.tracing import Tracer


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Everything that a worker is made of.

    ``build`` says whether redaction is compiled. ``keys`` are all known redaction keys.
    ``assembly`` is None if no topic holds spans. ``port`` 0 serves no metrics; ``stop`` ends the
    worker.
    ``refuse_other_keys`` raises UsageError if a key differs from the lake's key of that name.
    """

    kafka: KafkaSettings
    stream: StreamSettings
    lake: LakeSettings
    redactor: RecordRedactor
    sealer: PayloadSealer
    keys: Sequence[Keys]
    schemas: SchemaSource
    log: EventLog
    version: str
    build: str
    policy: str
    audited: bool
    labels: LabelSetup | None
    host: str
    port: int
    stop: threading.Event
    tracer: Tracer
    assembly: AssemblySetup | None = None
    refuse_other_keys: Callable[[Lake], None] = lambda _lake: None

    @property
    def tables(self) -> Mapping[str, str]:
        """Return the primary table of each topic."""
        return {topic: source.table for topic, source in source_topics(self.kafka).items()}
