"""Spans of the worker: sent to a collector where one is set, with coordinates and nothing else."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from goldpan import wiring
from goldpan.settings import TracingSettings
from schemas.errors import UsageError
from tests.make.records import encode_json, feedback, person, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import unique
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.topic_io import Record
from tests.servers.worker import settings


@dataclass
class Collector:
    """An endpoint of OTLP over HTTP, and what came there."""

    endpoint: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Any]:
        """Every span that came."""
        return [
            span
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that takes everything."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            found.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    found.endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
    yield found
    server.shutdown()
    server.server_close()


def _produce(kafka: MockKafka) -> None:
    for topic, make in (("llm.traces", trace), ("llm.feedback", feedback)):
        records = [Record(b"%d" % i, encode_json(make(i))) for i in range(20)]
        kafka.produce(topic, [*records, Record(b"bad", b"no record of mia.okafor@example.com")])


def test_each_stage_is_a_span(
    mock_kafka: MockKafka, start_worker: StartWorker, collector: Collector, tmp_path: Path
) -> None:
    """With topic, offsets, counts and tables; those of a flush within it; nothing of a record."""
    _produce(mock_kafka)
    env = settings(
        mock_kafka,
        tmp_path / "lake",
        kafka__group_id=unique("traced"),
        tracing__endpoint=collector.endpoint,
    )
    start_worker(env, "--until-caught-up").finish()
    spans = collector.spans()
    stages = {"poll", "decode", "redact", "flush", "write", "commit"}
    assert {span.name for span in spans} == stages
    flushes = {span.span_id for span in spans if span.name == "flush"}
    assert {span.parent_span_id for span in spans if span.name in {"write", "commit"}} <= flushes
    told = {(a.key, _value(a.value)) for span in spans for a in span.attributes}
    keys = {f"goldpan.{key}" for key in ("topic", "records", "offsets", "table")}
    assert {key for key, _ in told} == keys
    assert {("goldpan.table", "traces"), ("goldpan.topic", "llm.traces")} <= told
    everything = b"".join(collector.bodies)
    for who in map(person, range(20)):
        for secret in (who.user_id, who.name, who.email, who.phone, "mia.okafor"):
            assert secret.encode() not in everything


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def test_a_collector_that_is_gone_keeps_nobody_waiting(
    mock_kafka: MockKafka, start_worker: StartWorker, tmp_path: Path
) -> None:
    """The worker does its work and ends in order."""
    _produce(mock_kafka)
    nowhere = f"http://127.0.0.1:{free_port()}/v1/traces"
    env = settings(
        mock_kafka, tmp_path / "lake", kafka__group_id=unique("traced"), tracing__endpoint=nowhere
    )
    start_worker(env, "--until-caught-up").finish()


def test_nothing_is_paid_where_no_spans_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No attribute is computed, and OpenTelemetry is not even imported."""
    monkeypatch.setattr("goldpan.wiring.importlib.import_module", pytest.fail)
    with wiring.connect_spans(TracingSettings()).span("decode", offsets=pytest.fail):
        pass


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what to install."""

    def gone(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("goldpan.wiring.importlib.import_module", gone)
    with pytest.raises(UsageError, match=r"install goldpan\[tracing\]"):
        wiring.connect_spans(TracingSettings(endpoint="http://collector:4318/v1/traces"))
