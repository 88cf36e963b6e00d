"""Rows of otel_spans hold everything that was decoded, and give it back."""

import dataclasses
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel.assembly import assemble_trace
from otel.evaluation_logs import EVALUATION_EVENT
from otel.formats import SIGNAL_FORMATS
from otel.signals import (
    DecodedSignals,
    OtelLog,
    OtelSpan,
    ProductFeedback,
    SpanEvent,
    SpanLink,
    SpanStatus,
)
from otel.stored_spans import (
    LOG_WITHOUT_SPAN,
    RowsTooLargeError,
    StorableSignals,
    from_stored_span,
    to_stored_spans,
)
from otel.trace_sets import group_by_trace
from schemas.records import EARLIEST_MICROS, INT64_MAX, StoredSpan
from tests.make.strategies import TEXT
from tests.otel.captures import CAPTURES, assemble_capture, read_records
from tests.otel.make_spans import assemble, chat, row_of
from tests.otel.stored_rows import from_stored_spans

FALLBACK = EARLIEST_MICROS + 5
_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
_TIMES = st.just(0) | st.integers(1, INT64_MAX)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
_ATTRIBUTES = st.dictionaries(TEXT, _JSON, max_size=4)
_EVENTS = st.builds(SpanEvent, TEXT, _TIMES, _ATTRIBUTES)
_LINKS = st.builds(SpanLink, TEXT, TEXT, _ATTRIBUTES)
_SPANS = st.builds(
    OtelSpan,
    trace_id=_IDS,
    span_id=_IDS,
    parent_span_id=st.none() | _IDS,
    name=TEXT,
    start_ns=_TIMES,
    end_ns=_TIMES,
    attributes=_ATTRIBUTES,
    resource=_ATTRIBUTES,
    scope=TEXT,
    status=st.builds(SpanStatus, st.integers(0, 2), TEXT),
    events=st.lists(_EVENTS, max_size=2).map(tuple),
    links=st.lists(_LINKS, max_size=2).map(tuple),
    trace_state=TEXT,
    dropped_attributes=st.integers(0, 2**32),
    fragment=st.booleans(),
    kind=st.none() | st.sampled_from(["server", "client", "consumer"]),
    flags=st.integers(0, 2**32 - 1),
    index=st.integers(0, 2**31 - 1),
)
_LOGS = st.builds(
    OtelLog,
    trace_id=_IDS,
    span_id=_IDS,
    event_name=TEXT,
    time_ns=_TIMES,
    body=_JSON,
    attributes=_ATTRIBUTES,
    resource=_ATTRIBUTES,
    scope=TEXT,
    index=st.integers(0, 2**31 - 1),
)
_FEEDBACK = st.builds(
    ProductFeedback,
    feedback_id=_IDS,
    name=TEXT,
    value=_JSON,
    comment=st.none() | TEXT,
    target_kind=st.sampled_from(["trace", "span", "session", "entity"]),
    target_id=_IDS,
    time_ns=_TIMES,
    user_id=st.none() | _IDS,
    source=TEXT,
    correction=st.none() | TEXT,
    index=st.integers(0, 2**31 - 1),
)


def _store(signals: DecodedSignals, signal_format: str = "otlp") -> StorableSignals:
    return to_stored_spans(signals, signal_format, fallback_us=FALLBACK, most_bytes=2**30)


def _rows(signals: DecodedSignals, signal_format: str = "otlp") -> list[dict[str, Any]]:
    """Return the rows as the table gives them back: checked by the contract, with an index."""
    found = _store(signals, signal_format)
    assert not found.refused
    checked = [(i, msgspec.to_builtins(row)) for i, row in found.rows]
    for _, row in checked:
        msgspec.convert(row, StoredSpan)
    return [{**row, "_index": index} for index, row in checked]


@given(_SPANS, st.sampled_from(SIGNAL_FORMATS))
def test_a_span_comes_back_unchanged(span: OtelSpan, signal_format: str) -> None:
    """Each field of a span is the same afterwards; its session and user stand in columns too."""
    (row,) = _rows(DecodedSignals(spans=(span,)), signal_format)
    restored = from_stored_span(row)
    assert isinstance(restored, OtelSpan)
    assert dataclasses.replace(restored, session_id=None, user_id=None) == span


@given(_LOGS.filter(lambda log: log.event_name != EVALUATION_EVENT))
def test_a_log_record_comes_back_unchanged(log: OtelLog) -> None:
    """A log record of a span is the same afterwards."""
    (row,) = _rows(DecodedSignals(logs=(log,)))
    assert from_stored_span(row) == log


@given(_FEEDBACK, st.sampled_from(SIGNAL_FORMATS))
def test_a_feedback_comes_back_unchanged(feedback: ProductFeedback, signal_format: str) -> None:
    """A feedback is the same afterwards, whatever its target is."""
    (row,) = _rows(DecodedSignals(feedback=(feedback,)), signal_format)
    assert from_stored_span(row) == feedback


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_captured_traces_assemble_alike_from_rows(source: str, encoding: str) -> None:
    """What assembly makes of the rows is what it makes of the traffic itself."""
    records = read_records(source, encoding)
    form = encoding.removeprefix("native_").split(".")[0] if "native" in encoding else "otlp"
    restored = group_by_trace(from_stored_spans(_rows(record, form)) for record in records)
    expected = assemble_capture(source, encoding)
    assert restored.keys() == expected.keys()
    for trace_id, signals in restored.items():
        assembled = assemble_trace(trace_id, signals.spans, signals.logs)
        assert assembled.row == expected[trace_id].row
        assert assembled.incomplete == expected[trace_id].incomplete


