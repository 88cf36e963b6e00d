"""Records of spans become rows, one an item; what is wrong with one item concerns that item."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from otel.formats import SignalFormat
from otel.kept_items import KeptItem, read_kept_item, write_kept_item
from schemas.reasons import QuarantineReason
from schemas.record_batches import DECODED_BEFORE, DecodedBatch, RawRecord, RejectedRecord
from stream.kept_signals import KeptSignalDecoder
from stream.signal_decoder import MOST_ROW_BYTES, SignalDecoder
from tests.e2e.item_scene import FILES, captured_records, plain_span, request_of
from tests.servers.topic_io import Record

NOW = 1_795_000_000_000_000
TOPIC = "spans"
HUGE = b"\x0a\x80\xc2\xd7\x2f"
"""Field 1 with a declared length of 100,000,000 bytes, of which none follows."""
Decoded = tuple[DecodedBatch[Any], list[RejectedRecord]]


def decoder(form: SignalFormat = "otlp", most: int = 10**6) -> SignalDecoder:
    """Return a decoder of a format."""
    return SignalDecoder(form, max_record_bytes=most, now_us=lambda: NOW)


def raw(value: bytes | None, offset: int = 0, **parts: Any) -> RawRecord:
    """Return a record as Kafka returns it."""
    return RawRecord(0, offset, NOW // 1000, None, value, **parts)


def raws(records: Sequence[Record]) -> list[RawRecord]:
    """Return records of a capture as Kafka returns them."""
    return [raw(r.value, at, headers=tuple(r.headers)) for at, r in enumerate(records)]


def items(decoded: Decoded) -> list[tuple[int, int | None]]:
    """Return offset and index of everything that was found."""
    batch, rejected = decoded
    found: list[tuple[int, int | None]] = list(zip(batch.offsets, batch.indexes, strict=True))
    found += [(r.raw.offset, r.raw.item) for r in rejected]
    return found + [(d.offset, d.item) for d in batch.dropped]


def test_one_bad_span_is_set_aside_alone() -> None:
    """Its neighbours are rows; its payload is a request that holds it alone."""
    bad = plain_span(2, trace_id=b"abc")
    batch, (rejected,) = decoder().decode(
        TOPIC, [raw(request_of([plain_span(1), bad, plain_span(3)]))]
    )
    assert batch.indexes == [0, 2]
    assert (rejected.reason, rejected.raw.item) == (QuarantineReason.INVALID_ITEM, 1)
    assert rejected.detail == "Trace_id has 3 bytes, not 16."
    kept = read_kept_item(rejected.raw.value or b"")
    assert kept is not None
    _, (again,) = decoder().decode(TOPIC, [raw(kept.value)])
    assert (again.reason, again.detail) == (rejected.reason, rejected.detail)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, QuarantineReason.TOMBSTONE),
        (b"", QuarantineReason.EMPTY),
        (b"\x0a\x05no", QuarantineReason.NOT_SIGNALS),
        (b"{}", QuarantineReason.NOT_SIGNALS),
        (HUGE, QuarantineReason.NOT_SIGNALS),
        (HUGE + HUGE, QuarantineReason.NOT_SIGNALS),
        (b"x" * 2_000, QuarantineReason.TOO_LARGE),
    ],
)
def test_what_cannot_be_read_is_one_item(value: bytes | None, reason: QuarantineReason) -> None:
    """The record is set aside as it came, without an index."""
    batch, (rejected,) = decoder(most=1_000).decode(TOPIC, [raw(value)])
    assert len(batch) == 0
    assert (rejected.reason, rejected.raw.item, rejected.raw.value) == (reason, None, value)


@pytest.mark.parametrize(("name", "form"), FILES)
def test_kept_records_and_items_decode_alike(name: str, form: SignalFormat) -> None:
    """From quarantine a record gives what it gave from Kafka, and so does each row alone."""
    plain, kept = decoder(form), KeptSignalDecoder(decoder(form))
    records = raws(captured_records(name, 10))
    batch, rejected = plain.decode(TOPIC, records)
    assert len(batch)
    assert not rejected
    whole = [
        r._replace(value=write_kept_item(KeptItem("record", r.value or b"", r.headers)), headers=())
        for r in records
    ]
    for stored in (whole, batch.raws):
        again, failed = kept.decode(TOPIC, stored)
        assert not failed
        assert again.records == batch.records
        if not batch.dropped:
            assert items((again, [])) == items((batch, []))


def test_an_item_keeps_its_place_when_it_is_decoded_alone() -> None:
    """A span that was rejected, and is valid now, is the row that it would have been."""
    value = write_kept_item(KeptItem("record", request_of([plain_span(7)])))
    batch, rejected = KeptSignalDecoder(decoder()).decode(TOPIC, [raw(value, 5, item=3)])
    assert not rejected
    assert (batch.offsets, batch.indexes, batch.raws[0].item) == ([5], [3], 3)


def test_size_is_no_reason_once_items_were_decoded() -> None:
    """Quarantine holds an item of the record: the others must be found, whatever the limit."""
    value = request_of([plain_span(1), plain_span(2)])
    batch, rejected = decoder(most=10).decode(TOPIC, [raw(value, item=DECODED_BEFORE)])
    assert (batch.indexes, rejected) == ([0, 1], [])


def test_ten_thousand_attributes_are_one_row() -> None:
    """A span may have as many attributes as its record may have bytes."""
    attributes = [
        KeyValue(key=f"k{i}", value=AnyValue(string_value="v" * 10)) for i in range(10_000)
    ]
    batch, rejected = decoder().decode(
        TOPIC, [raw(request_of([plain_span(1, attributes=attributes)]))]
    )
    assert (len(batch), rejected) == (1, [])
    assert batch.records[0].attributes.count('"k') == 10_000


@pytest.mark.parametrize("bad", [False, True])
def test_a_resource_of_many_spans_cannot_fill_the_memory(bad: bool) -> None:
    """It would stand in each row, or in each payload: the record is set aside as one instead."""
    resource = Resource(attributes=[KeyValue(key="r", value=AnyValue(string_value="x" * 10_000))])
    spans = [plain_span(i + 1) for i in range(4_000)]
    for span in spans if bad else ():
        span.trace_id = b"short"
    request = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])
    value = b"\x0a" + _varint(request.ByteSize()) + request.SerializeToString()
    assert len(value) < MOST_ROW_BYTES // 50
    batch, (rejected,) = decoder().decode(TOPIC, [raw(value)])
    assert len(batch) == 0
    assert (rejected.reason, rejected.raw.item) == (QuarantineReason.TOO_LARGE, None)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


@pytest.mark.parametrize(("name", "form"), FILES)
def test_damaged_records_never_stop_the_others(name: str, form: SignalFormat) -> None:
    """Truncated and with flipped bits: each item is found once, and its neighbours are whole."""
    draw = random.Random(7)  # noqa: S311 - damage that is the same in each run
    good = raws(captured_records(name, 4))
    expected = items(decoder(form).decode(TOPIC, good))
    for _ in range(60):
        source = draw.choice(good)
        value = bytearray(source.value or b"")
        if draw.random() < 0.5:
            del value[draw.randrange(len(value)) :]
        for _ in range(draw.randrange(4)):
            if value:
                value[draw.randrange(len(value))] ^= 1 << draw.randrange(8)
        damaged = source._replace(value=bytes(value), offset=99)
        found = items(decoder(form).decode(TOPIC, [*good, damaged]))
        assert sorted(place for place in found if place[0] != 99) == sorted(expected)
        assert len(found) == len(set(found))


@given(st.binary(max_size=400))
def test_no_bytes_crash_any_decoder(value: bytes) -> None:
    """Whatever is sent, each record comes to rows, or to quarantine, and to valid columns."""
    for _, form in FILES:
        found = items(decoder(form).decode(TOPIC, [raw(value)]))
        assert len(found) == len(set(found))
