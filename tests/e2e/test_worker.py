"""The worker as its users run it: with a real Kafka, a folder or a real S3, and real schemas."""

import json
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from prometheus_client.parser import text_string_to_metric_families

from schemas.contract import CONTRACTS, Avsc
from schemas.record_batches import SENT_KINDS, RecordKind
from tests.faults.scene import Scene
from tests.make.records import encode_json, feedback, person, trace
from tests.make.wire import framed, single_object
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.ports import free_port
from tests.servers.registry import SharedRegistry
from tests.servers.s3 import S3
from tests.servers.topic_io import Record, produce

PROTOCOLS = ("classic", "consumer")
NEVER = 3600
"""Seconds of age that no buffer reaches in a test."""


@pytest.fixture
def worker_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> Scene:
    """Topics on the shared broker, and a lake in a folder."""
    return Scene(kafka, tmp_path / "lake", start_worker)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_kafka_to_a_folder(worker_scene: Scene, protocol: str) -> None:
    """It catches up and ends, and the next one goes on where it was."""
    for _ in range(2):
        worker_scene.produce(200)
        worker = worker_scene.catch_up(kafka__group_protocol=protocol)
        assert worker.logs("caught_up"), worker.tail()
    worker_scene.assert_exactly_once()


@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.chaos)])
def test_kafka_to_s3(kafka: Kafka, s3: S3, start_worker: StartWorker, times: int) -> None:
    """The same to a bucket."""
    scene = Scene(kafka, s3.new_lake(), start_worker, outside=s3.env())
    for _ in range(times):
        scene.produce(200)
        scene.catch_up()
    scene.assert_exactly_once()


# -- wire formats -------------------------------------------------------------------------------


def wires(kind: RecordKind, schema_id: int, count: int) -> Iterator[Record]:
    """Records of one kind in each of the three wire formats in turn."""
    avsc = CONTRACTS[kind].avro
    make = trace if kind is RecordKind.TRACE else feedback
    for i in range(count):
        record: dict[str, Any] = make(i)
        ways = (encode_json(record), framed(record, avsc, schema_id), single_object(record, avsc))
        yield Record(f"trace-{i}".encode(), ways[i % len(ways)])


def assert_formats(scene: Scene, ids: Mapping[RecordKind, int]) -> None:
    """Put all formats on both topics, and find every record in its table, as what it was."""
    count, bootstrap = 60, scene.kafka.bootstrap
    for kind, topic, places in (
        (RecordKind.TRACE, scene.traces_topic, scene.traces),
        (RecordKind.FEEDBACK, scene.feedback_topic, scene.feedback),
    ):
        places.extend(produce(bootstrap, topic, wires(kind, ids[kind], count)))
    scene.catch_up()
    scene.assert_exactly_once()
    for kind, table, key, make in (
        (RecordKind.TRACE, "traces", "trace_id", trace),
        (RecordKind.FEEDBACK, "feedback", "feedback_id", feedback),
    ):
        found = scene.witness.rows(table, [key, "user_id", "_schema"]).to_pylist()
        written = [make(i) for i in range(count)]
        assert {row[key]: row["user_id"] for row in found} == {
            record[key]: record["user_id"] for record in written
        }
        assert {row["_schema"] for row in found} == {CONTRACTS[kind].fingerprint}


def test_all_wire_formats_with_schemas_from_a_folder(worker_scene: Scene, tmp_path: Path) -> None:
    """JSON, framed Avro and single-object Avro on one topic are told apart record by record."""
    folder = tmp_path / "schemas"
    folder.mkdir()
    ids = {RecordKind.TRACE: 7, RecordKind.FEEDBACK: 100_001}
    for kind, number in ids.items():
        (folder / f"{number}.avsc").write_text(_text(CONTRACTS[kind].avro))
    worker_scene.more = {"kafka__schemas_dir": folder}
    assert_formats(worker_scene, ids)


