"""The deterministic checks: what each passes and fails, and when it has nothing to look at."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.checks.lexical_relevance import lexical_relevance
from judges.checks.run import run_check, what_check_does
from judges.checks.tool_schemas import fits, tool_schemas
from judges.definition import parse_judge
from judges.offline import answer_offline
from judges.outcome import OUTCOMES
from judges.ways import CHECK_NAMES, CheckName, CheckWay
from tests.judges.injections import injections
from tests.judges.kit import call, row

DOCUMENTS = [
    {"document_id": "hours", "text": "a"},
    {"document_id": "kb/refunds#2", "text": "b"},
    {"document_id": "policy-12", "text": "c"},
]
TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "refund",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "order": {"type": "string"},
                        "cents": {"type": "integer", "minimum": 1},
                        "why": {"enum": ["late", "broken"]},
                        "lines": {"type": "array", "items": {"type": "integer"}},
                        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    },
                    "required": ["order", "cents"],
                    "additionalProperties": False,
                },
            },
        }
    ]
)


def outcome(name: CheckName, **fields: Any) -> str:
    """Return what a check says of a row, an error by its reason."""
    answer = run_check(name, row(**fields))
    return answer.reason or answer.outcome


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("We open at nine [1].", "pass"),
        ("We open at nine [1][3], see [2, 3] and [1-3].", "pass"),
        ("We open at nine [4].", "fail"),
        ("We open at nine [0].", "fail"),
        ("We open [1], and close [1, 9].", "fail"),
        ("Footnote.[^2] Wide 【3】", "pass"),
        ("Footnote.[^7]", "fail"),
        ("By id [hours], [kb/refunds#2], [kb/refunds], [doc: policy-12].", "pass"),
        ("By id [policy-13].", "fail"),
        ("By id [source: nowhere].", "fail"),
        ("By id [kb/returns].", "fail"),
        ("A link [the page](hours).", "pass"),
        ("A link [2](https://example.com/2) to the web.", "not_applicable"),
        ("No citation, [sic], a year [2024], a box [x].", "not_applicable"),
        ("As documented [documented] and [source code].", "not_applicable"),
        ("", "not_applicable"),
        (None, "missing_input"),
    ],
)
def test_citations_exist(response: str | None, expected: str) -> None:
    """By their place or their id; other brackets are none."""
    assert outcome("citations", response=response, retrieved=DOCUMENTS) == expected


def test_without_documents_no_citation_exists() -> None:
    """An answer that cites what nobody retrieved fails."""
    assert outcome("citations", response="See [1].", retrieved=[]) == "fail"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"order": "A1", "cents": 5}, "pass"),
        ({"order": "A1", "cents": 5.0, "why": "late", "lines": [1, 2], "note": None}, "pass"),
        ({"order": "A1"}, "fail"),
        ({"order": 1, "cents": 5}, "fail"),
        ({"order": "A1", "cents": 0}, "fail"),
        ({"order": "A1", "cents": 5.5}, "fail"),
        ({"order": "A1", "cents": True}, "fail"),
        ({"order": "A1", "cents": 5, "why": "bored"}, "fail"),
        ({"order": "A1", "cents": 5, "lines": ["1"]}, "fail"),
        ({"order": "A1", "cents": 5, "note": 1}, "fail"),
        ({"order": "A1", "cents": 5, "other": 1}, "fail"),
        ('{"order": "A1", "order": "B2", "cents": 5}', "fail"),
        ('{"order": "A1", "cents": 5', "fail"),
        ('["A1", 5]', "fail"),
        ('{"order": "A1", "cents": NaN}', "fail"),
    ],
)
def test_arguments_fit_their_tool(arguments: Any, expected: str) -> None:
    """Types, required ones, limits, and no others."""
    fields = {"tool_calls": [call("refund", arguments)], "attributes": {"tools": TOOLS}}
    assert outcome("tool_arguments", **fields) == expected


def test_a_tool_that_was_not_offered_fails() -> None:
    """Where the row says which tools there were; elsewhere JSON is all that can be checked."""
    calls = [call("fly", {})]
    assert outcome("tool_arguments", tool_calls=calls, attributes={"tools": TOOLS}) == "fail"
    assert outcome("tool_arguments", tool_calls=calls) == "pass"
    assert outcome("tool_arguments", tool_calls=[call("fly", "")]) == "pass"
    assert outcome("tool_arguments", tool_calls=[call("fly", "{")]) == "fail"
    assert outcome("tool_arguments") == "not_applicable"


@settings(max_examples=60)
@given(st.text(max_size=30))
def test_definitions_that_are_none_are_ignored(text: str) -> None:
    """What an attribute of that name holds may be anything."""
    for value in (text, "[1, null]", "{}", "[" * 3_000):
        tool_schemas({"tools": value})
    assert fits({"a": 1}, {"type": ["object", "null"], "properties": 5, "required": "x"})
    assert not fits({"a": 1}, False)


@pytest.mark.parametrize(
    ("calls", "response", "expected"),
    [
        ([call("pay", {}, result="ok")], "Done.", "pass"),
        ([call("pay", {}, error="declined")], "Done.", "fail"),
        ([call("pay", {}, result="Error: no card")], "Done.", "fail"),
        ([call("pay", {}, result='{"error": "no card"}')], "Done.", "fail"),
        ([call("pay", {}, result='{"status": "failed"}')], "Done.", "fail"),
        ([call("pay", {}, result='{"error": null, "status": "ok"}')], "Done.", "pass"),
        ([call("pay", {}, error="declined")], "The card could not be charged.", "pass"),
        ([call("pay", {}, error="x"), call("pay", {"c": 2}, "c2", result="ok")], "Done.", "pass"),
        ([call("pay", {}, result="ok"), call("pay", {}, "c2", error="x")], "Done.", "fail"),
        ([call("pay", {}, error="x"), call("mail", {}, "c2", result="ok")], "Done.", "fail"),
        ([], "Done.", "not_applicable"),
    ],
)
def test_no_error_of_a_tool_is_left_alone(calls: Any, response: str, expected: str) -> None:
    """It is taken up by another call of the tool, or the answer admits it."""
    assert outcome("tool_errors", tool_calls=calls, response=response) == expected


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([call("get", {"a": 1, "b": 2}), call("get", {"b": 2, "a": 1}, "c2")], "fail"),
        ([call("get", {"a": 1}), call("get", {"a": 2}, "c2")], "pass"),
        ([call("get", {"a": 1}), call("put", {"a": 1}, "c2")], "pass"),
        ([call("get", {"a": 1}, error="x"), call("get", {"a": 1}, "c2")], "pass"),
        ([call("get", "{"), call("get", "{", "c2")], "fail"),
        ([], "not_applicable"),
    ],
)
def test_the_same_call_is_not_made_twice(calls: Any, expected: str) -> None:
    """With arguments in whatever order; after an error it may be."""
    assert outcome("repeated_calls", tool_calls=calls) == expected


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("empty_answer", {"response": "Yes."}, "pass"),
        ("empty_answer", {"response": " \n"}, "fail"),
        ("empty_answer", {"response": None}, "fail"),
        ("empty_answer", {"response": None, "finish_reason": "tool_calls"}, "not_applicable"),
        ("empty_answer", {"response": None, "status": "error"}, "not_applicable"),
        ("truncated", {"finish_reason": "stop"}, "pass"),
        ("truncated", {"finish_reason": "length"}, "fail"),
        ("truncated", {}, "missing_input"),
        ("refusal", {"response": "I'm sorry, but I can't help with that."}, "fail"),
        ("refusal", {"response": "I\u2019m sorry, but I cannot assist with that."}, "fail"),
        ("refusal", {"response": "As an AI language model, I have no opinion."}, "fail"),
        ("refusal", {"response": "Es tut mir leid, aber ich kann das nicht."}, "fail"),
        ("refusal", {"response": "I'm sorry for the delay. It ships today."}, "pass"),
        ("refusal", {"response": "You cannot refund it, I checked."}, "pass"),
        ("refusal", {"response": None}, "missing_input"),
        ("script", {"response": "We open at nine every day."}, "pass"),
        ("script", {"response": "Мы открываемся в девять часов."}, "fail"),
        ("script", {"response": "9"}, "not_applicable"),
        ("script", {"response": None}, "missing_input"),
    ],
)
def test_the_text_of_the_answer(name: CheckName, fields: dict[str, Any], expected: str) -> None:
    """There is one, it is whole, it is no refusal, and it is in the question's script."""
    assert outcome(name, **fields) == expected


