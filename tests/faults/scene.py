"""A pair of topics, a lake, workers between them, and the list of all that was produced."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.traffic import feedbacks, traces
from tests.faults.witness import Witness
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Coordinate, produce
from tests.servers.worker import Worker, settings

PARTITIONS = 2
QUIET = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 1000}
"""Client properties with which a dead worker is noticed soon, in the classic protocol."""


def protocol_settings(protocol: str) -> dict[str, object]:
    """Settings for a group protocol with which a dead worker is noticed soon.

    With `consumer` it is the broker that decides about that: take `other_kafka`.
    """
    properties = QUIET if protocol == "classic" else {}
    return {"kafka__group_protocol": protocol, "kafka__properties": properties}


@dataclass
class Scene:
    """Topics of its own on a broker, and a lake of its own.

    ``more`` are settings for every worker (see ``tests.servers.worker.settings``), ``outside`` is
    environment beside them, as for S3.
    """

    kafka: Kafka
    lake: str | Path
    start_worker: StartWorker
    partitions: int = PARTITIONS
    outside: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.group = unique("group")
        self.traces_topic = self.kafka.new_topic("traces", self.partitions)
        self.feedback_topic = self.kafka.new_topic("feedback", 1)
        self.traces: list[Coordinate] = []
        self.feedback: list[Coordinate] = []
        self._next = 0

    def env(self, **more: object) -> dict[str, str]:
        """The environment of a worker of this scene; ``more`` wins."""
        ours: dict[str, object] = {
            "kafka__traces_topic": self.traces_topic,
            "kafka__feedback_topic": self.feedback_topic,
            "kafka__group_id": self.group,
            "kafka__group_protocol": "consumer",
            "stream__flush_seconds": 0.3,
        }
        chosen = settings(self.kafka, self.lake, **{**ours, **self.more, **more})
        return {**chosen, **self.outside}

    def produce(self, count: int) -> None:
        """Put ``count`` more traces, and a fifth as many feedback events, on the topics."""
        bootstrap, first = self.kafka.bootstrap, self._next
        self._next += count
        self.traces += produce(bootstrap, self.traces_topic, traces(first, count))
        self.feedback += produce(bootstrap, self.feedback_topic, feedbacks(first, count // 5))

    def start(self, *args: str, name: str | None = None, **more: object) -> Worker:
        """Start a worker; ``more`` are settings of its own."""
        return self.start_worker(self.env(**more), *args, name=name)

    def catch_up(self, **more: object) -> Worker:
        """Let a new worker bring everything into the lake, and end."""
        worker = self.start("--until-caught-up", name=None, **more)
        worker.finish()
        return worker

    @property
    def witness(self) -> Witness:
        """What reads the lake."""
        return Witness(self.env())

    def all_in(self) -> bool:
        """Whether the positions of both tables have passed everything produced."""
        return _passed(self.witness, "traces", self.traces_topic, self.traces) and _passed(
            self.witness, "feedback", self.feedback_topic, self.feedback
        )

    def assert_exactly_once(self) -> None:
        """Every record produced is once in its table or in quarantine; ``lake verify`` agrees."""
        witness = self.witness
        done = witness.verify()
        witness.assert_exactly_once(self.traces_topic, self.traces, verified=done)
        witness.assert_exactly_once(
            self.feedback_topic, self.feedback, table="feedback", verified=done
        )


def _passed(witness: Witness, table: str, topic: str, produced: list[Coordinate]) -> bool:
    ends: dict[int, int] = {}
    for partition, offset in produced:
        ends[partition] = max(ends.get(partition, 0), offset + 1)
    return all((witness.position(table, topic, p) or 0) >= end for p, end in ends.items())
