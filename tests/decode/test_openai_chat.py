"""Records of OpenAI's shape become traces of the contract, and nothing of them is lost unsaid."""

import json
from copy import deepcopy
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from decode.decoder import Decoder
from decode.openai_chat import map_to_contract
from decode.schema_sources import FolderSource
from decode.unknown_fields import find_unknown_fields
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason
from schemas.record_batches import RawRecord, RecordKind, RejectedRecord
from schemas.records import Trace

FINGERPRINT = CONTRACTS["trace"].fingerprint
ENVELOPE = {"trace_id": "t1", "app": "shop", "started_at": "2026-03-14T10:16:00Z", "status": "ok"}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
]
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-9",
    "object": "chat.completion",
    "created": 1_773_483_300,
    "model": "gpt-x-2026-01",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Here it is.", "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}
REQUEST = {"model": "gpt-x", "messages": MESSAGES, "temperature": 0.2, "user": "u-1", "tools": [{}]}
DECODER = Decoder(RecordKind.TRACE, FolderSource(), max_record_bytes=1_000_000)


NAMES = [
    "messages",
    "response",
    "request",
    "choices",
    "message",
    "role",
    "content",
    "tool_calls",
    "function",
    "arguments",
    "type",
    "text",
    "image_url",
    "model",
    "usage",
    "created",
    "error",
    "metadata",
    "attributes",
    "function_call",
    "prompt_tokens",
    "id",
    "user",
    "status",
]


def decoded(document: Any) -> tuple[Trace, str]:
    """Return the trace of a document, and what its `_schema` says."""
    found, rejected = DECODER.decode(
        "t", [RawRecord(0, 0, -1, None, json.dumps(document).encode())]
    )
    assert rejected == []
    (record,) = found.records
    assert isinstance(record, Trace)
    return record, found.schema_ids[0]


def answered(**more: Any) -> dict[str, Any]:
    """Return a completion whose message says more."""
    message = {"role": "assistant", "content": "Here it is.", **more}
    return {**COMPLETION, "choices": [{"message": message, "finish_reason": "stop"}]}


def refused(document: Any) -> RejectedRecord:
    """Return why a document is no trace."""
    (one,) = DECODER.decode("t", [RawRecord(0, 0, -1, None, json.dumps(document).encode())])[1]
    return one


def test_messages_of_theirs_in_an_envelope_of_ours() -> None:
    """Parts of text are one text, calls lose their wrapping, and `_schema` says the shape."""
    trace, schema = decoded({**ENVELOPE, "messages": MESSAGES, "response": "Here."})
    assert schema == f"{FINGERPRINT}+openai-chat"
    assert [m.content for m in trace.messages] == ["Be kind.", "one\ntwo", None, "42"]
    assert msgspec.to_builtins(trace.messages[2].tool_calls) == [
        {"id": "c1", "name": "find", "arguments": '{"q": "x"}'}
    ]
    assert (trace.response, trace.trace_id, trace.status) == ("Here.", "t1", "ok")


@pytest.mark.parametrize(
    "document",
    [
        {"app": "shop", "request": REQUEST, "response": COMPLETION},
        {"app": "shop", **REQUEST, "response": COMPLETION},
        {"app": "shop", **{k: v for k, v in REQUEST.items() if k != "model"}, **COMPLETION},
    ],
    ids=["request and response", "response", "all at the top"],
)
def test_a_logged_call_where_its_parts_stand(document: dict[str, Any]) -> None:
    """Ids, times, models, tokens and the answer are found; a request's settings are attributes."""
    trace, schema = decoded(document)
    assert schema.endswith("+openai-chat")
    assert (trace.trace_id, trace.request_id, trace.user_id) == ("chatcmpl-9", "chatcmpl-9", "u-1")
    assert (trace.started_at, trace.status) == (1_773_483_300_000_000, "ok")
    assert trace.model_version == "gpt-x-2026-01"
    assert trace.model_requested == (None if "choices" in document else "gpt-x")
    assert (trace.response, trace.finish_reason) == ("Here it is.", "stop")
    assert (trace.input_tokens, trace.output_tokens) == (9, 4)
    assert len(trace.messages) == 4
    assert trace.attributes == {"openai.temperature": "0.2"}


