"""Damaged OTLP costs the damaged span only, or the record, and never the process."""

import json
import resource
import tracemalloc

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from otel.assembly import assemble_trace
from otel.capture_files import CapturedRecord, read_capture
from otel.formats import SIGNAL_FORMATS, SignalFormat, decode_signals
from otel.otlp import decode_otlp
from otel.signals import DecodedSignals
from otel.trace_sets import group_by_trace
from tests.otel.captures import ENCODINGS, FOLDER
from tests.otel.make_spans import START, TRACE, request


def _samples() -> list[bytes]:
    from_disk = [
        decode_file
        for encoding in ENCODINGS
        for file in sorted(FOLDER.glob(f"*.{encoding}.jsonl.gz"))
        for decode_file in _first_values(file.name)
    ]
    return [*from_disk, request("a", "b").SerializeToString()]


def _first_values(name: str) -> list[bytes]:
    return [record.value for _, record in zip(range(2), _read(name), strict=False)]


def _read(name: str) -> list[CapturedRecord]:
    return list(read_capture((FOLDER / name).read_bytes()))


def _assemble(decoded: DecodedSignals) -> None:
    for trace_id, signals in group_by_trace([decoded]).items():
        trace = assemble_trace(trace_id, signals.spans, signals.logs)
        json.dumps(trace.row).encode()


SAMPLES = _samples()


@settings(max_examples=200)
@given(st.sampled_from(SAMPLES), st.data())
def test_truncated_records_do_not_crash(sample: bytes, data: st.DataObject) -> None:
    """A record that ends anywhere is read as far as its items are whole, or refused."""
    end = data.draw(st.integers(0, min(len(sample) - 1, 20_000)))
    decoded = decode_otlp(sample[:end])
    assert decoded.readable or len(decoded.rejected) == 1
    _assemble(decoded)


@settings(max_examples=200)
@given(st.sampled_from(SAMPLES), st.data())
def test_flipped_bits_do_not_crash(sample: bytes, data: st.DataObject) -> None:
    """Whatever bits are wrong, decoding and assembly end with values and reasons."""
    sample = sample[:30_000]
    flips = data.draw(st.lists(st.tuples(st.integers(0, len(sample) - 1), st.integers(0, 7)),
                               min_size=1, max_size=8))  # fmt: skip
    damaged = bytearray(sample)
    for place, bit in flips:
        damaged[place] ^= 1 << bit
    _assemble(decode_otlp(bytes(damaged)))


@settings(max_examples=200)
@given(st.sampled_from(SIGNAL_FORMATS), st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_are_decoded_or_refused(
    signal_format: SignalFormat, value: bytes, header: bytes
) -> None:
    """No format raises, whatever the record and its headers hold."""
    headers = [("http.path", header), ("content-type", b"multipart/form-data; boundary=" + header)]
    decode_signals(signal_format, value, headers)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["id", "trace_id", "inputs", "outputs", "messages", "post", "patch", "batch", "body",
             "type", "info", "data", "spans", "span_id", "attributes", "status", "events", "error",
             "resourceSpans", "scopeSpans", "traceId", "spanId", "start_time", "extra", "metadata",
             "assessments", "feedback", "tags", "entity_id", "name", "run_type", "value", "result"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300)
@given(st.sampled_from(SIGNAL_FORMATS), DOCUMENTS)
def test_any_json_is_decoded_or_refused(signal_format: SignalFormat, document: object) -> None:
    """Known names with values of any type do no harm, nor does the assembly of what they give."""
    _assemble(decode_signals(signal_format, json.dumps(document).encode(), []))


def test_a_declared_size_of_100_mb_is_refused_without_memory() -> None:
    """The size is only claimed: nothing of it is reserved."""
    size = b"\x80\x80\x80\x32"  # 104,857,600 as a varint
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    for value in (b"\x0a" + size, b"\x0a" + size + b"\x12\x05" * 9):
        assert not decode_otlp(value).readable
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("trace_id", "span_id", "reason"),
    [
        (b"\1" * 15, b"\2" * 8, "trace_id has 15 bytes, not 16"),
        (b"\1" * 16, b"\2" * 9, "span_id has 9 bytes, not 8"),
        (b"", b"\2" * 8, "trace_id has 0 bytes, not 16"),
        (bytes(16), b"\2" * 8, "trace_id is zero"),
        (b"\1" * 16, bytes(8), "span_id is zero"),
    ],
)
def test_a_span_with_a_wrong_id_is_set_aside_alone(
    trace_id: bytes, span_id: bytes, reason: str, *, as_json: bool
) -> None:
    """The spans before and after it are read."""
    sent = request("a", "b", "c")
    bad = sent.resource_spans[0].scope_spans[0].spans[1]
    bad.trace_id, bad.span_id = trace_id, span_id
    decoded = decode_otlp(_to_json(sent) if as_json else sent.SerializeToString())
    assert [(item.index, item.reason) for item in decoded.rejected] == [(1, reason)]
    assert [(span.name, span.index) for span in decoded.spans] == [("a", 0), ("c", 2)]


