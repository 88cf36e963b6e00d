"""Topics whose records call for labels, and the labels that must come of them."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from labels.decision import events_in_force
from labels.policy import load_label_policy
from labels.scorer import LabelScorer
from schemas.records import Feedback, LabelEvent, Trace
from stream.label_driver.label_flush import parse_label_events
from tests.faults.scene import Scene
from tests.labels.kit import feedback, labels, told, trace
from tests.servers.kafka import unique
from tests.servers.topic_io import Record, produce
from tests.servers.worker import call_goldpan

PRESET = "chat_support"
SCALES = LabelScorer(load_label_policy(PRESET))


@dataclass
class LabelScene(Scene):
    """A scene with equally many partitions of both topics, and a topic for label events."""

    records: list[Trace | Feedback] = field(default_factory=list)
    feedback_properties: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.feedback_topic = self.kafka.new_topic("feedback", self.partitions)
        self.labels_topic = self.kafka.new_topic("labels", 1)
        self.more = {"labels__topic": self.labels_topic, "labels__policy": PRESET, **self.more}

    def produce(self, count: int) -> None:
        """Put ``count`` more traces on the topic, and what was said about them on the other.

        The words come before their traces, as in a topic that is read at another pace.
        """
        first = self._next
        self._next += count
        self.send([word for i in range(first, first + count) for word in _said(i)])
        self.send([_trace(i) for i in range(first, first + count)])

    def send(self, records: list[Trace] | list[Feedback]) -> None:
        """Put records of one kind on their topic."""
        if not records:
            return
        self.records += records
        sent = [Record(r.trace_id.encode(), msgspec.json.encode(r)) for r in records]
        if isinstance(records[0], Trace):
            self.traces += produce(self.kafka.bootstrap, self.traces_topic, sent)
        else:
            self.feedback += produce(
                self.kafka.bootstrap, self.feedback_topic, sent, self.feedback_properties
            )

    def written(self) -> list[LabelEvent]:
        """Return every label event that is in the table."""
        return parse_label_events(self.witness.rows("labels"))

    def expected(self) -> dict[str, Any]:
        """Return the label in force of each trace, by a worker in memory that nothing befalls."""
        return told(labels(self.records, SCALES))

    def assert_labelled(self) -> None:
        """Each trace has the label that it must have; no event is there twice; all are produced."""
        self.assert_exactly_once()
        events = self.written()
        assert told(events_in_force(events)) == self.expected()
        self.assert_told_once(events)

    def assert_told_once(self, events: list[LabelEvent]) -> None:
        """No event of a worker is in the table twice, and each is on its topic."""
        ids = Counter(event.label_event_id for event in events)
        assert [one for one, times in ids.items() if times > 1] == []
        assert set(self.produced()) == set(ids)

    def reconcile(self) -> dict[str, LabelEvent]:
        """Let the batch job add what is missing; return the labels in force then, by trace."""
        done = call_goldpan(self.env(), "labels", "reconcile", "--json")
        assert done.returncode == 0, done.stderr
        assert self.witness.problems() == []
        return events_in_force(self.written())

    def produced(self) -> list[str]:
        """Return the ids of the label events on their topic, in order."""
        consumer = Consumer(
            {"bootstrap.servers": self.kafka.bootstrap, "group.id": unique("witness")}
        )
        found: list[str] = []
        for number in range(1):
            part = TopicPartition(self.labels_topic, number, 0)
            end = consumer.get_watermark_offsets(part, timeout=30)[1]
            consumer.assign([part])
            while len(found) < end:
                found += [_event_id(message) for message in consumer.consume(500, 1.0)]
        consumer.close()
        return found


def _event_id(message: Any) -> str:
    event = json.loads(message.value())
    assert message.key().decode() == event["trace_id"]
    return str(event["label_event_id"])


def _trace(i: int) -> Trace:
    return trace(f"trace-{i}", at=i, status="error" if i % 11 == 0 else "ok")


def _said(i: int) -> list[Feedback]:
    """Return what was said about trace ``i``: nothing, one thing, or several."""
    if i % 3:
        return []
    words = [feedback(f"word-{i}", f"trace-{i}", at=i + 30)]
    if i % 2:
        text = {"corrected_response": f"It should have been {i}."}
        more = {"kind": "edit", "value": None, "actor": "agent", **text}
        words.append(feedback(f"edit-{i}", f"trace-{i}", at=i + 60, **more))
    if i % 9 == 0:
        words += words[:1]  # sent twice by its producer
    return words