def test_names_of_the_contract_win() -> None:
    """A producer that says both means its own."""
    own = {**ENVELOPE, "user_id": "ours", "request_id": "r", "attributes": {"k": "v"}}
    trace, _ = decoded({**own, "metadata": {"k": "other", "n": 1}, "response": COMPLETION})
    assert (trace.trace_id, trace.request_id, trace.user_id) == ("t1", "r", "ours")
    assert trace.attributes == {"k": "v", "n": "1"}
    assert trace.started_at != 1_773_483_300_000_000


def test_an_answer_that_calls_tools_and_one_that_refuses() -> None:
    """The calls are the trace's; a refusal is what was answered."""
    calls = deepcopy(COMPLETION)
    calls["choices"][0]["message"] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    trace, _ = decoded({**ENVELOPE, "response": calls})
    assert (trace.response, [one.name for one in trace.tool_calls]) == (None, ["find"])
    refusal = {"role": "assistant", "content": None, "refusal": "I must not."}
    assert decoded({**ENVELOPE, "response": refusal})[0].response == "I must not."
    old = {
        "role": "assistant",
        "content": "",
        "function_call": {"name": "f", "arguments": {"a": 1}},
    }
    (message,) = decoded({**ENVELOPE, "messages": [old]})[0].messages
    assert message.tool_calls[0].arguments == '{"a": 1}'


def test_a_failed_call() -> None:
    """The error says what failed; its text is a field that is redacted."""
    error = {"type": "rate_limit_error", "message": "slow down", "code": "x", "param": None}
    trace, _ = decoded({**ENVELOPE, "status": "error", "model": "gpt-x", "error": error})
    assert (trace.status, trace.error_type) == ("error", "rate_limit_error")
    assert (trace.error_message, trace.model_requested) == ("slow down", "gpt-x")


def test_pictures_and_sounds_are_not_stored() -> None:
    """What stands there as data cannot be redacted; an address is text, and is."""
    sound = {"type": "input_audio", "input_audio": {"data": "SECRETDATA", "format": "wav"}}
    link = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    parts = [{"type": "text", "text": "look"}, PICTURE, sound, link]
    (message,) = decoded({**ENVELOPE, "messages": [{"role": "user", "content": parts}]})[0].messages
    assert message.content is not None
    assert "iVBOR" not in message.content
    assert "SECRETDATA" not in message.content
    assert json.loads(message.content)[0] == {"type": "text", "text": "look"}
    assert json.loads(message.content)[3]["url"] == "https://example.org/a.png"


@pytest.mark.parametrize(
    ("change", "reason", "names"),
    [
        ({"zq7xw": 1}, QuarantineReason.UNKNOWN_FIELD, ["zq7xw"]),
        ({"request": {"zq7xw": 1}}, QuarantineReason.UNKNOWN_FIELD, ["request.zq7xw"]),
        (
            {"response": COMPLETION | {"zq7xw": 1}},
            QuarantineReason.UNKNOWN_FIELD,
            ["response.zq7xw"],
        ),
        (
            {"messages": [{"role": "user", "content": [], "zq7xw": 1}]},
            QuarantineReason.UNKNOWN_FIELD,
            None,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "zq7xw"}]}]},
            QuarantineReason.WRONG_TYPE,
            [],
        ),
        (
            {"request": {"messages": [{"role": "u"}]}, "messages": []},
            QuarantineReason.UNKNOWN_FIELD,
            None,
        ),
        ({"response": {"choices": [{"message": "zq7xw"}]}}, QuarantineReason.WRONG_TYPE, []),
        (
            {"response": answered(zq7xw="lost")},
            QuarantineReason.UNKNOWN_FIELD,
            ["response.choices[0].message.zq7xw"],
        ),
        (
            {"choices": [{"message": {"role": "assistant"}, "zq7xw": 1}]},
            QuarantineReason.UNKNOWN_FIELD,
            ["choices[0].zq7xw"],
        ),
        (
            {"response": {"role": "assistant", "content": "y", "zq7xw": 1}},
            QuarantineReason.UNKNOWN_FIELD,
            ["response.zq7xw"],
        ),
        ({"messages": [{"role": "u", "function_call": "zq7xw"}]}, QuarantineReason.WRONG_TYPE, []),
        ({"app": None, "model": "m"}, QuarantineReason.MISSING_FIELD, []),
    ],
)
def test_what_neither_knows_is_refused_and_not_said(
    change: dict[str, Any], reason: QuarantineReason, names: list[str] | None
) -> None:
    """Nothing is dropped unsaid; the stored reason has no name of an unknown field."""
    document = {**ENVELOPE, "model": "gpt-x", **change}
    found = refused(document)
    assert found.reason is reason
    assert "zq7xw" not in f"{found.detail} {found.field} {found!r}"
    if names is not None:
        value = json.dumps(document).encode()
        told = (
            find_unknown_fields(RecordKind.TRACE, value)
            if reason is QuarantineReason.UNKNOWN_FIELD
            else []
        )
        assert told == names


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"created": 1_773_483_300_000}, "response.created", "no smaller parts"),
        ({"created": "2026-03-14"}, "response.created", "seconds since 1970"),
        ({"created": True}, "response.created", "seconds since 1970"),
        ({"usage": [1]}, "response.usage", "an object"),
        ({"choices": {"0": {}}}, "response.choices", "a list"),
        ({"error": [1]}, "response.error", "an object or text"),
        ({"metadata": [1]}, "response.metadata", "an object"),
        ({"choices": [{"delta": {"content": "H"}}]}, "response.choices", "part of a stream"),
        ({"choices": [{"text": "H", "index": 0}]}, "response.choices", "without a chat"),
    ],
)
@pytest.mark.parametrize("below", [True, False], ids=["in response", "at the top"])
def test_a_known_name_that_holds_something_else(
    change: dict[str, Any], field: str, told: str, *, below: bool
) -> None:
    """It is named as the producer wrote it, and not called unknown."""
    sent = COMPLETION | change
    found = refused({"app": "shop", "response": sent} if below else {"app": "shop", **sent})
    assert found.reason is QuarantineReason.WRONG_TYPE
    assert found.field == (field if below else field.removeprefix("response."))
    assert told in found.detail


