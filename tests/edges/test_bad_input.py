"""Bad records never stop the worker: each is one row of quarantine, and says nothing of itself."""

import base64
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from redact.crypto.keys import SealKey
from redact.crypto.sealing import Sealer
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import SENT_KINDS, RecordKind
from tests.edges.bad_records import SCHEMA_IDS, Bad, bad_records, good, mark
from tests.edges.odd_records import odd_records
from tests.edges.search import marks_in, marks_in_folder
from tests.make.records import encode_json
from tests.servers.kafka import Kafka, unique
from tests.servers.lake_reader import LakeReader
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.topic_io import Coordinate, Record, produce
from tests.servers.worker import Worker, settings

SEAL_KEY = bytes(range(32, 64))
Place = tuple[str, int, int]
"""Topic, partition and offset."""
TABLES = {RecordKind.TRACE: "traces", RecordKind.FEEDBACK: "feedback"}


@dataclass
class Outcome:
    """What was produced, what a worker made of it, and all that it said meanwhile."""

    folder: Path
    env: Mapping[str, str]
    topics: Mapping[RecordKind, str]
    bad: dict[Place, Bad]
    odd: dict[Place, str]
    plain: set[Place]
    said: dict[str, str]

    @property
    def produced(self) -> tuple[Collection[Place], ...]:
        """Where everything is: what is bad, what is odd, and what is plain."""
        return (self.bad, self.odd, self.plain)

    @cached_property
    def quarantine(self) -> list[dict[str, Any]]:
        """The rows of quarantine."""
        rows: list[dict[str, Any]] = LakeReader(self.env).rows("quarantine").to_pylist()
        return rows

    @cached_property
    def set_aside(self) -> dict[Place, dict[str, Any]]:
        """The row of each record in quarantine."""
        return {(r["_topic"], r["_partition"], r["_offset"]): r for r in self.quarantine}


def _mixed(kind: RecordKind) -> list[tuple[Bad | str, Record]]:
    """Bad records with odd ones and plain ones between them; names stand for what is good."""
    mixed: list[tuple[Bad | str, Record]] = []
    for i, bad in enumerate(bad_records(kind)):
        mixed.append((bad, bad.record))
        if i % 5 == 0:
            mixed.append(("", Record(b"k", encode_json(good(kind, i)))))
    return mixed + list(odd_records(kind))


def _produce(broker: str, topic: str, kind: RecordKind, into: Outcome) -> list[Coordinate]:
    mixed = _mixed(kind)
    # Partitions in turn: bad and good records are neighbours in each.
    records = [record._replace(partition=i % 2) for i, (_, record) in enumerate(mixed)]
    places = produce(broker, topic, records)
    for place, (what, _) in zip(places, mixed, strict=True):
        where = (topic, *place)
        if isinstance(what, Bad):
            into.bad[where] = what
        elif what:
            into.odd[where] = what
        else:
            into.plain.add(where)
    return places


def _run(broker: str, topics: Mapping[RecordKind, str], folder: Path, **more: object) -> Outcome:
    """Let a worker read everything while it is asked for its metrics, then end it."""
    schemas = folder / "schemas"
    schemas.mkdir()
    for kind, number in SCHEMA_IDS.items():
        (schemas / f"{number}.avsc").write_text(json.dumps(CONTRACTS[kind].avro))
    port = free_port()
    env = settings(
        broker,
        folder / "lake",
        kafka__traces_topic=topics[RecordKind.TRACE],
        kafka__feedback_topic=topics[RecordKind.FEEDBACK],
        kafka__group_id=unique("bad"),
        kafka__schemas_dir=schemas,
        metrics__port=port,
        log__level="debug",
        **more,
    )
    outcome = Outcome(folder, env, topics, {}, {}, set(), {})
    ends: Counter[tuple[str, int]] = Counter()
    for kind, topic in topics.items():
        for partition, offset in _produce(broker, topic, kind, outcome):
            ends[topic, partition] = max(ends[topic, partition], offset + 1)
    worker = Worker(env, folder=folder)
    try:
        _wait_for(worker, LakeReader(env), topics, ends)
        outcome.said["metrics"] = _metrics(worker, port, sum(map(len, outcome.produced)))
        worker.sigterm()
        worker.finish()
    finally:
        worker.sigkill()
    outcome.said |= {"out": worker.out_text(), "err": worker.log_text()}
    return outcome


