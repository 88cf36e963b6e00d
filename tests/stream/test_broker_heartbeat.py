"""Silence is no good news: what the worker shows while no broker answers, or without partitions."""

from typing import Any

import pytest
from confluent_kafka import KafkaException
from prometheus_client import CollectorRegistry, generate_latest

from decode.schema_sources import RegistryError
from schemas.errors import RetryableError
from stream.broker_heartbeat import SILENT_SECONDS, BrokerHeartbeat
from stream.client_errors import ClientErrors
from stream.observer import DECODING
from stream.owned_partition import Assignment, OwnedPartition
from stream.partition_consumer import PartitionConsumer
from stream.ranges import OpenRange
from tests.lake.kit import SOURCE, TOPIC
from tests.stream.kit import Recorder, make_observer


class Client:
    """Stands for a consumer that remembers the end of a partition from its last fetch."""

    def get_watermark_offsets(self, _partition: Any, *, cached: bool) -> tuple[int, int]:
        """Return it."""
        if not cached:
            raise KafkaException
        return 0, 10


class Shown:
    """An observer, and what it shows."""

    def __init__(self) -> None:
        self.silent = 0.0
        self.registry = CollectorRegistry()
        self.observer = make_observer(
            self.registry,
            Recorder(),
            event_times={TOPIC: "occurred_at"},
            silence=lambda: self.silent,
        )
        self.assignment = Assignment()

    def take(self) -> None:
        """Own a partition that is read to its end."""
        owned = OwnedPartition(OpenRange(SOURCE, 10, 10), 10, 10, None)
        self.assignment.add([owned])
        self.observer.assigned([owned])

    def look(self, name: str) -> float | None:
        """Return the value of a metric, None while it is not shown."""
        consumer = PartitionConsumer(Client(), cooperative=False, errors=ClientErrors())
        self.observer.gauges.refresh(consumer, self.assignment, 0)
        for line in generate_latest(self.registry).decode().splitlines():
            if line.startswith(f"goldpan_{name}"):
                return float(line.split()[-1])
        return None


def test_what_is_not_known_is_not_shown() -> None:
    """No lag and not ready while nobody answers; both come back with the answers."""
    shown = Shown()
    shown.take()
    assert (shown.look("lag_records"), shown.look("ready")) == (0, 1)
    shown.silent = SILENT_SECONDS + 1
    assert (shown.look("lag_records{"), shown.look("lag_seconds{")) == (None, None)
    assert shown.look("ready") == 0
    assert "no Kafka broker has answered for 31 s" in str(shown.observer.health.ready())
    assert shown.look("kafka_silent_seconds") == SILENT_SECONDS + 1
    shown.silent = 1.0
    assert (shown.look("lag_records"), shown.look("ready")) == (0, 1)


def test_a_worker_whose_partitions_are_lost_is_not_ready() -> None:
    """Until the group gives it some again, or says that there are none for it."""
    shown = Shown()
    shown.take()
    shown.observer.revoked([SOURCE], flushed=False)
    assert "no partitions" in str(shown.observer.health.ready())
    shown.observer.assigned([])
    assert shown.observer.health.ready() is None


def test_records_that_wait_for_the_registry_are_shown() -> None:
    """And only those: another step that is tried again is none of the registry."""
    shown = Shown()
    shown.observer.retried(DECODING, RetryableError("slow"), 1.0)
    assert shown.look("registry_failing") == 0
    shown.observer.retried(DECODING, RegistryError("is it a registry?"), 1.0)
    assert shown.look("registry_failing") == 1
    shown.observer.recovered(DECODING)
    assert shown.look("registry_failing") == 0


@pytest.mark.parametrize(("answers", "silent"), [((True, True), 0.0), ((True, False), 5.0)])
def test_silence_is_counted_from_the_last_answer(answers: tuple[bool, bool], silent: float) -> None:
    """A question that is not answered says nothing new."""
    now = [0.0]
    said = iter(answers)
    watch = BrokerHeartbeat(lambda: next(said), lambda: now[0])
    for _ in answers:
        now[0] += 5.0
        watch.ask_once()
    assert watch.silent_seconds() == silent