def test_what_other_servers_of_this_interface_add() -> None:
    """Reasoning and verdicts of filters are left out; nulls and numeric codes do no harm."""
    more = {"reasoning_content": "I think", "zq7xw": None}
    filtered = answered(**more) | {"prompt_filter_results": [{}], "created": 1_773_483_300.5}
    filtered["choices"][0]["content_filter_results"] = {"hate": {"filtered": False}}
    trace, _ = decoded({"app": "shop", "response": filtered})
    assert (trace.response, trace.started_at) == ("Here it is.", 1_773_483_300_500_000)
    said = {"role": "assistant", "content": "x", "reasoning": "I think"}
    assert decoded({**ENVELOPE, "messages": [said]})[0].messages[0].content == "x"
    for error, kind in (({"message": "slow", "code": 429}, "429"), ("slow", None)):
        trace, _ = decoded({**ENVELOPE, "response": {"error": error}, "status": "error"})
        assert (trace.error_type, trace.error_message, trace.status) == (kind, "slow", "error")


def test_a_completion_that_was_kept_repeats_what_was_asked() -> None:
    """Its settings and metadata are attributes; values of null are none, wherever they stand."""
    kept = COMPLETION | {"metadata": {"k": "v", "none": None}, "temperature": 1, "seed": None}
    trace, _ = decoded({"app": "shop", "response": kept})
    assert trace.attributes == {"k": "v", "openai.temperature": "1"}
    trace, _ = decoded({**ENVELOPE, "model": "m", "metadata": {"a": None, "b": {"c": [1]}}})
    assert trace.attributes == {"b": '{"c": [1]}'}


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("NaN", QuarantineReason.NOT_FINITE),
        ("1,", QuarantineReason.NOT_JSON),
        ("", QuarantineReason.NOT_JSON),
    ],
)
@pytest.mark.parametrize("sent", [{"app": "shop", **COMPLETION}, {**ENVELOPE, "zq7xw": 1}])
def test_what_is_no_json_is_called_so(
    sent: dict[str, Any], written: str, reason: QuarantineReason
) -> None:
    """A fault behind the first name that the contract lacks is the one that is reported."""
    value = f'{json.dumps(sent)[:-1]}, "latency_ms": {written}}}'.encode()
    (found,) = DECODER.decode("t", [RawRecord(0, 0, -1, None, value)])[1]
    assert found.reason is reason


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00"])
def test_names_are_found_beside_half_a_surrogate_pair(half: str) -> None:
    """What the worker can read, the check can."""
    value = f'{json.dumps(ENVELOPE)[:-1]}, "zq7xw": "{half}"}}'.encode()
    assert find_unknown_fields(RecordKind.TRACE, value) == ["zq7xw"]


