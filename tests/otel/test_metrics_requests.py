"""Metrics on a topic of spans are set aside as one record, and are never stored as spans."""

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from otel.otlp import decode_otlp
from tests.otel.make_spans import request

POINT = NumberDataPoint(time_unix_nano=0x2020202020202020, as_int=7)
KINDS = {
    "sum": {"sum": Sum(data_points=[POINT], is_monotonic=True)},
    "gauge": {"gauge": Gauge(data_points=[POINT])},
    "histogram": {"histogram": Histogram(data_points=[HistogramDataPoint(count=3)])},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "description"), [("http.requests", "how many"), ("n" * 16, "d" * 8)]
)
def test_metrics_are_one_refused_record(kind: str, name: str, description: str) -> None:
    """Also where a name and a description have the length of ids."""
    metrics = [Metric(name=name, description=description, unit="1", **KINDS[kind])] * 3
    value = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(scope_metrics=[ScopeMetrics(metrics=metrics)])]
    ).SerializeToString()
    decoded = decode_otlp(value)
    assert not decoded.readable
    assert [item.reason for item in decoded.rejected] == [
        "not an OTLP request of traces or logs: it holds metrics"
    ]
    assert decoded.spans == decoded.logs == ()


def test_spans_without_times_are_spans() -> None:
    """They are stored, and their neighbours with bad ids are set aside alone."""
    sent = request("chat", "text")
    for span in sent.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano = span.end_time_unix_nano = 0
    sent.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    decoded = decode_otlp(sent.SerializeToString())
    assert [span.name for span in decoded.spans] == ["chat"]
    assert len(decoded.rejected) == 1
