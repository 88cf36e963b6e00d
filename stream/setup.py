"""What one worker is made of: settings, and what comes from outside."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lake.config import LakeSettings
from lake.tables import Lake
from redact.keys import Keys
from stream.config import KafkaSettings, StreamSettings
from stream.decode.sources import SchemaSource
from stream.events import Log
from stream.intake import Redacts, Seals
from stream.labelling.run import LabelSetup
from stream.stages import Stages


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a worker is made of.

    ``keys`` are all redaction keys that are known. ``port`` 0 serves no metrics; ``stop`` ends the
    worker. ``refuse_other_keys`` raises UsageError if a key is not the one that the lake has of its
    name.
    """

    kafka: KafkaSettings
    stream: StreamSettings
    lake: LakeSettings
    redactor: Redacts
    sealer: Seals
    keys: Sequence[Keys]
    schemas: SchemaSource
    log: Log
    version: str
    policy: str
    audited: bool
    labels: LabelSetup | None
    host: str
    port: int
    stop: threading.Event
    stages: Stages
    refuse_other_keys: Callable[[Lake], None] = lambda _lake: None

    @property
    def tables(self) -> Mapping[str, str]:
        """Return the primary table of each topic."""
        return {self.kafka.traces_topic: "traces", self.kafka.feedback_topic: "feedback"}
