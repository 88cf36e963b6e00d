"""The kit as a whole: a real broker, the worker as a process, and the witness of its tables."""

import json
from pathlib import Path

import pytest

from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.lake_reader import LakeReader
from tests.servers.topic_io import produce
from tests.servers.worker import settings

TRACE = {
    "trace_id": "t",
    "app": "shop",
    "started_at": "2026-11-01T00:00:00Z",
    "status": "ok",
    "messages": [{"role": "user", "content": "hello"}],
}


def test_a_worker_is_driven_and_its_tables_are_read_back(
    kafka: Kafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """Settings arrive, the log can be asked, signals are obeyed, and each record is found once."""
    topic = kafka.new_topic("traces", partitions=2)
    records = [(None, json.dumps(TRACE).encode(), n % 2) for n in range(20)]
    places = produce(kafka.bootstrap, topic, [*records, (None, b"no JSON", 0)])
    env = settings(
        kafka,
        tmp_path / "lake",
        kafka__traces_topic=topic,
        kafka__feedback_topic=kafka.new_topic("feedback"),
        kafka__group_id=unique("group"),
    )
    lake = LakeReader(env)
    worker = start_worker(env)
    assert worker.wait_for_log("flush_committed", topic=topic)["topic"] == topic
    worker.wait_until(lambda: lake.position("traces", topic, 0) == 11)
    worker.wait_until(lambda: lake.position("traces", topic, 1) == 10)
    worker.sigstop()
    assert worker.alive
    worker.sigcont()
    worker.sigterm()
    worker.finish()
    report = lake.assert_exactly_once(topic, places)
    assert sum(entry["quarantined"] for entry in report["partitions"]) == 1
    with pytest.raises(AssertionError, match="1 missing"):
        lake.assert_exactly_once(topic, [*places, (1, 10)])
