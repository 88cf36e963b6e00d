"""Topics of OpenTelemetry and of the products, from a real Kafka into ``otel_spans``."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.item_scene import FILES, ItemScene, captured_records, plain_span, request_of
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record
from tests.servers.worker import run_goldpan


@pytest.fixture
def span_scene(kafka: Kafka, tmp_path: Path) -> ItemScene:
    """A scene on the shared broker."""
    return ItemScene(kafka.bootstrap, tmp_path, more={"kafka__group_id": unique("spans")})


def test_every_item_of_every_format_is_stored_once(
    span_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
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
    span_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
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


def _run(scene: ItemScene, *command: str, **more: object) -> dict[str, Any]:
    """Run a command with other settings than the worker's, and return its JSON."""
    before, scene.more = scene.more, {**scene.more, **more}
    done = run_goldpan(scene.env, *command, "--json")
    scene.more = before
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_quarantined_items_are_redriven_and_ranges_replayed(
    span_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """A record of many items was one row of quarantine; a run that could not be redacted another.

    A redrive moves what passes now, each item once. Replays replace items by their coordinates,
    from Kafka and from the lake.
    """
    topic = kafka.new_topic("langsmith-again", 1)
    runs = [
        {"id": f"run-{i}", "trace_id": trace, "name": "answer", "start_time": "2026-11-20T10:00:00"}
        for i, trace in enumerate(["trace-1", "jane.roe@example.com", "trace-2"])
    ]
    path = (("http.path", b"/runs/batch"),)
    large = {"post": [{**run, "inputs": {"text": "x" * 3_000}} for run in runs[::2]]}
    records = [
        Record(None, json.dumps({"post": runs}).encode(), 0, headers=path),
        Record(None, json.dumps(large).encode(), 0, headers=path),
        Record(None, b'{"post": [{"name": "no id"}, 5]}', 0, headers=path),
    ]
    span_scene.produce(topic, "langsmith", records)
    span_scene.more |= {
        "redact__policy": None,
        "redact__seal_key": base64.b64encode(bytes(range(32, 64))).decode(),
        "stream__max_record_bytes": 3_000,
    }
    start_worker(span_scene.env, "--until-caught-up").finish()
    aside = {(topic, 0, 0, 1): 1, (topic, 0, 1, None): 1, (topic, 0, 2, 0): 1, (topic, 0, 2, 1): 1}
    assert span_scene.quarantined() == aside
    span_scene.verified("--deep")
    lax = {"redact__policy": "off", "stream__max_record_bytes": 10**6}
    answer = _run(span_scene, "quarantine", "redrive", **lax)
    ((result,),) = [answer["topics"]]
    assert (result["tried"], result["stored"], result["gone"]) == (4, 2, 0)
    assert result["still"] == {"invalid_item": 2}
    span_scene.assert_exactly_once()
    assert _run(span_scene, "quarantine", "redrive", **lax)["topics"][0]["stored"] == 0
    for number, source in enumerate(((), ("--from-lake",))):
        command = ("stream", "replay", "--topic", topic, "--from", "0", "--name", f"r{number}")
        _run(span_scene, *command, *source, "--to", "3", **lax)
        _run(span_scene, "replay", "promote", f"r{number}", **lax)
        span_scene.assert_exactly_once()
