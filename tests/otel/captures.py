"""Reads the captured traffic of tests/data/otel, and assembles its traces."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from otel.assembly import AssembledTrace, assemble_trace
from otel.capture_files import read_capture
from otel.formats import SignalFormat, decode_signals
from otel.signals import DecodedSignals
from otel.trace_sets import TraceSignals, group_by_trace

FOLDER = Path(__file__).parents[1] / "data" / "otel"
ENCODINGS = ("otlp_proto", "otlp_proto_byid", "otlp_json")
OTLP_SOURCES = (
    "otel_openai_v2_2.0b0_events",
    "otel_openai_v2_2.4b0_span_only",
    "openinference_openai_0.1.66",
    "openinference_langchain_0.1.80",
    "mlflow_3.17.2",
)
CAPTURES = (
    *((source, "otlp_proto") for source in OTLP_SOURCES),
    ("mlflow_3.17.2", "native_mlflow.json"),
    ("langsmith_0.14.17_batchjson", "native_langsmith.json"),
)
"""Each source in each format that its product sends."""


@cache
def read_truth() -> tuple[Mapping[str, Any], ...]:
    """Return the truth, one object per turn of a user."""
    with gzip.open(FOLDER / "truth.jsonl.gz") as lines:
        return tuple(json.loads(line) for line in lines)


@cache
def read_records(source: str, encoding: str) -> tuple[DecodedSignals, ...]:
    """Return the decoded records of a source, spans and logs."""
    native = encoding.startswith("native_")
    signal_format: Any = encoding.removeprefix("native_").split(".")[0] if native else "otlp"
    files = sorted(FOLDER.glob(f"{source}.*{encoding}.jsonl.gz"))
    return tuple(_decode(signal_format, record) for file in files for record in _lines(file))


def _lines(file: Path) -> list[Any]:
    return list(read_capture(file.read_bytes()))


def _decode(signal_format: SignalFormat, record: Any) -> DecodedSignals:
    return decode_signals(signal_format, record.value, record.headers)


@cache
def read_traces(source: str, encoding: str) -> Mapping[str, TraceSignals]:
    """Return the spans and logs of each trace of a source."""
    return group_by_trace(read_records(source, encoding))


@cache
def assemble_capture(source: str, encoding: str) -> Mapping[str, AssembledTrace]:
    """Return the assembled traces of a source."""
    return {
        trace_id: assemble_trace(trace_id, signals.spans, signals.logs)
        for trace_id, signals in read_traces(source, encoding).items()
    }