def _wait_for(
    worker: Worker,
    lake: LakeReader,
    topics: Mapping[RecordKind, str],
    ends: Mapping[tuple[str, int], int],
) -> None:
    tables = {topic: TABLES[kind] for kind, topic in topics.items()}

    def done() -> bool:
        time.sleep(0.3)
        return all((lake.position(tables[t], t, p) or 0) >= end for (t, p), end in ends.items())

    worker.wait_until(done, 200, "through all records")


def _metrics(worker: Worker, port: int, records: int) -> str:
    """Return the metrics once they count all records: the commit is seen a little earlier."""
    seen = [""]

    def counted() -> bool:
        time.sleep(0.2)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            seen[0] = reply.read().decode()
        return _sum(seen[0], "records_total") >= records

    worker.wait_until(counted, what="counting all records")
    return seen[0]


class BadInput:
    """What holds on every broker, whatever the settings are."""

    sealed = False

    def test_every_bad_record_is_set_aside_once(self, run: Outcome) -> None:
        """Quarantine holds each of them, once, and no good one."""
        found = Counter((r["_topic"], r["_partition"], r["_offset"]) for r in run.quarantine)
        assert {where: run.bad[where].name for where in run.bad if found[where] != 1} == {}
        assert {run.odd.get(where, where) for where in found if where not in run.bad} == set()

    def test_every_good_record_is_stored(self, run: Outcome) -> None:
        """The neighbours of bad records are in their tables, and so is what only looks odd."""
        lake = LakeReader(run.env)
        for kind, topic in run.topics.items():
            stored = {(topic, *place) for place in lake.places(TABLES[kind], topic)}
            produced = {where for where in run.plain | run.odd.keys() if where[0] == topic}
            assert {run.odd.get(where, where) for where in produced - stored} == set()
            assert stored - produced == set()

    def test_the_lake_is_proved_complete(self, run: Outcome) -> None:
        """`lake verify` agrees with what was produced, number by number."""
        lake = LakeReader(run.env)
        for kind, topic in run.topics.items():
            produced = {w for w in (*run.bad, *run.odd, *run.plain) if w[0] == topic}
            places = [(partition, offset) for _, partition, offset in produced]
            lake.assert_exactly_once(topic, places, table=TABLES[kind])

    def test_the_reason_is_the_right_one(self, run: Outcome) -> None:
        """Reason and field are what is wrong with the record."""
        wrong = {}
        for where, bad in run.bad.items():
            row = run.set_aside[where]
            right_field = bad.field is ... or bad.field == row["field"]
            if row["reason"] not in bad.reasons or not right_field:
                wrong[bad.name] = (row["reason"], row["field"])
        assert wrong == {}

    def test_the_detail_is_a_sentence(self, run: Outcome) -> None:
        """It names the field, where there is one, and has no words of a programmer."""
        for where, row in run.set_aside.items():
            detail, name = row["detail"], run.bad[where].name
            assert re.fullmatch(r"[A-Z`].{15,400}\.", detail), (name, detail)
            assert not re.search(r"Error|Expected|Traceback|msgspec|object at 0x", detail), detail
            if row["field"] is not None:
                assert row["field"].rpartition(".")[2] in detail, (name, row["field"], detail)

    def test_the_row_tells_where_the_record_lies(self, run: Outcome) -> None:
        """Size, time and fingerprint are the record's, and the day is that of its time."""
        for where, bad in run.bad.items():
            row = run.set_aside[where]
            assert row["size_bytes"] == len(bad.value or b""), bad.name
            assert (row["fingerprint"] is None) == (bad.value is None), bad.name
            assert row["record_timestamp"] is not None
            assert row["event_date"] == row["record_timestamp"].date()
            assert row["reason"] in set(QuarantineReason)

    def test_nothing_of_a_bad_record_is_said(self, run: Outcome) -> None:
        """No value, key, header, unknown name or number of one is in logs, output or metrics."""
        assert {name: marks_in(text) for name, text in run.said.items() if marks_in(text)} == {}
        assert len(run.said["err"].splitlines()) < len(run.bad), "one line a record, or more"

    def test_nothing_of_a_bad_record_is_stored(self, run: Outcome) -> None:
        """Neither in any byte of any file of the lake, nor in any row of its Parquet files."""
        assert marks_in_folder(run.folder / "lake") == []

    def test_the_payload_is_kept_only_under_seal(self, run: Outcome) -> None:
        """With a sealing key each payload opens again, byte by byte; without, nothing is kept."""
        if not self.sealed:
            assert {row["sealed_payload"] for row in run.quarantine} == {None}
            return
        sealer = Sealer(bytes(32), "off", SealKey("s1", SEAL_KEY))
        for (topic, partition, offset), bad in run.bad.items():
            row = run.set_aside[topic, partition, offset]
            if not bad.value:
                assert row["sealed_payload"] in (None, b"") or bad.value == b""
                continue
            opened = sealer.open(
                topic=topic,
                partition=partition,
                offset=offset,
                sealed_payload=row["sealed_payload"],
                sealed_key_id=row["sealed_key_id"],
            )
            assert opened == bad.value, bad.name

    def test_a_reader_finds_rows_by_any_column(self, run: Outcome) -> None:
        """A filter gives the same rows whether it is pushed down to the files or applied later."""
        for name in ("traces", "feedback", "quarantine"):
            table = LakeReader(run.env).table(name)
            assert table is not None
            dataset = table.to_pyarrow_dataset()
            rows = dataset.to_table()
            for column in (c.name for c in rows.schema if not pa.types.is_nested(c.type)):
                present = pc.drop_null(rows[column])
                for value in present[:1].to_pylist():
                    test = pc.field(column) == value
                    wanted = rows.filter(test).num_rows
                    assert dataset.to_table(filter=test).num_rows == wanted > 0, (name, column)

    def test_metrics_count_what_happened(self, run: Outcome) -> None:
        """Records by outcome and by reason add up to what was produced."""
        for kind, topic in run.topics.items():
            bad = sum(1 for where in run.bad if where[0] == topic)
            fine = sum(1 for where in (*run.odd, *run.plain) if where[0] == topic)
            assert _value(run, "records_total", topic=topic, outcome="quarantined") == bad
            assert _value(run, "records_total", topic=topic, outcome="stored") == fine
            assert _value(run, "quarantined_total", topic=topic) == bad
            assert _value(run, "records_read_total", topic=topic) == bad + fine
            assert _value(run, "freshness_seconds_count", topic=topic) == fine, kind


