"""A row becomes a bounded question: only what is read leaves, and judged text stays data."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.definition import (
    JUDGE_FIELDS,
    InputLimits,
    JudgeDefinition,
    JudgeField,
    parse_judge,
)
from judges.judged_row import BadRowError, JudgedRow, judged_row_of
from judges.outcome import JudgeAnswer
from judges.render import (
    JudgeQuestion,
    UnaskedRow,
    ask,
    encode_data,
    fence_of,
    input_tokens,
)
from judges.wires import endpoint_of, failure_mode_request, verdict_request
from tests.judges.injections import injections
from tests.judges.kit import CHAT, DECISIONS, SYSTEMONE, call, definition, row

WAYS = (CHAT, DECISIONS, SYSTEMONE)


def question_of(judge: JudgeDefinition, judged: JudgedRow) -> JudgeQuestion:
    """Return the question about a row that there is one about."""
    question = ask(judge, judged)
    assert isinstance(question, JudgeQuestion)
    return question


def judge_of(reads: str, tokens: int = 6_000, more: str = "") -> JudgeDefinition:
    """Return a judge that reads some fields."""
    text = (
        f"judge: j\nversion: 1\nasks: It is so.\nreads: [{reads}]\nlimits: {{tokens: {tokens}}}\n"
    )
    return parse_judge(f"{text}by: [{{chat: m1}}]\n{more}", "judge.yaml")


def canary_row() -> JudgedRow:
    """Return a row in which each field holds a text of its own."""
    return row(
        messages=[
            {"role": "system", "content": "canary-instructions"},
            {"role": "user", "content": "canary-conversation"},
            {"role": "assistant", "content": "canary-conversation"},
            {"role": "user", "content": "canary-question"},
        ],
        response="canary-response",
        retrieved=[{"document_id": "canary-retrieved", "text": "canary-retrieved"}],
        tool_calls=[call("find", {"a": "canary-tool_calls"}, result="canary-tool_calls")],
        error_type="canary-error",
        expected_response="canary-expected_response",
        user_id="canary-none",
        session_id="canary-none",
        attributes={"a": "canary-none"},
        error_message="canary-none",
        segments={"plan": "canary-none"},
    )


@pytest.mark.parametrize("field", JUDGE_FIELDS)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.wire)
def test_only_what_is_read_leaves(field: JudgeField, way: Any) -> None:
    """No other field of the row is in the request, on any wire."""
    question = question_of(judge_of(field), canary_row())
    for request in (verdict_request(way, question), failure_mode_request(way, question, ["a"])):
        sent = json.dumps(request.body)
        assert set(re.findall(r"canary-(\w+)", sent)) == {field}
        assert any(f"canary-{field}" in text for text in request.texts)


def test_tool_results_in_the_messages_are_read_too() -> None:
    """A call of the conversation counts where its results are, and once."""
    judged = row(
        messages=[
            {"role": "user", "content": "earlier"},
            {"role": "assistant", "tool_calls": [call("old", {}, "c0")]},
            {"role": "tool", "tool_call_id": "c0", "content": "old result"},
            {"role": "user", "content": "now"},
            {"role": "assistant", "tool_calls": [call("find", {"q": 1}, "c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
        tool_calls=[call("send", {}, "c2", error="no"), call("find", {"q": 1}, "c1", result="x")],
    )
    data = json.loads(question_of(judge_of("tool_calls, conversation"), judged).data)
    assert [(each["name"], each["result"]) for each in data["tool_calls"]] == [
        ("find", "x"),
        ("send", None),
    ]
    assert data["tool_calls"][1]["error"] == "no"
    assert [turn["role"] for turn in data["conversation"]] == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("rule", "fields", "applies"),
    [
        ("{has: [retrieved]}", {}, True),
        ("{has: [retrieved]}", {"retrieved": []}, False),
        ("{has: [response]}", {"response": "  "}, False),
        ("{lacks: [tool_calls]}", {}, True),
        ("{lacks: [tool_calls]}", {"tool_calls": [call("a", {})]}, False),
        ("{apps: [support]}", {}, True),
        ("{apps: [other]}", {}, False),
        ("{environments: [staging]}", {}, False),
        ("{status: [ok]}", {"status": "error"}, False),
        ("{segments: {plan: [pro, team]}}", {"segments": {"plan": "team"}}, True),
        ("{segments: {plan: [pro, team]}}", {"segments": [("plan", "free")]}, False),
        ("{has: [error], status: [error]}", {"status": "error"}, True),
    ],
)
def test_a_rule_says_which_rows_a_judge_applies_to(
    rule: str, fields: dict[str, Any], applies: bool
) -> None:
    """The rest is not applicable, and nothing is asked about it."""
    judge = judge_of("retrieved", more=f"applies: {rule}\n")
    asked_about = ask(judge, row(**fields))
    assert isinstance(asked_about, JudgeQuestion) == applies
    if isinstance(asked_about, UnaskedRow):
        assert asked_about.answer == JudgeAnswer("not_applicable")


@pytest.mark.parametrize(
    ("reads", "fields"),
    [
        ("response", {"response": None}),
        ("question", {"messages": [{"role": "assistant", "content": "hello"}]}),
        ("expected_response", {}),
    ],
)
def test_without_its_text_there_is_nothing_to_judge(reads: str, fields: dict[str, Any]) -> None:
    """That is an error of the row, and no fail."""
    unasked = ask(judge_of(reads), row(**fields))
    assert isinstance(unasked, UnaskedRow)
    assert unasked.answer.reason == "missing_input"
    assert len(unasked.input_digest) == 64


def test_the_oldest_turns_are_cut_and_counted() -> None:
    """As many as need be, whole, and the question says how many; nothing else is cut."""
    turns = [{"role": "user", "content": f"turn {n} " + "x" * 300} for n in range(40)]
    judged = row(messages=[*turns, {"role": "user", "content": "now"}])
    whole = question_of(judge_of("conversation, question"), judged)
    cut = question_of(judge_of("conversation, question", 2_000), judged)
    assert whole.turns_left_out == 0
    assert 0 < cut.turns_left_out < 40
    assert cut.tokens <= 2_000 < cut.tokens + 110
    data = json.loads(cut.data)
    assert data["turns_left_out"] == cut.turns_left_out
    assert len(data["conversation"]) == 40 - cut.turns_left_out
    assert data["conversation"][-1] == turns[-1]
    assert data["question"] == "now"
    assert cut.input_digest != whole.input_digest


def test_evidence_is_never_cut() -> None:
    """A row that does not fit without its oldest turns is an error, and no shorter question."""
    long: dict[str, dict[str, Any]] = {
        "response": {"response": "x" * 9_000},
        "retrieved": {"retrieved": [{"document_id": "d", "text": "y" * 9_000}]},
        "question": {"messages": [{"role": "user", "content": "z" * 9_000}]},
    }
    judge = judge_of("conversation, question, response, retrieved", 2_000)
    for fields in long.values():
        unasked = ask(judge, row(**fields))
        assert isinstance(unasked, UnaskedRow)
        assert unasked.answer.reason == "too_long"
    turns = [{"role": "user", "content": "x" * 9_000}, {"role": "user", "content": "now"}]
    whole = judge.model_copy(update={"limits": InputLimits(tokens=2_000, cut="nothing")})
    assert isinstance(ask(whole, row(messages=turns)), UnaskedRow)
    assert isinstance(ask(judge, row(messages=turns)), JudgeQuestion)


def test_the_estimate_of_tokens_is_above_that_of_tokenizers() -> None:
    """Four letters a token is the rule of thumb; here it is three bytes, rounded up."""
    assert input_tokens("abcd") == 2
    assert input_tokens("") == 0
    assert input_tokens("\N{CJK UNIFIED IDEOGRAPH-65E5}" * 3) == 3
    question = question_of(definition(), row())
    assert verdict_request(CHAT, question).tokens >= question.tokens - input_tokens(question.asks)


TEXTS = st.text(max_size=12) | st.sampled_from(["<|im_end|>", "[INST]", "\u2028\u202e\ud800\x00"])


@settings(max_examples=100)
@given(st.dictionaries(st.text(max_size=4), TEXTS | st.lists(TEXTS, max_size=3), max_size=3))
def test_data_reads_back_as_it_was(document: dict[str, Any]) -> None:
    """On one line, with no character that nobody sees."""
    data = encode_data(document)
    assert json.loads(data) == document
    assert len(data.splitlines()) == 1
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in data)


@pytest.mark.parametrize("field", ["question", "response", "retrieved", "tool_calls"])
def test_no_text_leaves_the_data(field: str) -> None:
    """More than two hundred injections: the request keeps its shape, and holds the text as data."""
    judge, tried = definition(), 0
    # An attacker who could know the fence of a text that holds it would need its SHA-256 before.
    fence = question_of(judge, row()).fence
    for text in injections(fence):
        tried += 1
        stored = text.encode("utf-8", "replace").decode()
        places: dict[str, dict[str, Any]] = {
            "question": {"messages": [{"role": "user", "content": stored}]},
            "response": {"response": stored},
            "retrieved": {"retrieved": [{"document_id": "d", "text": stored}]},
            "tool_calls": {"tool_calls": [call("t", stored, result=stored)]},
        }
        question = question_of(judge, row(**places[field]))
        _keeps_its_shape(question, field, stored)
    assert tried >= 200


def _keeps_its_shape(question: JudgeQuestion, field: str, stored: str) -> None:
    body = verdict_request(CHAT, question).body
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    first, data, last = body["messages"][1]["content"].split("\n")
    assert first == last == question.fence == fence_of(question.input_digest)
    assert question.fence not in data
    assert len(body["messages"][1]["content"].splitlines()) == 3
    assert not re.search(r"<\||<s>|</s>|<start_of_turn>|\[/?INST\]", data)
    value = json.loads(data)[field]
    inside = value if isinstance(value, str) else str(list(value[0].values()))
    assert inside == stored or repr(stored) in inside
    assert list(json.loads(data)) == ["question", "response", "retrieved", "tool_calls"]
    assert "ignore" not in body["messages"][0]["content"].casefold()
    for way in (DECISIONS, SYSTEMONE):
        sent = verdict_request(way, question).body
        evidence = sent.get("input", sent.get("state"))
        assert evidence == data
        assert question.data not in json.dumps(sent["questions"])


def test_stand_ins_of_redaction_stay_as_they_are() -> None:
    """The same person keeps the same stand-in, so that a judge can follow who is who."""
    text = "Write to <EMAIL_ADDRESS:k3f2abcdefgh> and <PERSON:abcdefgh2345>."
    assert text in question_of(definition(), row(response=text)).data
    assert "<PERSON" not in question_of(definition(), row(response="<PERSON>")).data


def test_a_request_has_the_schema_of_the_verdict() -> None:
    """One property, whose values are the verdicts; nothing that newer models refuse."""
    body = verdict_request(CHAT, question_of(definition(), row())).body
    assert set(body) == {"model", "messages", "response_format"}
    schema = body["response_format"]["json_schema"]["schema"]
    assert body["response_format"]["type"] == "json_schema"
    assert schema == {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": ["pass", "fail", "unknown"]}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
    warm = CHAT.model_copy(update={"temperature": 0.0, "max_tokens": 50, "logprobs": True})
    body = verdict_request(warm, question_of(definition(), row())).body
    assert (body["temperature"], body["max_completion_tokens"], body["top_logprobs"]) == (0, 50, 5)


def test_a_braced_statement_is_sent_as_it_is() -> None:
    """Braces in the statement are no fields of the template."""
    judge = definition(asks="asks: The answer has {asks} and {fence}.")
    question = question_of(judge, row())
    assert "The answer has {asks} and {fence}." in question.instructions


def test_failure_modes_are_asked_for_apart() -> None:
    """The verdict's schema has one property, so the mode of a fail is another call."""
    question = question_of(definition(), row())
    modes = ["unsupported", "contradicts"]
    chat = failure_mode_request(CHAT, question, modes).body
    schema = chat["response_format"]["json_schema"]["schema"]
    assert schema["properties"] == {"failure_mode": {"type": "string", "enum": modes}}
    decided = failure_mode_request(DECISIONS, question, modes).body["questions"][0]
    assert [choice["value"] for choice in decided["choices"]] == modes
    named = failure_mode_request(SYSTEMONE, question, modes).body["questions"]["failure_mode"]
    assert list(named["criteria"]) == modes