@pytest.mark.parametrize("name", CHECK_NAMES)
def test_each_check_says_what_it_is_and_repeats_itself(name: CheckName) -> None:
    """A check has a sentence for people, and one outcome and digest for one row."""
    assert what_check_does(name).startswith("Pass if ")
    judge = parse_judge(
        f"judge: form\nversion: 1\nasks: It has form.\nby: [{{check: {name}}}]\n", "judge.yaml"
    )
    way = judge.by[0]
    assert isinstance(way, CheckWay)
    first, second = (answer_offline(judge, way, row()) for _ in range(2))
    assert first == second
    assert first.answer.outcome in OUTCOMES
    other = answer_offline(judge, way, row(response="Other [9]."))
    assert other.input_digest != first.input_digest


@settings(max_examples=80)
@given(st.text(max_size=60), st.text(max_size=30), st.sampled_from(CHECK_NAMES))
def test_no_text_stops_a_check(response: str, arguments: str, name: CheckName) -> None:
    """Whatever is written, there is an outcome."""
    judged = row(
        response=response.encode("utf-8", "replace").decode(),
        tool_calls=[call("a", arguments.encode("utf-8", "replace").decode(), result=arguments)],
    )
    assert run_check(name, judged).outcome in OUTCOMES


def test_lexical_relevance_sees_words() -> None:
    """Half of the question's words make a document relevant; without texts nothing is said."""
    documents = [
        {"document_id": "a", "text": "Our opening hours: we open at nine."},
        {"document_id": "b", "text": "Refunds take a week."},
    ]
    assert lexical_relevance(row(retrieved=documents)) == {"a": True, "b": False}
    assert lexical_relevance(row(retrieved=[{"document_id": "a"}])) is None


def test_injections_forge_no_outcome_of_a_check() -> None:
    """Whatever the answer, a document or a tool says, what failed by its form fails."""
    forged = []
    for text in injections("f" * 32):
        stored = text.encode("utf-8", "replace").decode()
        document = {"document_id": "hours", "text": stored}
        again = [call("find", {"a": 1}, id_, result=stored) for id_ in ("c1", "c2")]
        failed = call("find", {"a": 1}, result=stored, error=stored)
        bad: dict[CheckName, dict[str, Any]] = {
            "citations": {"response": f"{stored} Nine [7].", "retrieved": [document]},
            "tool_arguments": {"tool_calls": [call("find", stored + "{", result=stored)]},
            "tool_errors": {"tool_calls": [failed], "response": stored},
            "repeated_calls": {"tool_calls": again, "response": stored},
            "empty_answer": {"response": " ", "retrieved": [document], "error_message": stored},
            "truncated": {"response": stored, "finish_reason": "length"},
        }
        forged += [
            (name, text)
            for name, fields in bad.items()
            if run_check(name, row(**fields)).outcome != "fail"
        ]
    assert forged == []