def test_log_records_of_no_span_are_dropped_by_name() -> None:
    """They are counted, so that found equals stored and dropped; an evaluation is feedback."""
    lost = OtelLog("ab" * 16, None, "event", 1, "text", {}, index=0)
    score = OtelLog(
        "ab" * 16, None, EVALUATION_EVENT, 1, None, {"gen_ai.evaluation.name": "x"}, index=1
    )
    kept = OtelLog("ab" * 16, "cd" * 8, "event", 1, "text", {}, index=2)
    found = to_stored_spans(
        DecodedSignals(logs=(lost, score, kept)), "otlp", fallback_us=FALLBACK, most_bytes=2**30
    )
    assert found.dropped == [(0, LOG_WITHOUT_SPAN)]
    assert [(index, row.record) for index, row in found.rows] == [(1, "feedback"), (2, "log")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"span_id": "x" * 513}, "span_id"),
        ({"attributes": {"user.id": "x" * 513}}, "user_id"),
        ({"trace_id": ""}, "trace_id"),
        ({"start_ns": 2**63}, "start_time_unix_nano"),
        ({"end_ns": 2**64 - 1}, "end_time_unix_nano"),
        ({"status": SpanStatus(-1)}, "status_code"),
        ({"events": (SpanEvent("e", 2**63, {}),)}, "events[].time_unix_nano"),
    ],
)
def test_what_the_table_cannot_hold_is_refused_alone(change: dict[str, Any], field: str) -> None:
    """The other items of the record are stored, and the rule names the field."""
    good = OtelSpan("ab" * 16, "cd" * 8, None, "s", 1, 2, {}, index=1)
    bad = dataclasses.replace(good, **{"index": 0, **change})
    found = to_stored_spans(
        DecodedSignals(spans=(bad, good)), "otlp", fallback_us=FALLBACK, most_bytes=2**30
    )
    assert [index for index, _ in found.rows] == [1]
    ((index, _, breach),) = found.refused
    assert (index, breach.field) == (0, field)
    assert field in breach.detail


def test_a_session_id_that_is_too_long_is_left_out() -> None:
    """The span stays, without the id in any attribute; the row says that something is missing."""
    long = 'é"' * 300
    call = chat(1, attributes={"session.id": long, "note": f"of {long}", "tool.args": "{}"})
    (row,) = _rows(DecodedSignals(spans=(call,)))
    assert (row["user_id"], row["session_id"], row["dropped_attributes"]) == (None, None, 1)
    assert '"note":"of "' in row["attributes"]
    restored = from_stored_span(row)
    assert isinstance(restored, OtelSpan)
    trace = assemble(restored)
    assert trace.row is not None
    assert (trace.row["user_id"], trace.row["session_id"]) == (None, None)
    assert trace.incomplete == ("attributes_dropped",)


@pytest.mark.parametrize(
    ("value", "user"),
    [(" \t", "other"), (7.0, "7"), (1042.5, "1042.5"), (7, "7"), (" u ", " u "), (True, "other")],
)
def test_a_user_is_no_blank_and_a_whole_number_has_no_point(value: object, user: str) -> None:
    """What is blank yields to the next name of the user."""
    call = chat(1, attributes={"user.id": value, "enduser.id": "other"})
    (row,) = _rows(DecodedSignals(spans=(call,)))
    assert row["user_id"] == user
    assert row_of(call)["user_id"] == user


def test_numbers_that_json_lacks_become_text() -> None:
    """As in protobuf's own JSON, so that every reader can parse the attributes."""
    span = OtelSpan(
        "ab" * 16, "cd" * 8, None, "s", 1, 2, {"a": [math.nan, {"b": math.inf}], "c": -math.inf}
    )
    (row,) = _rows(DecodedSignals(spans=(span,)))
    assert row["attributes"] == '{"a":["NaN",{"b":"Infinity"}],"c":"-Infinity"}'


def test_the_event_time_is_always_valid() -> None:
    """A span without a start, or of the year 1970, is stored under the time of its record."""
    for start_ns in (0, 5, 4_200_000_000 * 10**9):
        span = OtelSpan("ab" * 16, "cd" * 8, None, "s", start_ns, 0, {})
        (row,) = _rows(DecodedSignals(spans=(span,)))
        assert row["started_at"] == FALLBACK


def test_a_resource_that_would_fill_the_memory_is_refused() -> None:
    """It stands in each row: a small record could otherwise become gigabytes."""
    resource = {"text": "x" * 10_000}
    spans = tuple(
        OtelSpan("ab" * 16, f"{i:016x}", None, "s", 1, 2, {}, resource, index=i)
        for i in range(1_000)
    )
    with pytest.raises(RowsTooLargeError):
        to_stored_spans(DecodedSignals(spans=spans), "otlp", fallback_us=FALLBACK, most_bytes=2**20)
