"""Topics with captured traffic of OpenTelemetry and of products, and what the lake must hold."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from otel.capture_files import read_capture
from otel.formats import SignalFormat, decode_signals
from otel.stored_spans import RowsTooLargeError, to_stored_spans
from schemas.records import EARLIEST_MICROS
from tests.otel.captures import FOLDER
from tests.servers.lake_reader import LakeReader
from tests.servers.topic_io import Record, produce
from tests.servers.worker import run_goldpan, settings


class Item(NamedTuple):
    """One item of a record: its coordinates, and what identifies it."""

    topic: str
    partition: int
    offset: int
    place: int
    record: str
    trace_id: str | None
    span_id: str | None


COLUMNS = ("_topic", "_partition", "_offset", "_index", "record", "trace_id", "span_id")
FILES: Sequence[tuple[str, SignalFormat]] = (
    ("openinference_langchain_0.1.80.spans.otlp_proto.jsonl.gz", "otlp"),
    ("otel_openai_v2_2.0b0_events.spans.otlp_json.jsonl.gz", "otlp"),
    ("otel_openai_v2_2.0b0_events.logs.otlp_proto.jsonl.gz", "otlp"),
    ("mlflow_3.17.2.native_mlflow.json.jsonl.gz", "mlflow"),
    ("langsmith_0.14.17_batchjson.native_langsmith.json.jsonl.gz", "langsmith"),
    ("openinference_openai_0.1.66.native_phoenix.json.jsonl.gz", "phoenix"),
)


def captured_records(name: str, most: int = 10**6) -> list[Record]:
    """Return the records of a captured file, with their headers, over two partitions in turn."""
    found = list(read_capture((FOLDER / name).read_bytes()))[:most]
    return [
        Record(None, each.value, i % 2, headers=[(n, v or b"") for n, v in each.headers])
        for i, each in enumerate(found)
    ]


def request_of(spans: Iterable[Span]) -> bytes:
    """Return one request of OTLP with these spans."""
    request = ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=list(spans))])]
    )
    value: bytes = request.SerializeToString()
    return value


def plain_span(number: int, trace: int = 1, **parts: Any) -> Span:
    """Return a span without content."""
    values: dict[str, Any] = {
        "trace_id": trace.to_bytes(16, "big"),
        "span_id": number.to_bytes(8, "big"),
        "name": f"span {number}",
        "start_time_unix_nano": 1_795_000_000_000_000_000 + number,
        "end_time_unix_nano": 1_795_000_000_000_000_001 + number,
    }
    return Span(**values | parts)


@dataclass
class ItemScene:
    """A broker with topics of spans, a lake, and what was produced."""

    bootstrap: str
    folder: Path
    sources: dict[str, SignalFormat] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)
    stored: Counter[Item] = field(default_factory=Counter)
    set_aside: Counter[tuple[str, int, int, int | None]] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def env(self) -> dict[str, str]:
        """Return the settings of a worker that reads the topics."""
        more: dict[str, object] = {
            "kafka__sources": self.sources,
            "assembly__quiet_seconds": 1,
            "assembly__idle_seconds": 1,
            **self.more,
        }
        return settings(self.bootstrap, self.folder / "lake", **more)

    @property
    def reader(self) -> LakeReader:
        """Return the witness of what the tables hold."""
        return LakeReader(self.env)

    def produce(self, topic: str, form: SignalFormat, records: Sequence[Record]) -> None:
        """Produce records, and note what each of their items must become."""
        self.sources[topic] = form
        places = produce(self.bootstrap, topic, records)
        for record, (partition, offset) in zip(records, places, strict=True):
            self._expect(topic, partition, offset, form, record)

    def _expect(
        self, topic: str, partition: int, offset: int, form: SignalFormat, record: Record
    ) -> None:
        place = (topic, partition, offset)
        if not record.value:
            self.set_aside[*place, None] += 1
            return
        signals = decode_signals(form, record.value, record.headers)
        if not signals.readable:
            self.set_aside[*place, None] += 1
            return
        try:
            rows = to_stored_spans(signals, form, fallback_us=EARLIEST_MICROS, most_bytes=2**25)
        except RowsTooLargeError:
            self.set_aside[*place, None] += 1
            return
        for index, row in rows.rows:
            self.stored[Item(*place, index, row.record, row.trace_id, row.span_id)] += 1
        refused = [index for index, _, _ in rows.refused] + [r.index for r in signals.rejected]
        self.set_aside.update((*place, index) for index in refused)
        self.dropped.update(rule for _, rule in rows.dropped)

    def found(self) -> Counter[Item]:
        """Return the items in the table."""
        rows = self.reader.rows("otel_spans", COLUMNS)
        return Counter(map(Item, *(rows[name].to_pylist() for name in COLUMNS)))

    def quarantined(self) -> Counter[tuple[str, int, int, int | None]]:
        """Return the coordinates in quarantine."""
        rows = self.reader.rows("quarantine", COLUMNS[:4])
        return Counter(zip(*(rows[name].to_pylist() for name in COLUMNS[:4]), strict=True))

    def all_in(self) -> bool:
        """Return whether as many items are in the tables as were produced."""
        if self.reader.table("otel_spans") is None or self.reader.table("quarantine") is None:
            return False
        return (self.found().total(), self.quarantined().total()) == (
            self.stored.total(),
            self.set_aside.total(),
        )

    def verified(self, *options: str) -> Mapping[str, Any]:
        """Return what `lake verify` says; it must say that all is well."""
        done = run_goldpan(self.env, "lake", "verify", "--json", *options)
        body: Mapping[str, Any] = json.loads(done.stdout)
        assert body["ok"], body["problems"]
        return body

    def assert_exactly_once(self) -> None:
        """Every item is where it belongs, once, and the ledger says so."""
        assert self.found() == self.stored
        assert self.quarantined() == self.set_aside
        body = self.verified("--deep")
        sums: Counter[str] = Counter()
        for partition in body["partitions"]:
            if partition["topic"] not in self.sources:
                continue  # a sequence of the assembly
            for name in ("found", "stored", "quarantined", "dropped"):
                sums[name] += partition[name]
            assert partition["consumed"] + partition["skipped"] == (
                partition["to"] - partition["from"]
            )
        assert sums == Counter(
            found=self.stored.total() + self.set_aside.total() + self.dropped.total(),
            stored=self.stored.total(),
            quarantined=self.set_aside.total(),
            dropped=self.dropped.total(),
        )
