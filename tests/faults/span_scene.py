"""A topic of spans, a lake, and workers between them that assemble traces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lake.tables import Lake
from otel.signals import OtelSpan
from schemas.arrow import TABLES
from tests.assembly.world import without_numbers
from tests.lake.kit import open_lake
from tests.otel.make_spans import chat, span
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record, produce
from tests.servers.worker import Worker, settings


def encode_spans(spans: Iterable[OtelSpan]) -> bytes:
    """Return spans as one OTLP request in protobuf, each under a resource of its own."""
    request = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=_attributes(each.resource)),
                scope_spans=[
                    ScopeSpans(scope=InstrumentationScope(name=each.scope), spans=[_encode(each)])
                ],
            )
            for each in spans
        ]
    )
    return bytes(request.SerializeToString())


def _encode(each: OtelSpan) -> Span:
    return Span(
        trace_id=bytes.fromhex(each.trace_id),
        span_id=bytes.fromhex(each.span_id),
        parent_span_id=bytes.fromhex(each.parent_span_id or ""),
        name=each.name,
        start_time_unix_nano=each.start_ns,
        end_time_unix_nano=each.end_ns,
        attributes=_attributes(each.attributes),
        status=Status(code=each.status.code, message=each.status.message),  # type: ignore[arg-type]  # the enum's number
    )


def _attributes(values: Any) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(string_value=str(value))) for key, value in values.items()
    ]


def make_traces(count: int, first: int = 1) -> list[list[OtelSpan]]:
    """Return the spans of traces: most with a root and two calls, some bare, some without root."""
    traces = []
    for number in range(first, first + count):
        trace_id = f"{number:032x}"
        calls = [chat(n, 1, trace_id=trace_id, answer=f"{number} {n}") for n in (2, 3)]
        match number % 5:
            case 0:
                traces.append([chat(1, trace_id=trace_id, answer=str(number))])
            case 1:
                traces.append(calls)
            case _:
                traces.append([span(1, trace_id=trace_id), *calls])
    return traces


@dataclass
class SpanScene:
    """A topic of spans on a broker, a lake, and the spans that were produced."""

    kafka: Kafka
    folder: Path
    start_worker: StartWorker
    partitions: int = 2
    produced: list[OtelSpan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topic = self.kafka.new_topic("otlp_spans", self.partitions)
        self.group = unique("group")

    def env(self, **more: object) -> dict[str, str]:
        """Return the environment of a worker; ``more`` wins."""
        own: dict[str, object] = {
            "kafka__sources": {self.topic: "otlp"},
            "kafka__group_id": self.group,
            "kafka__group_protocol": "consumer",
            "stream__flush_seconds": 0.2,
            "assembly__quiet_seconds": 0.3,
            "assembly__idle_seconds": 1.5,
        }
        return settings(self.kafka, self.folder / "lake", **{**own, **more})

    def start(self, *args: str, name: str | None = None, **more: object) -> Worker:
        """Start a worker."""
        return self.start_worker(self.env(**more), *args, name=name)

    def catch_up(self, **more: object) -> Worker:
        """Let a new worker bring everything into the lake and assemble it."""
        worker = self.start("--until-caught-up", name=None, **more)
        worker.finish()
        return worker

    def produce(self, *records: Sequence[OtelSpan], partition: int | None = None) -> None:
        """Produce each sequence of spans as one record, without a key."""
        self.produced += [each for record in records for each in record]
        values = [Record(None, encode_spans(record), partition) for record in records]
        produce(self.kafka.bootstrap, self.topic, values)

    @property
    def lake(self) -> Lake:
        """The lake, with new handles."""
        return open_lake(self.folder)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return all rows of a table."""
        table = self.lake.table(name)
        table.refresh()
        batches = table.batches(TABLES[name].arrow.names)
        return [row for batch in batches for row in batch.to_pylist()]

    def in_force(self) -> dict[str, dict[str, Any]]:
        """Return the row with the highest revision of each trace, without its numbers."""
        best: dict[str, dict[str, Any]] = {}
        for row in self.rows("traces"):
            before = best.get(row["trace_id"])
            if before is None or before["revision"] < row["revision"]:
                best[row["trace_id"]] = row
        return {trace_id: without_numbers(row) for trace_id, row in best.items()}

    def assert_every_span_once(self) -> None:
        """Fail unless each produced span is a row, as often as it was produced."""
        stored = sorted((row["trace_id"], row["span_id"]) for row in self.rows("otel_spans"))
        assert stored == sorted((each.trace_id, each.span_id) for each in self.produced)
        places = [
            (row["_topic"], row["_partition"], row["_offset"], row["_index"])
            for row in self.rows("otel_spans")
        ]
        assert len(set(places)) == len(places)

    def assert_sequences(self) -> None:
        """Fail if numbers of a shard have gaps, or if a revision of a trace comes twice."""
        numbers: dict[int, list[int]] = {}
        for row in self.rows("traces"):
            numbers.setdefault(row["_partition"], []).append(row["_offset"])
        assert all(sorted(found) == list(range(len(found))) for found in numbers.values())
        revisions = [(row["trace_id"], row["revision"]) for row in self.rows("traces")]
        assert len(set(revisions)) == len(revisions)