def test_two_names_of_the_same_in_one_record() -> None:
    """The newer name of the user stands; calls of functions and of tools are both there."""
    trace, _ = decoded({**ENVELOPE, "model": "m", "user": "old", "safety_identifier": "new"})
    assert trace.user_id == "new"
    both = {
        "role": "assistant",
        "tool_calls": [CALL],
        "function_call": {"name": "g", "arguments": ""},
    }
    (message,) = decoded({**ENVELOPE, "messages": [both]})[0].messages
    assert [one.name for one in message.tool_calls] == ["find", "g"]


def test_mapping_leaves_the_document_as_it_was() -> None:
    """It is a function: the record that goes to quarantine is the one that came."""
    document = {"app": "shop", "request": REQUEST, "response": COMPLETION}
    before = deepcopy(document)
    map_to_contract(document)
    assert document == before


def test_feedback_and_traces_of_ours_are_read_as_before() -> None:
    """No other shape is looked for in feedback, and a usual trace has the contract's mark."""
    assert decoded(ENVELOPE)[1] == FINGERPRINT
    feedback = Decoder(RecordKind.FEEDBACK, FolderSource(), max_record_bytes=10_000)
    sent = {"feedback_id": "f", "trace_id": "t", "kind": "copy", "actor": "end_user", "model": "m"}
    raw = RawRecord(
        0, 0, -1, None, json.dumps(sent | {"occurred_at": 1_773_483_300_000_000}).encode()
    )
    ((one,),) = (feedback.decode("t", [raw])[1],)
    assert one.reason is QuarantineReason.UNKNOWN_FIELD


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'"cut \ud83d"', "cut \ufffd"),
        (
            r'"\ude00 begun, \ud83d\ude00 whole, \\ud83d said"',
            "\ufffd begun, 😀 whole, \\ud83d said",
        ),
        (r'"\uD83D\uD83D\uDE00"', "\ufffd😀"),
    ],
)
def test_half_a_surrogate_pair_is_no_reason_to_refuse(written: str, read: str) -> None:
    """A stream that was cut leaves one; whole pairs and what only looks like one stay."""
    text = json.dumps(ENVELOPE)[:-1] + f', "response": {written}}}'
    found, rejected = DECODER.decode("t", [RawRecord(0, 0, -1, None, text.encode())])
    assert rejected == []
    assert found.records[0].response == read  # type: ignore[union-attr]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=5),
    lambda more: st.lists(more, max_size=3) | st.dictionaries(st.sampled_from(NAMES), more),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), _JSON, max_size=8))
@example({"model": 2**70})
@example({"messages": [{"content": [{"type": {"text": 1}}]}]})
@example({"response": {"role": "assistant", "content": [{"type": ["text"]}]}})
@example({"choices": [{"message": {"content": [{"type": "image_url", "image_url": [{}]}]}}]})
@example({"messages": [{"function_call": {"arguments": {"a": 2**70}}}], "choices": [3]})
def test_whatever_stands_there_is_taken_or_refused(document: dict[str, Any]) -> None:
    """No record stops the others, whatever its parts are."""
    value = json.dumps({**ENVELOPE, **document}).encode()
    found, rejected = DECODER.decode("t", [RawRecord(0, 0, -1, None, value)])
    assert len(found) + len(rejected) == 1
    find_unknown_fields(RecordKind.TRACE, value)


def test_arguments_nested_without_end_are_refused() -> None:
    """Set aside, and no error of the worker."""
    deep = "[" * 50_000 + "]" * 50_000
    text = json.dumps(ENVELOPE)[:-1] + f', "model": "m", "response": {deep}}}'
    found, (one,) = DECODER.decode("t", [RawRecord(0, 0, -1, None, text.encode())])
    assert (len(found), one.reason) == (0, QuarantineReason.UNKNOWN_FIELD)


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("2017-01-01T00:59:60.5+01:00", 1_483_228_800_000_000),
        ("2015-06-30t23:59:60z", 1_435_708_800_000_000),
    ],
)
def test_leap_seconds_are_the_second_after(written: str, micros: int) -> None:
    """Seconds that did exist; a message that quotes one stays as it is."""
    said = [{"role": "user", "content": written}]
    trace, schema = decoded({**ENVELOPE, "started_at": written, "messages": said})
    assert (trace.started_at, schema) == (micros, FINGERPRINT)
    assert trace.messages[0].content == written


@pytest.mark.parametrize("written", ["2016-12-31T12:59:60Z", "2016-12-30T23:59:60Z", "23:59:60Z"])
def test_seconds_that_never_were_are_refused(written: str) -> None:
    """Sixty is no second but at the end of a month, in UTC."""
    assert refused({**ENVELOPE, "started_at": written}).field == "started_at"
