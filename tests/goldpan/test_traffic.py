"""The traffic of the demo and the benchmarks: valid, repeatable, and true to the conversations."""

import itertools
import json
from collections import Counter
from typing import Any

import pytest

from decode.decoder import Decoder
from decode.schema_sources import FolderSource
from goldpan.demo.broken_records import make_broken_traces
from goldpan.demo.script import WIRE_FORMATS, write_script
from goldpan.demo.traffic import (
    Conversation,
    load_shipped_conversations,
    make_feedback,
    make_traces,
)
from goldpan.demo.wire_formats import (
    encode_framed_avro,
    encode_json,
    encode_single_object_avro,
    schema_files,
)
from schemas.contract import CONTRACTS
from schemas.record_batches import RawRecord, RecordKind

CONVERSATIONS = load_shipped_conversations()
START = 1_790_000_000_000_000


def _all(seed: int = 0) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    traces = [make_traces(c, started_at=START, seed=seed) for c in CONVERSATIONS]
    feedback = [
        make_feedback(c, own, seed=seed) for c, own in zip(CONVERSATIONS, traces, strict=True)
    ]
    return list(itertools.chain(*traces)), list(itertools.chain(*feedback))


TRACES, FEEDBACK = _all()


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> FolderSource:
    """The schemas that the demo lays down for framed Avro."""
    folder = tmp_path_factory.mktemp("schemas")
    for name, text in schema_files().items():
        (folder / name).write_text(text)
    return FolderSource(folder)


def _decode(kind: RecordKind, schemas: FolderSource, values: list[bytes | None]) -> Any:
    decoder = Decoder(kind, schemas, max_record_bytes=1_000_000)
    return decoder.decode("t", [RawRecord(0, i, -1, None, value) for i, value in enumerate(values)])


@pytest.mark.parametrize("name", WIRE_FORMATS)
def test_all_records_are_valid_in_every_format(name: str, schemas: FolderSource) -> None:
    """Whatever the wire format, the decoder of the worker takes every record, as the same one."""
    for kind, records in ((RecordKind.TRACE, TRACES), (RecordKind.FEEDBACK, FEEDBACK)):
        encoded: list[bytes | None] = [WIRE_FORMATS[name](kind, record) for record in records]
        decoded, rejected = _decode(kind, schemas, encoded)
        plain, _ = _decode(kind, schemas, [encode_json(record) for record in records])
        assert rejected == []
        assert list(decoded.records) == list(plain.records)


def test_a_trace_is_one_call_of_the_model() -> None:
    """Its input is what was said before, its response the assistant's message."""
    conversation = CONVERSATIONS[0]
    said = [m for m in conversation.messages if m["role"] == "assistant"]
    traces = make_traces(conversation, started_at=START)
    assert [t["response"] for t in traces] == [m.get("content") for m in said]
    lengths = [len(t["messages"]) for t in traces]
    assert lengths == [i for i, m in enumerate(conversation.messages) if m["role"] == "assistant"]
    times = [t["started_at"] for t in traces]
    assert times == sorted(times)
    assert times[0] == START


def test_tool_calls_carry_their_results() -> None:
    """What a tool gave back stands in the trace of the call that asked for it.

    Ids of calls repeat within these conversations, so the place decides and not the id alone.
    """
    for conversation in CONVERSATIONS:
        given = [m["content"] for m in conversation.messages if m["role"] == "tool"]
        traces = make_traces(conversation, started_at=START)
        calls = [call for trace in traces for call in trace["tool_calls"]]
        assert [call["error"] or call["result"] for call in calls] == given


def test_the_same_seed_gives_the_same_records_and_another_new_ids() -> None:
    """Benchmarks and tests can make as many different copies as they need, repeatably."""
    assert _all() == (TRACES, FEEDBACK)
    other, _ = _all(seed=1)
    assert not {t["trace_id"] for t in other} & {t["trace_id"] for t in TRACES}
    assert [t["messages"] for t in other] == [t["messages"] for t in TRACES]


