"""Spans on a real Kafka become whole traces, whatever happens to spans and workers."""

from pathlib import Path

import pytest

from tests.faults.span_scene import SpanScene, make_traces
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka


@pytest.fixture
def span_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> SpanScene:
    """A topic of spans on the shared broker, and a lake in a folder."""
    return SpanScene(kafka, tmp_path, start_worker)


def test_spans_become_traces(span_scene: SpanScene) -> None:
    """From OTLP on Kafka to rows of traces; nothing is open when the worker ends."""
    traces = make_traces(10)
    span_scene.produce(*traces)
    span_scene.catch_up()
    span_scene.assert_every_span_once()
    span_scene.assert_sequences()
    rows = span_scene.in_force()
    assert sorted(rows) == sorted(trace[0].trace_id for trace in traces)
