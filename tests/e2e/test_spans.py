"""Topics of OpenTelemetry and of the products, from a real Kafka into ``otel_spans``."""

import gzip
from pathlib import Path

import pytest

from tests.e2e.span_scene import FILES, SpanScene, captured_records, plain_span, request_of
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record
from tests.servers.worker import run_goldpan


@pytest.fixture
def span_scene(kafka: Kafka, tmp_path: Path) -> SpanScene:
    """A scene on the shared broker."""
    return SpanScene(kafka.bootstrap, tmp_path, more={"kafka__group_id": unique("spans")})


def test_every_item_of_every_format_is_stored_once(
    span_scene: SpanScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """Spans, log records, runs and feedback; what cannot be read or breaks a rule is set aside."""
    for number, (name, form) in enumerate(FILES):
        topic = kafka.new_topic(f"{form}-{number}", 2)
        span_scene.produce(topic, form, captured_records(name, 40))
    bad = [
        Record(None, request_of([plain_span(1), plain_span(2, span_id=b"abc"), plain_span(3)]), 0),
        Record(None, b"\x0a\xff\xff\xff\x7f", 1),
        Record(None, None, 0),
        Record(None, b"", 1),
        Record(None, b'{"resourceSpans": 1}', 0),
        Record(None, gzip.compress(b"not otlp"), 1),
    ]
    span_scene.produce(kafka.new_topic("otlp-bad", 2), "otlp", bad)
    start_worker(span_scene.env, "--until-caught-up").finish()
    assert {item.record for item in span_scene.stored} == {"span", "log", "run", "feedback"}
    assert span_scene.set_aside.total() == 6
    span_scene.assert_exactly_once()


def test_the_other_topics_are_read_only_if_they_are_set(
    span_scene: SpanScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """With topics of spans alone, no topic of traces needs to exist; one that is set must."""
    span_scene.produce(
        kafka.new_topic("otlp-alone", 1), "otlp", [Record(None, request_of([plain_span(1)]), 0)]
    )
    worker = start_worker(span_scene.env, "--until-caught-up")
    worker.finish()
    (started,) = worker.logs("worker_started")
    assert started["topics"] == list(span_scene.sources)
    span_scene.more["kafka__traces_topic"] = unique("missing")
    done = run_goldpan(span_scene.env, "stream", "run", "--until-caught-up")
    assert done.returncode != 0
    assert "missing" in done.stderr