def _value(run: Outcome, name: str, **labels: str) -> float:
    return _sum(run.said["metrics"], name, **labels)


def _sum(metrics: str, name: str, **labels: str) -> float:
    """Return the sum of the series of a metric that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = [line for line in metrics.splitlines() if line.startswith(f"goldpan_{name}{{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(w in line for w in wanted))


class TestOnKafka(BadInput):
    """A real broker, redaction as it is by default, and no sealing key."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
        """One run over all bad records."""
        any_time = {"message.timestamp.after.max.ms": str(2**63 - 1), "retention.ms": "-1"}
        topics = {kind: kafka.new_topic(f"bad-{kind}", 2, any_time) for kind in SENT_KINDS}
        folder = tmp_path_factory.mktemp("bad")
        more = {"kafka__group_protocol": "consumer", "redact__policy": None}
        return _run(kafka.bootstrap, topics, folder, **more)


class TestOnTheEmbeddedBroker(BadInput):
    """librdkafka's broker, where no Java is; redaction as it is by default, and a sealing key."""

    sealed = True

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
        """One run over all bad records."""
        mock = MockKafka()
        topics = {RecordKind.TRACE: "bad.traces", RecordKind.FEEDBACK: "bad.feedback"}
        key = base64.b64encode(SEAL_KEY).decode()
        folder = tmp_path_factory.mktemp("bad-mock")
        yield _run(mock.bootstrap, topics, folder, redact__policy=None, redact__seal_key=key)
        mock.close()


def test_the_search_for_marks_finds_them(tmp_path: Path) -> None:
    """A mark in a packed column, in a log or in the name of a file does not stay hidden."""
    word = mark()
    packed = pa.table({"a": [[{"b": word.encode() * 50}]] * 50})
    pq.write_table(packed, tmp_path / "packed.parquet", compression="zstd", write_statistics=False)
    pq.write_table(pa.table({"a": [1]}), tmp_path / "clean.parquet")
    (tmp_path / "log.json").write_text(f"{{'seen': '{word.upper()}'}}")
    (tmp_path / word).write_text("")
    assert marks_in_folder(tmp_path) == [word, "log.json", "packed.parquet"]
