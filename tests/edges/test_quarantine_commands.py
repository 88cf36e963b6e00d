"""Quarantine from the command line: what was set aside, why, and the way back."""

import base64
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from schemas.contract import CONTRACTS
from tests.make.records import encode_json, feedback, trace
from tests.make.wire import framed
from tests.servers.kafka import Kafka, unique
from tests.servers.lake_reader import LakeReader
from tests.servers.topic_io import Coordinate, Record, produce
from tests.servers.worker import Worker, run_goldpan, settings

SEAL_KEY = base64.b64encode(bytes(range(64, 96))).decode()
AVSC = CONTRACTS["trace"].avro
NEW_ID, NEVER_ID = 7, 8


@dataclass
class Place:
    """A pair of topics, a lake, and a folder of schemas to which some may be added."""

    kafka: Kafka
    folder: Path
    more: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.traces, self.feedback = self.kafka.new_topic("q-t", 2), self.kafka.new_topic("q-f")
        self.schemas = self.folder / "schemas"
        self.schemas.mkdir()
        self.env = settings(
            self.kafka,
            self.folder / "lake",
            kafka__traces_topic=self.traces,
            kafka__feedback_topic=self.feedback,
            kafka__group_id=unique("q"),
            kafka__group_protocol="consumer",
            kafka__schemas_dir=self.schemas,
            **self.more,
        )

    @property
    def lake(self) -> LakeReader:
        """What reads the lake."""
        return LakeReader(self.env)

    def know(self, schema_id: int) -> None:
        """Put the contract's schema into the folder, under an id."""
        (self.schemas / f"{schema_id}.avsc").write_text(json.dumps(AVSC))

    def produce(self, topic: str, values: list[bytes]) -> list[Coordinate]:
        """Put values on a topic, on its partitions in turn."""
        partitions = self.kafka.partitions(topic)
        records = [Record(b"k", value, partition=i % partitions) for i, value in enumerate(values)]
        return produce(self.kafka.bootstrap, topic, records)

    def catch_up(self, name: str = "worker") -> None:
        """Let a worker bring everything into the lake, and end."""
        Worker(self.env, ["--until-caught-up"], folder=self.folder, name=name).finish()

    def run(
        self, *args: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of goldpan to its end."""
        return run_goldpan(env or self.env, *args)

    def told(self, *args: str) -> str:
        """Return what a command of quarantine tells a person."""
        done = self.run("quarantine", *args, env={**self.env, "COLUMNS": "200"})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answer(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Run a command of quarantine with ``--json`` and return its answer."""
        done = self.run("quarantine", *args, "--json")
        assert done.returncode == code, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def redriven(self, *args: str) -> dict[str, Any]:
        """Redrive the traces and return what became of them."""
        answer = self.answer("redrive", "--topic", self.traces, *args)
        assert len(answer["topics"]) == 1
        return {k: v for k, v in answer["topics"][0].items() if k != "topic"}


def _result(tried: int, stored: int, gone: int = 0, **still: int) -> dict[str, Any]:
    return {
        "tried": tried,
        "stored": stored,
        "gone": gone,
        "erased": 0,
        "waiting": 0,
        "still": still,
    }


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Place:
    """Topics and a lake of the test's own."""
    return Place(kafka, tmp_path)


def test_records_come_back_once_their_schema_is_known(place: Place) -> None:
    """An unknown id sets records aside; when the folder has it they go to their table, once."""
    news = [framed(trace(i), AVSC, NEW_ID) for i in range(12)]
    never = [framed(trace(i), AVSC, NEVER_ID) for i in range(12, 15)]
    fine = [encode_json(trace(i)) for i in range(15, 25)]
    broken = [encode_json(trace(25, shoe_size=44)), b"no record"]
    produced = place.produce(place.traces, [*news, *never, *fine, *broken])
    place.produce(place.feedback, [encode_json(feedback(1)), b"none"])
    place.catch_up()
    assert len(place.lake.coordinates("traces")) == 10

    groups = place.answer("list", "--topic", place.traces)["groups"]
    assert next((g["reason"], g["field"], g["records"]) for g in groups) == (
        "unknown_schema",
        None,
        15,
    )
    assert {g["reason"] for g in groups} == {"unknown_schema", "unknown_field", "not_json"}
    assert set(groups[0]) == {"topic", "reason", "field", "records", "first", "last"}
    shown = place.answer("show", "--reason", "unknown_schema", "--limit", "4")
    assert (len(shown["records"]), shown["more"]) == (4, 11)
    assert shown["records"][0]["sealed"] is False
    assert shown["records"][0]["detail"].endswith(".")
    told = place.told("list")
    assert "unknown_schema" in told
    assert place.traces in told
    assert place.feedback in told

    place.know(NEW_ID)
    before = place.lake.table("quarantine"), place.lake.table("traces")
    assert place.redriven("--dry-run") == _result(
        17, 12, unknown_schema=3, unknown_field=1, not_json=1
    )
    after = place.lake.table("quarantine"), place.lake.table("traces")
    assert [t and t.version() for t in after] == [t and t.version() for t in before]

    assert place.redriven("--reason", "unknown_schema") == _result(15, 12, unknown_schema=3)
    assert place.redriven() == _result(5, 0, unknown_schema=3, unknown_field=1, not_json=1)
    assert len(place.answer("show", "--reason", "unknown_schema")["records"]) == 3
    report = place.lake.assert_exactly_once(place.traces, produced)
    mine = [entry for entry in report["partitions"] if entry["topic"] == place.traces]
    assert (sum(e["stored"] for e in mine), sum(e["quarantined"] for e in mine)) == (22, 5)
    rows = place.lake.rows("traces", ["trace_id"])["trace_id"].to_pylist()
    assert sorted(rows) == sorted(f"trace-{i}" for i in (*range(12), *range(15, 25)))

    more = place.produce(place.traces, [framed(trace(i), AVSC, NEW_ID) for i in range(30, 36)])
    place.catch_up("again")
    place.lake.assert_exactly_once(place.traces, [*produced, *more])
    told = place.told("redrive", "--topic", place.feedback)
    assert "1 tried, 0 stored, 1 failed again" in told


def test_what_kafka_no_longer_has_is_reported_as_gone(kafka: Kafka, tmp_path: Path) -> None:
    """Without a seal the payload is only in Kafka: what retention took stays in quarantine."""
    place = Place(kafka, tmp_path)
    values = [framed(trace(i), AVSC, NEW_ID) for i in range(10)]
    produced = place.produce(place.traces, values)
    place.catch_up()
    kafka.delete_records(place.traces, 0, 3)
    place.know(NEW_ID)
    assert place.redriven() == _result(10, 7, gone=3)
    assert place.redriven() == _result(3, 0, gone=3)
    assert "3 no longer in Kafka" in place.told("redrive", "--topic", place.traces)
    place.lake.assert_exactly_once(place.traces, produced)


def test_what_is_sealed_comes_back_without_kafka(kafka: Kafka, tmp_path: Path) -> None:
    """With a sealing key the payload lies in quarantine: nothing is lost with Kafka's copy."""
    place = Place(kafka, tmp_path, {"redact__seal_key": SEAL_KEY})
    produced = place.produce(place.traces, [framed(trace(i), AVSC, NEW_ID) for i in range(6)])
    place.catch_up()
    for partition in (0, 1):
        kafka.delete_records(place.traces, partition, 3)
    assert {r["sealed"] for r in place.answer("show")["records"]} == {True}
    place.know(NEW_ID)

    without = {k: v for k, v in place.env.items() if k != "GOLDPAN_REDACT__SEAL_KEY"}
    done = place.run("quarantine", "redrive", env=without)
    assert (done.returncode, "GOLDPAN_REDACT__SEAL_KEY" in done.stderr) == (2, True), done.stderr
    other = base64.b64encode(bytes(32)).decode()
    done = place.run("quarantine", "redrive", env={**place.env, "GOLDPAN_REDACT__SEAL_KEY": other})
    assert (done.returncode, "differs from this lake's key" in done.stderr) == (2, True), (
        done.stderr
    )
    assert "Traceback" not in done.stderr

    assert place.redriven() == _result(6, 6)
    assert place.answer("list")["groups"] == []
    assert "quarantine is empty" in place.told("list")
    place.lake.assert_exactly_once(place.traces, produced)
    assert place.redriven() == _result(0, 0)


def test_a_topic_made_anew_lends_its_records_to_nobody(kafka: Kafka, tmp_path: Path) -> None:
    """Offsets of a deleted topic name other records now: they are never taken for the old ones."""
    place = Place(kafka, tmp_path)
    place.produce(place.traces, [framed(trace(i), AVSC, NEW_ID) for i in range(4)])
    place.catch_up()
    kafka.delete_topic(place.traces)
    kafka.create_topic(place.traces, 2)
    fresh = place.produce(place.traces, [encode_json(trace(i)) for i in range(50, 54)])
    place.know(NEW_ID)
    done = place.run("quarantine", "redrive")
    assert (done.returncode, "goldpan stream adopt" in done.stderr) == (3, True), done.stderr
    assert place.lake.coordinates("traces").total() == 0

    done = place.run("stream", "adopt", "--topic", place.traces, "--yes")
    assert done.returncode == 0, done.stderr
    place.catch_up("adopted")
    assert place.redriven() == _result(4, 0, gone=4)
    rows = place.lake.rows("traces", ["trace_id"])["trace_id"].to_pylist()
    assert sorted(rows) == [f"trace-{i}" for i in range(50, 54)]
    assert place.lake.places("traces", place.traces).total() == len(fresh)
    assert len(place.answer("show")["records"]) == 4
    assert place.lake.verify().returncode == 0