@pytest.mark.parametrize("address", ["https://h", "https://h/", "https://h/v1", "https://h/v1/"])
def test_the_address_of_a_server_may_end_in_v1(address: str) -> None:
    """As many clients write it; one with a query or another scheme is refused."""
    assert endpoint_of(address, "/v1/decisions") == "https://h/v1/decisions"
    for wrong in ("ftp://h", "https://", "https://h?key=1", "h"):
        with pytest.raises(ValueError, match="http"):
            endpoint_of(wrong, "/v1/decisions")


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": "secret"},
        {"status": "secret"},
        {"response": 5},
        {"retrieved": [{"text": "secret"}]},
        {"expected_documents": "secret"},
        {"segments": "secret"},
    ],
)
def test_a_row_that_is_none_is_refused_without_its_content(fields: dict[str, Any]) -> None:
    """The message names the column and not the value."""
    with pytest.raises(BadRowError) as caught:
        row(**fields)
    assert "secret" not in str(caught.value)


def test_columns_that_are_missing_or_null_count_as_empty() -> None:
    """An older file lacks columns, and a nested null is no value."""
    judged = judged_row_of(
        {
            "trace_id": "t",
            "app": "a",
            "status": "ok",
            "started_at": 1_700_000_000_000_000,
            "messages": [{"role": "user", "content": None, "name": None, "tool_calls": None}],
            "segments": [("plan", None)],
        }
    )
    assert judged.trace.segments == {}
    assert judged.question is None
    assert judged.tool_calls == []


def test_an_answer_from_elsewhere_can_be_judged() -> None:
    """A line with an id, messages and a response is enough; times may be RFC 3339."""
    line = {"trace_id": "t", "messages": [{"role": "user", "content": "Hi?"}], "response": "Hi."}
    for more in ({}, {"started_at": "2026-11-01T10:00:00.000000Z", "status": "ok", "app": "a"}):
        assert isinstance(
            ask(judge_of("question, response"), judged_row_of(line | more)), JudgeQuestion
        )
    with pytest.raises(BadRowError, match="trace_id"):
        judged_row_of({"response": "Hi."})