def _to_json(sent: ExportTraceServiceRequest) -> bytes:
    spans = [
        {
            "traceId": span.trace_id.hex(),
            "spanId": span.span_id.hex(),
            "name": span.name,
            "startTimeUnixNano": str(span.start_time_unix_nano),
        }
        for span in sent.resource_spans[0].scope_spans[0].spans
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def test_a_span_that_is_not_utf8_is_set_aside_alone() -> None:
    """Protobuf refuses the whole request for it; its items are then read one by one."""
    value = request("good", "b\u00e4d!", "fine").SerializeToString()
    decoded = decode_otlp(value.replace("b\u00e4d!".encode(), b"b\xff\xffd!"))
    assert [span.name for span in decoded.spans] == ["good", "fine"]
    assert [item.index for item in decoded.rejected] == [1]


@pytest.mark.parametrize(
    ("value", "read"),
    [("Grüße an mia@example.com".encode(), "Grüße an mia@example.com"), (b"\xff\xfe", "//4=")],
)
def test_bytes_that_are_text_are_read_as_text(value: bytes, read: str) -> None:
    """Redaction does not look into base64, so goldpan makes none of a text."""
    sent = request("a")
    attribute = sent.resource_spans[0].scope_spans[0].spans[0].attributes.add(key="raw")
    attribute.value.array_value.values.add(bytes_value=value)
    as_json = json.loads(_to_json(sent))
    as_json["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = [
        MessageToDict(attribute)
    ]
    for record in (sent.SerializeToString(), json.dumps(as_json).encode()):
        (decoded,) = decode_otlp(record).spans
        assert decoded.attributes["raw"] == [read]


def test_values_nested_too_deeply_cost_one_span() -> None:
    """Protobuf bounds the depth of a value."""
    deep = b"\x0a\x01x"  # AnyValue: string_value
    for _ in range(200):
        deep = _field(5, _field(1, deep))  # AnyValue: array_value, ArrayValue: values
    attribute = _field(9, _field(1, b"deep") + _field(2, deep))
    sent = request("a", "b")
    good = [span.SerializeToString() for span in sent.resource_spans[0].scope_spans[0].spans]
    items = _field(2, good[0] + attribute) + _field(2, good[1])
    decoded = decode_otlp(_field(1, _field(2, items)))
    assert [span.name for span in decoded.spans] == ["b"]
    assert len(decoded.rejected) == 1


def _field(number: int, payload: bytes) -> bytes:
    """Return a field of protobuf that holds a message or a text."""
    size, length = b"", len(payload)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + payload


def test_json_nested_too_deeply_is_refused() -> None:
    """A million brackets are no reason to crash, in a record or in an attribute."""
    assert not decode_otlp(b'{"resourceSpans":' + b"[" * 1_000_000).readable
    sent = request("a")
    span = sent.resource_spans[0].scope_spans[0].spans[0]
    deep = "[" * 900 + "]" * 900
    for key in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.operation.name"):
        text = "chat" if key.endswith("name") else deep
        span.attributes.append(KeyValue(key=key, value=AnyValue(string_value=text)))
    _assemble(decode_otlp(sent.SerializeToString()))


def test_ten_thousand_attributes_on_a_span() -> None:
    """A group of numbered attributes costs what it holds, however large the numbers are."""
    sent = request("a")
    span = sent.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.append(
        KeyValue(key="openinference.span.kind", value=AnyValue(string_value="LLM"))
    )
    for number in range(10_000):
        key = f"llm.input_messages.{number * 99_991}.message.content"
        span.attributes.append(KeyValue(key=key, value=AnyValue(string_value=str(number))))
    decoded = decode_otlp(sent.SerializeToString())
    row = assemble_trace(TRACE, decoded.spans).row
    assert row is not None
    assert [message["content"] for message in row["messages"]] == [str(n) for n in range(10_000)]
    assert row["started_at"] == START // 1000


def test_an_empty_record_is_refused() -> None:
    """So is JSON that is no OTLP, with a reason that holds none of it."""
    assert not decode_otlp(b"").readable
    refused = decode_otlp(b'{"secret-4711": "secret-4711"}')
    assert not refused.readable
    assert "4711" not in refused.rejected[0].reason
