"""Topics of spans, where a worker is killed at any step, or two workers share unkeyed topics."""

from pathlib import Path

import pytest

from stream.failpoints import FlushStep
from tests.e2e.item_scene import ItemScene, captured_records, plain_span, request_of
from tests.faults.scene import QUIET
from tests.faults.test_kill import BETWEEN, RARE
from tests.kill_harness import KILLED
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record
from tests.short_versions import short

TRAFFIC = captured_records("openinference_openai_0.1.66.spans.otlp_proto.jsonl.gz", 60)


@pytest.fixture
def killed_spans(kafka: Kafka, tmp_path: Path) -> ItemScene:
    """A scene with traffic in which every tenth record has a bad span between good ones."""
    more: dict[str, object] = {"kafka__group_id": unique("spans"), "kafka__properties": QUIET}
    scene = ItemScene(kafka.bootstrap, tmp_path, more=more)
    produce(scene, kafka.new_topic("otlp-faults", 2), 60)
    return scene


def produce(scene: ItemScene, topic: str, count: int) -> None:
    """Produce captured records, and records with a bad span or that cannot be read."""
    records = []
    for i, record in enumerate(TRAFFIC[:count]):
        records.append(record)
        if i % 10 == 0:
            spans = [plain_span(1), plain_span(2, span_id=b"short"), plain_span(3)]
            records.append(Record(None, request_of(spans), i % 2))
        if i % 15 == 0:
            records.append(Record(None, b"\x0a\x05no", i % 2))
    scene.produce(topic, "otlp", records)


@pytest.mark.parametrize(
    "step",
    short([step for step in FlushStep if step not in RARE], [FlushStep.QUARANTINE_COMMITTED]),
)
def test_spans_survive_a_kill_at_a_step(
    killed_spans: ItemScene, start_worker: StartWorker, step: FlushStep
) -> None:
    """The next worker finds in the tables where to go on; no item is lost or doubled."""
    (topic,) = killed_spans.sources
    worker = start_worker(
        {**killed_spans.env, "GOLDPAN_STREAM__FAIL_AT": str(step)}, "--until-caught-up"
    )
    assert worker.wait() == KILLED, worker.tail()
    produce(killed_spans, topic, 20)
    start_worker(killed_spans.env, "--until-caught-up").finish()
    killed_spans.assert_exactly_once()


@pytest.mark.parametrize("step", short(BETWEEN, [FlushStep.QUARANTINE_COMMITTED]))
@pytest.mark.parametrize(
    "limits", [(10**6, 30), pytest.param((30, 10**6), marks=pytest.mark.chaos)]
)
def test_the_next_worker_decides_otherwise_about_spans(
    killed_spans: ItemScene, start_worker: StartWorker, step: FlushStep, limits: tuple[int, int]
) -> None:
    """With another size limit after the kill, each item is in one place, and found once."""
    before, after = ({"GOLDPAN_STREAM__MAX_RECORD_BYTES": str(limit)} for limit in limits)
    fail = {"GOLDPAN_STREAM__FAIL_AT": str(step)}
    (topic,) = killed_spans.sources
    for limit in (before, after):
        produce(killed_spans, topic, 20)
        worker = start_worker({**killed_spans.env, **limit, **fail}, "--until-caught-up")
        assert worker.wait() == KILLED, worker.tail()
    start_worker(killed_spans.env, "--until-caught-up").finish()
    body = killed_spans.verified("--deep")
    found, expected = killed_spans.found(), killed_spans.stored
    assert not found - expected
    assert all(p["found"] == p["stored"] + p["quarantined"] for p in body["partitions"])
    whole = {place[:3] for place in killed_spans.quarantined() if place[3] is None}
    assert {item[:3] for item in expected - found} <= whole
    assert not {item[:3] for item in found} & whole


@pytest.mark.chaos
def test_two_workers_share_unkeyed_topics(
    killed_spans: ItemScene, start_worker: StartWorker, kafka: Kafka
) -> None:
    """Spans of one trace lie in several partitions; a rebalance in mid-trace doubles nothing."""
    topic = kafka.new_topic("otlp-shared", 4)
    killed_spans.sources[topic] = "otlp"
    first = start_worker(killed_spans.env)
    first.wait_for_log("partitions_assigned")
    produce(killed_spans, topic, 60)
    second = start_worker(killed_spans.env)
    second.wait_for_log("partitions_assigned")
    produce(killed_spans, topic, 60)
    first.sigkill()
    produce(killed_spans, topic, 30)
    second.wait_until(killed_spans.all_in, what="done with all spans")
    second.sigterm()
    second.finish()
    killed_spans.assert_exactly_once()
