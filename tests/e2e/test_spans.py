"""Topics of OpenTelemetry and of the products, from a real Kafka into ``otel_spans``."""

import base64
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from tests.e2e.item_scene import FILES, ItemScene, captured_records, plain_span, request_of
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record
from tests.servers.worker import run_goldpan


@pytest.fixture
def item_scene(kafka: Kafka, tmp_path: Path) -> ItemScene:
    """A scene on the shared broker."""
    return ItemScene(kafka.bootstrap, tmp_path, more={"kafka__group_id": unique("spans")})


def test_every_item_of_every_format_is_stored_once(
    item_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """Spans, log records, runs and feedback; what cannot be read or breaks a rule is set aside."""
    for number, (name, form) in enumerate(FILES):
        topic = kafka.new_topic(f"{form}-{number}", 2)
        item_scene.produce(topic, form, captured_records(name, 40))
    bad = [
        Record(None, request_of([plain_span(1), plain_span(2, span_id=b"abc"), plain_span(3)]), 0),
        Record(None, b"\x0a\xff\xff\xff\x7f", 1),
        Record(None, None, 0),
        Record(None, b"", 1),
        Record(None, b'{"resourceSpans": 1}', 0),
        Record(None, gzip.compress(b"not otlp"), 1),
    ]
    item_scene.produce(kafka.new_topic("otlp-bad", 2), "otlp", bad)
    start_worker(item_scene.env, "--until-caught-up").finish()
    assert {item.record for item in item_scene.stored} == {"span", "log", "run", "feedback"}
    assert item_scene.set_aside.total() == 6
    item_scene.assert_exactly_once()


def test_the_other_topics_are_read_only_if_they_are_set(
    item_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """With topics of spans alone, no topic of traces needs to exist; one that is set must."""
    item_scene.produce(
        kafka.new_topic("otlp-alone", 1), "otlp", [Record(None, request_of([plain_span(1)]), 0)]
    )
    worker = start_worker(item_scene.env, "--until-caught-up")
    worker.finish()
    (started,) = worker.logs("worker_started")
    assert started["topics"] == list(item_scene.sources)
    item_scene.more["kafka__traces_topic"] = unique("missing")
    done = run_goldpan(item_scene.env, "stream", "run", "--until-caught-up")
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
    item_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
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
    item_scene.produce(topic, "langsmith", records)
    item_scene.more |= {
        "redact__policy": None,
        "redact__seal_key": base64.b64encode(bytes(range(32, 64))).decode(),
        "stream__max_record_bytes": 3_000,
    }
    start_worker(item_scene.env, "--until-caught-up").finish()
    aside = {(topic, 0, 0, 1): 1, (topic, 0, 1, None): 1, (topic, 0, 2, 0): 1, (topic, 0, 2, 1): 1}
    assert item_scene.quarantined() == aside
    item_scene.verified("--deep")
    lax = {"redact__policy": "off", "stream__max_record_bytes": 10**6}
    answer = _run(item_scene, "quarantine", "redrive", **lax)
    ((result,),) = [answer["topics"]]
    assert (result["tried"], result["stored"], result["gone"]) == (4, 2, 0)
    assert result["still"] == {"invalid_item": 2}
    item_scene.assert_exactly_once()
    assert _run(item_scene, "quarantine", "redrive", **lax)["topics"][0]["stored"] == 0
    for number, source in enumerate(((), ("--from-lake",))):
        command = ("stream", "replay", "--topic", topic, "--from", "0", "--name", f"r{number}")
        _run(item_scene, *command, *source, "--to", "3", **lax)
        _run(item_scene, "replay", "promote", f"r{number}", **lax)
        item_scene.assert_exactly_once()


def test_an_erased_persons_spans_leave_and_stay_out(
    item_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """All spans of the person's traces go, those without a user too; others in the record stay."""
    topic = kafka.new_topic("otlp-erased", 1)
    person, other = (
        [KeyValue(key="user.id", value=AnyValue(string_value=name))]
        for name in ("u-104277", "u-900311")
    )
    spans = [
        plain_span(1, 1, attributes=person),
        plain_span(2, 2, attributes=other),
        plain_span(3, 1),
    ]
    item_scene.produce(
        topic,
        "otlp",
        [Record(None, request_of(spans), 0), Record(None, request_of([plain_span(4, 1)]), 0)],
    )
    item_scene.more["redact__policy"] = None
    start_worker(item_scene.env, "--until-caught-up").finish()
    item_scene.assert_exactly_once()
    _run(item_scene, "erase", "--subject", "u-104277")
    assert [(item.offset, item.place) for item in item_scene.found()] == [(0, 1)]
    audit = item_scene.reader.rows("redactions", ["_topic", "_offset", "_index", "fingerprint"])
    kept = {
        (row["_offset"], row["_index"])
        for row in audit.to_pylist()
        if row["_topic"] == topic and row["fingerprint"] is not None
    }
    assert kept == {(0, 1)}
    item_scene.verified("--deep")
    late = [plain_span(5, 1), plain_span(6, 3, attributes=person), plain_span(7, 3)]
    item_scene.produce(topic, "otlp", [Record(None, request_of([*late, plain_span(8, 2)]), 0)])
    start_worker(item_scene.env, "--until-caught-up").finish()
    assert {(item.offset, item.place) for item in item_scene.found()} == {(0, 1), (2, 3)}
    (proof,) = [p for p in item_scene.verified("--deep")["partitions"] if p["topic"] == topic]
    assert (proof["found"], proof["stored"], proof["erased"]) == (8, 2, 3)


def test_damaged_and_hostile_records_end_in_quarantine(
    item_scene: ItemScene, kafka: Kafka, start_worker: StartWorker
) -> None:
    """Truncated, bit-flipped, huge by declaration, huge as rows: no crash, bounded memory."""
    draw = random.Random(11)  # noqa: S311 - damage that is the same in each run
    good = captured_records(FILES[0][0], 20)
    records = list(good)
    for number in range(150):
        value = bytearray(draw.choice(good).value or b"")
        if number % 2:
            del value[draw.randrange(len(value)) :]
        for _ in range(draw.randrange(1, 5)):
            if value:
                value[draw.randrange(len(value))] ^= 1 << draw.randrange(8)
        records.append(Record(None, bytes(value), number % 2))
    resource = Resource(attributes=[KeyValue(key="r", value=AnyValue(string_value="x" * 200_000))])
    scope = ScopeSpans(spans=[plain_span(n + 1) for n in range(9_000)])
    hostile = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])]
    ).SerializeToString()
    attributes = [KeyValue(key=f"k{n}", value=AnyValue(int_value=n)) for n in range(10_000)]
    declared = b"\x0a\x80\xc2\xd7\x2f"  # a field of 100,000,000 bytes, of which none follows
    records += [
        *(Record(None, hostile, 0) for _ in range(10)),
        Record(None, declared, 1),
        Record(None, request_of([plain_span(1, attributes=attributes), plain_span(2, 1)]), 1),
    ]
    item_scene.produce(kafka.new_topic("otlp-hostile", 2), "otlp", records)
    item_scene.more["stream__memory_bytes"] = "512MiB"
    worker = start_worker(item_scene.env)
    worker.wait_until(item_scene.all_in, what="done with what was damaged")
    peak = Path(f"/proc/{worker.pid}/status").read_text()
    worker.sigterm()
    worker.finish()
    item_scene.assert_exactly_once()
    (line,) = [line for line in peak.splitlines() if line.startswith("VmHWM")]
    assert int(line.split()[1]) < 900 * 1024, line
