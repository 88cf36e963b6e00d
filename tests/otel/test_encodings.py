"""The row of a trace depends on the set of its spans and logs, and on nothing else."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel.assembly import assemble_trace
from otel.signals import OtelLog, OtelSpan
from tests.otel.captures import CAPTURES, ENCODINGS, OTLP_SOURCES, assemble_capture, read_traces


@pytest.mark.parametrize("source", OTLP_SOURCES)
@pytest.mark.parametrize("encoding", ENCODINGS[1:])
def test_the_encodings_give_the_same_rows(source: str, encoding: str) -> None:
    """Protobuf, protobuf keyed by trace, and JSON carry the same traffic."""
    rows = {t: trace.row for t, trace in assemble_capture(source, ENCODINGS[0]).items()}
    others = assemble_capture(source, encoding)
    assert {t: trace.row for t, trace in others.items()} == rows
    assert any(rows.values())


def test_the_encodings_give_the_same_kinds_and_flags() -> None:
    """Which JSON writes as numbers; most spans say a kind."""
    facts = [
        {
            (span.trace_id, span.span_id): (span.kind, span.flags)
            for trace in read_traces(OTLP_SOURCES[0], encoding).values()
            for span in trace.spans
        }
        for encoding in ENCODINGS
    ]
    assert facts[0] == facts[1] == facts[2]
    assert {kind for kind, _ in facts[0].values()} >= {"client", "server"}
    assert any(flags for _, flags in facts[0].values())


def test_mlflow_gives_the_same_traces_both_ways() -> None:
    """The native id ``tr-<hex>`` is the id of OTLP; texts, tools, models and tokens agree."""
    same = ("messages", "response", "tool_calls", "retrieved", "model_requested", "model_version",
            "input_tokens", "output_tokens", "status", "error_type")  # fmt: skip
    otlp = assemble_capture("mlflow_3.17.2", "otlp_proto")
    native = assemble_capture("mlflow_3.17.2", "native_mlflow.json")
    assert otlp.keys() == native.keys()
    for trace_id, trace in otlp.items():
        if trace.row is not None:
            other = native[trace_id].row
            assert other is not None
            assert {name: other[name] for name in same} == {name: trace.row[name] for name in same}


Signal = TypeVar("Signal", OtelSpan, OtelLog)


def captured_traces() -> st.SearchStrategy[tuple[str, str, str]]:
    """Draw a captured trace of several spans: its source, its format and its id."""
    return st.sampled_from(
        [
            (source, encoding, trace_id)
            for source, encoding in CAPTURES
            for trace_id, trace in assemble_capture(source, encoding).items()
            if trace.span_count > 1
        ]
    )


@settings(max_examples=150)
@given(st.deferred(captured_traces), st.data())
def test_order_duplicates_and_records_change_nothing(
    trace: tuple[str, str, str], data: st.DataObject
) -> None:
    """Spans and logs are shuffled, some are sent twice, and their place in records changes."""
    source, encoding, trace_id = trace
    signals = read_traces(source, encoding)[trace_id]
    spans = _disturb(signals.spans, data)
    logs = _disturb(signals.logs, data)
    assembled = assemble_trace(trace_id, spans, logs)
    undisturbed = assemble_capture(source, encoding)[trace_id]
    assert assembled == undisturbed
    assert json.dumps(assembled.row) == json.dumps(undisturbed.row)


def _disturb(items: Sequence[Signal], data: st.DataObject) -> list[Signal]:
    extra: list[int] = []
    if items:
        extra = data.draw(st.lists(st.integers(0, len(items) - 1), max_size=4))
    order: list[int] = data.draw(st.permutations([*range(len(items)), *extra]))
    return [replace(items[place], index=number) for number, place in enumerate(order)]


@pytest.mark.parametrize("source", OTLP_SOURCES)
def test_a_part_of_a_trace_gives_a_row_or_a_reason(source: str) -> None:
    """Without any one of its spans a trace is still assembled, and the same each time."""
    for trace_id, signals in list(read_traces(source, "otlp_proto").items())[:30]:
        for left_out in range(len(signals.spans)):
            rest = [span for n, span in enumerate(signals.spans) if n != left_out]
            trace = assemble_trace(trace_id, rest, signals.logs)
            assert (trace.row is None) == (trace.reason is not None)
            assert trace == assemble_trace(trace_id, rest[::-1], signals.logs[::-1])