def test_all_wire_formats_with_a_registry(worker_scene: Scene, registry: SharedRegistry) -> None:
    """The same with the ids that a real registry gives."""
    client = SchemaRegistryClient({"url": registry.url})
    ids = {
        kind: client.register_schema(
            f"{kind}-{uuid.uuid4().hex}", Schema(_text(CONTRACTS[kind].avro), "AVRO")
        )
        for kind in SENT_KINDS
    }
    worker_scene.more = {"kafka__schema_registry_url": registry.url}
    assert_formats(worker_scene, ids)


def _text(avsc: Avsc) -> str:
    return json.dumps(avsc)


# -- processes, age, the end --------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_processes_catch_up(worker_scene: Scene, protocol: str) -> None:
    """`--workers 2` shares out the partitions and ends when all of them are done."""
    worker_scene.produce(200)
    worker = worker_scene.start(
        "--workers", "2", "--until-caught-up", kafka__group_protocol=protocol
    )
    worker.finish()
    assert len(worker.logs("worker_started")) == 2, worker.tail()
    assert len(worker.logs("worker_stopped")) == 2, worker.tail()
    worker_scene.assert_exactly_once()


def test_one_record_on_an_idle_topic(worker_scene: Scene) -> None:
    """A record is committed by age though nothing follows that would push it."""
    worker = worker_scene.start(stream__flush_seconds=1)
    worker.wait_for_log("partitions_assigned")
    for _ in range(2):
        (place,) = produce(
            worker_scene.kafka.bootstrap,
            worker_scene.traces_topic,
            [Record(b"k", encode_json(trace(0)))],
        )
        worker_scene.traces.append(place)
        worker.wait_until(worker_scene.all_in, what="done with the only record")
    worker.sigterm()
    worker.finish()
    worker_scene.assert_exactly_once()


def test_sigterm_brings_in_what_was_read(worker_scene: Scene) -> None:
    """What only its memory held is in the lake when it has ended, and it ends with 0."""
    worker_scene.produce(200)
    port = free_port()
    worker = worker_scene.start(metrics__port=port, stream__flush_seconds=NEVER)
    worker.wait_for_log("partitions_assigned")
    everything = len(worker_scene.traces) + len(worker_scene.feedback)
    worker.wait_until(lambda: _read(port) == everything, what="done with reading")
    assert not worker.logs("flush_committed")
    assert not worker_scene.all_in()
    worker.sigterm()
    worker.finish()
    assert worker_scene.all_in()
    worker_scene.assert_exactly_once()


def _read(port: int) -> float:
    """How many records a worker has read, as its metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        families = text_string_to_metric_families(reply.read().decode())
    named = (family for family in families if family.name == "goldpan_records_read")
    return sum(s.value for f in named for s in f.samples if s.name.endswith("_total"))


# -- redaction ----------------------------------------------------------------------------------


def test_nothing_personal_reaches_the_lake(worker_scene: Scene) -> None:
    """With the policy `strict` no planted name, address or number is in any byte of the lake.

    Not in the tables, not in their statistics, not in quarantine, and not in the worker's log.
    """
    count = 100
    worker_scene.more = {"redact__policy": "strict"}
    worker_scene.produce(count)
    broken = b'{"trace_id": 7, "user_id": "%s"}' % person(0).email.encode()
    worker_scene.traces += produce(
        worker_scene.kafka.bootstrap, worker_scene.traces_topic, [Record(b"k", broken)]
    )
    worker = worker_scene.catch_up()
    worker_scene.assert_exactly_once()
    texts = {str(path): text for path in _files(Path(worker_scene.lake)) for text in _texts(path)}
    assert any("flight to Boston" in text for text in texts.values()), "nothing to be found"
    texts["the log"] = worker.log_text()
    for who in map(person, range(count)):
        for planted in (who.email, who.name, who.phone, who.user_id):
            where = [name for name, text in texts.items() if planted.lower() in text.lower()]
            assert not where, f"{planted} is in {where}"


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _texts(path: Path) -> Iterator[str]:
    """The bytes of a file as text, and what is compressed in it as well."""
    text = path.read_bytes().decode(errors="replace")
    if path.suffix == ".parquet":
        rows = pq.ParquetFile(path).read().to_pylist()
        text += "\n".join(str(row) for row in rows)
    yield text