def test_feedback_fits_its_conversation() -> None:
    """It comes after the call it is about, and leans the way the task really went."""
    by_id = {trace["trace_id"]: trace for trace in TRACES}
    for event in FEEDBACK:
        trace = by_id[event["trace_id"]]
        assert event["occurred_at"] > trace["started_at"] + trace["latency_ms"] * 1000
        assert event["user_id"] == trace["user_id"]


def test_thumbs_follow_the_outcome_as_often_as_stated() -> None:
    """Over many seeds, thumbs come in 0.60 of conversations and fit the outcome in 0.85 of them."""
    given = right = 0
    trials = 400
    for seed in range(trials // len(CONVERSATIONS) + 1):
        for conversation in CONVERSATIONS:
            traces = make_traces(conversation, started_at=START, seed=seed)
            for event in make_feedback(conversation, traces, seed=seed):
                if event["kind"] == "thumbs":
                    given += 1
                    right += (event["value"] > 0) == (conversation.outcome_reward >= 1)
    total = (trials // len(CONVERSATIONS) + 1) * len(CONVERSATIONS)
    assert given / total == pytest.approx(0.60, abs=0.1)
    assert right / given == pytest.approx(0.85, abs=0.08)


def test_every_broken_record_is_refused_with_a_reason_of_its_own(schemas: FolderSource) -> None:
    """None is taken for a good one, and the reasons tell a person what was wrong."""
    ways = make_broken_traces(TRACES[3])
    decoded, rejected = _decode(RecordKind.TRACE, schemas, [value for _, value in ways])
    assert len(decoded) == 0
    assert len({(r.reason, r.field) for r in rejected}) >= len(ways) - 1
    assert all(r.detail.endswith(".") for r in rejected)


def test_the_script_fills_its_time_and_mixes_the_formats() -> None:
    """All records of the conversations are sent within the time given, a third in each format."""
    lines = write_script(CONVERSATIONS, seconds=6, seed=7)
    seconds = [line.second for line in lines]
    assert seconds == sorted(seconds)
    assert 0 <= seconds[0] <= seconds[-1] <= 6.001
    formats = Counter(line.format for line in lines if line.record)
    assert max(formats.values()) - min(formats.values()) <= 1
    assert sum(formats.values()) == len(TRACES) + len(_scripted_feedback(lines))
    assert sum(bool(line.broken) for line in lines) == len(make_broken_traces(TRACES[0]))


def _scripted_feedback(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line.kind is RecordKind.FEEDBACK]


def test_a_record_gets_the_moment_of_its_sending() -> None:
    """A trace ends, and feedback happens, when it is sent: seconds to the lake are real."""
    for line in write_script(CONVERSATIONS, seconds=6, seed=7):
        record, value = line.sent_at(START)
        if record is None:
            continue
        assert value
        if line.kind is RecordKind.TRACE:
            assert abs(record["started_at"] + record["latency_ms"] * 1000 - START) <= 1
        else:
            assert record["occurred_at"] == START


def test_framings_have_their_headers() -> None:
    """The two Avro formats begin as their specifications say."""
    framed = encode_framed_avro(RecordKind.TRACE, TRACES[0])
    single = encode_single_object_avro(RecordKind.TRACE, TRACES[0])
    assert framed[:5] == b"\x00\x00\x00\x00\x01"
    assert single[:2] == b"\xc3\x01"
    assert single[2:10].hex() == CONTRACTS["trace"].fingerprint
    assert json.loads(encode_json(TRACES[0])) == TRACES[0]


def test_a_conversation_without_an_answer_gives_no_feedback() -> None:
    """There is nothing to react to."""
    silent = Conversation("c", "m", "a", "mia_li_1", 1.0, [{"role": "user", "content": "hi"}])
    assert make_traces(silent, started_at=START) == []
    assert make_feedback(silent, []) == []
