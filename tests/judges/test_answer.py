"""A reply becomes a verdict only if it is one; whatever else arrives is an error with a reason."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.answer import (
    JudgeReply,
    answer_of_probability,
    read_failure_mode,
    read_reply,
    reason_of_status,
)
from judges.definition import DEFAULT_THRESHOLDS, VerdictThresholds
from judges.outcome import VERDICTS
from judges.strict_json import MAX_BYTES
from judges.ways import ServedWay
from tests.judges.injections import injections
from tests.judges.kit import (
    CHAT,
    DECISIONS,
    SYSTEMONE,
    chat_body,
    decision_body,
    systemone_body,
)

WAYS = (CHAT, DECISIONS, SYSTEMONE)
PREDICATE = {"type": "predicate", "name": "verdict", "probability": 0.9}
NOUL = {"verdict": {"type": "noul", "noul": 0.9}}
PASSING = {
    CHAT: chat_body('{"verdict": "pass"}'),
    DECISIONS: decision_body(PREDICATE),
    SYSTEMONE: systemone_body(NOUL),
}


def reply(way: ServedWay, body: bytes) -> JudgeReply:
    """Return what a body says under the default thresholds."""
    return read_reply(way, body, DEFAULT_THRESHOLDS)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_is_the_whole_of_a_chat_reply(verdict: str) -> None:
    """White space around it is allowed; what the server says of the call is kept."""
    said = reply(CHAT, chat_body(f' {{ "verdict" : "{verdict}" }}\n'))
    assert said.answer.outcome == verdict
    assert (said.model_served, said.input_tokens, said.output_tokens) == ("served-1", 120, 6)


@pytest.mark.parametrize(
    ("way", "body", "p_fail"),
    [
        (DECISIONS, decision_body({"type": "predicate", "probability": 0.9}), 0.1),
        (DECISIONS, decision_body(PREDICATE | {"probability": 0}), 1.0),
        (SYSTEMONE, systemone_body({"verdict": {"type": "noul", "noul": 0.4}}), 0.6),
        (SYSTEMONE, systemone_body({"verdict": {"type": "noul", "noul": 0.3, "x_a": 1}}), 0.7),
    ],
)
def test_a_probability_is_that_of_the_statement(way: Any, body: bytes, p_fail: float) -> None:
    """``p_fail`` is one less it, to twelve digits; the thresholds make the verdict."""
    said = reply(way, body)
    assert said.answer.p_fail == p_fail
    assert said.answer.outcome == answer_of_probability(p_fail, DEFAULT_THRESHOLDS).outcome


def test_thresholds_are_part_of_both_sides() -> None:
    """A probability at a threshold is decided."""
    thresholds = VerdictThresholds(pass_at_most=0.2, fail_at_least=0.7)
    outcomes = [answer_of_probability(p, thresholds).outcome for p in (0.2, 0.21, 0.69, 0.7)]
    assert outcomes == ["pass", "unknown", "unknown", "fail"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"verdict": "pass"}{"verdict": "fail"}', "contradictory"),
        ('{"verdict": "pass"} {"verdict": "pass"}', "contradictory"),
        ('{"verdict": "pass", "verdict": "fail"}', "contradictory"),
        ('{"verdict": "pass", "verdict": "pass"}', "contradictory"),
        ('{"verdict": "pass", "reason": "fine"}', "contradictory"),
        ('{"verdict": "pass"}\nBecause it is supported.', "contradictory"),
        ('Sure! {"verdict": "pass"}', "contradictory"),
        ('```json\n{"verdict": "pass"}\n```', "contradictory"),
        ('<think>no</think>{"verdict": "pass"}', "contradictory"),
        ('[{"verdict": "pass"}, {"verdict": "fail"}]', "unparsable"),
        ('[{"verdict": "pass"}]', "unparsable"),
        ('{"verdict": ["pass", "fail"]}', "unparsable"),
        ('{"verdict": {"verdict": "pass"}}', "unparsable"),
        ('{"verdict": "PASS"}', "unparsable"),
        ('{"verdict": " pass"}', "unparsable"),
        ('{"verdict": "passed"}', "unparsable"),
        ('{"verdict": "p\\u0430ss"}', "unparsable"),
        ('{"verdict": true}', "unparsable"),
        ('{"verdict": 1}', "unparsable"),
        ('{"verdict": NaN}', "unparsable"),
        ('{"verdict": Infinity}', "unparsable"),
        ('{"verdict": null}', "unparsable"),
        ('{"Verdict": "pass"}', "unparsable"),
        ('{"verdict": "pass"', "unparsable"),
        ("{'verdict': 'pass'}", "unparsable"),
        ("pass", "unparsable"),
        ('"pass"', "unparsable"),
        ("", "unparsable"),
        ("[" * 5_000, "unparsable"),
        ('{"verdict": ' + "[" * 5_000, "unparsable"),
    ],
)
def test_a_chat_reply_that_is_no_verdict_is_an_error(content: str, reason: str) -> None:
    """Two objects or text beside one contradict each other; anything else cannot be read."""
    answer = reply(CHAT, chat_body(content)).answer
    assert (answer.outcome, answer.reason, answer.p_fail) == ("error", reason, None)


def test_a_model_that_quotes_what_it_judges_forges_no_verdict() -> None:
    """Each of the injections before, after and inside a verdict: none is a pass."""
    fence, fail = "f" * 32, '{"verdict": "fail"}'
    quoted = [
        content
        for text in injections(fence)
        for content in (
            f"{text}{fail}",
            f"{fail}{text}",
            json.dumps({"verdict": "fail", "quote": text}),
            json.dumps({"quote": text}),
        )
    ]
    outcomes = Counter(reply(CHAT, chat_body(content)).answer.outcome for content in quoted)
    assert len(quoted) >= 800
    assert outcomes["pass"] == 0
    assert outcomes["error"] == len(quoted)


def _envelopes() -> Iterator[tuple[str, bytes, str]]:
    good = {"role": "assistant", "content": '{"verdict": "pass"}'}
    choice = {"message": good, "finish_reason": "stop"}

    def body(**fields: Any) -> bytes:
        return json.dumps({"model": "m", "choices": [choice], **fields}).encode()

    yield "two choices", body(choices=[choice, choice]), "contradictory"
    yield "no choices", body(choices=[]), "unparsable"
    yield "choices as an object", body(choices=choice), "unparsable"
    yield "an error beside a verdict", body(error={"message": "busy"}), "contradictory"
    yield "an error alone", b'{"error": {"message": "busy"}}', "unavailable"
    yield "a refusal", chat_body(None, message={"refusal": "no", "content": None}), "refused"
    refusal = {**good, "refusal": "I cannot judge that."}
    yield "a refusal beside a verdict", chat_body("", message=refusal), "refused"
    called = {**good, "tool_calls": [{"id": "1"}]}
    yield "a tool call", chat_body("", message=called), "contradictory"
    yield "of another role", chat_body("", message={**good, "role": "user"}), "unparsable"
    yield "parts", chat_body([{"type": "text", "text": good["content"]}]), "unparsable"
    for finish, reason in (("length", "unparsable"), ("content_filter", "refused")):
        yield finish, chat_body(good["content"], finish_reason=finish), reason
    whole = PASSING[CHAT]
    yield "half of it", whole[: len(whole) // 2], "unparsable"
    yield "twice", whole + whole, "contradictory"
    yield "nothing", b"", "unparsable"
    yield "not UTF-8", whole.replace(b"served-1", b"\xff\xfe"), "unparsable"
    yield "a page", b"<html><body>502 Bad Gateway</body></html>", "unparsable"
    yield "NaN anywhere", whole.replace(b"120", b"NaN"), "unparsable"
    yield "a number out of range", whole.replace(b"120", b"1e999"), "unparsable"
    yield "a number without end", whole.replace(b"120", b"9" * 6_000), "unparsable"
    yield "a guard before it", b")]}'\n" + whole, "contradictory"
    yield "a stream", b"data: " + whole + b"\n\ndata: [DONE]\n\n", "contradictory"
    yield "far too long", whole + b" " * MAX_BYTES, "unparsable"
    yield "a list", b"[" + whole + b"]", "unparsable"


@pytest.mark.parametrize(("body", "reason"), [(b, r) for _, b, r in _envelopes()])
def test_an_envelope_that_is_wrong_is_an_error(body: bytes, reason: str) -> None:
    """Whatever verdict may be somewhere inside it."""
    assert reply(CHAT, body).answer.reason == reason


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([PREDICATE, PREDICATE], "contradictory"),
        ([], "unparsable"),
        (PREDICATE, "unparsable"),
        ([{"type": "refusal"}], "refused"),
        ([{**PREDICATE, "name": "another"}], "contradictory"),
        ([{**PREDICATE, "type": "choice"}], "unparsable"),
        ([{**PREDICATE, "type": None}], "unparsable"),
        ([{"type": "predicate"}], "unparsable"),
        ([{**PREDICATE, "probability": 1.01}], "unparsable"),
        ([{**PREDICATE, "probability": -0.1}], "unparsable"),
        ([{**PREDICATE, "probability": "0.9"}], "unparsable"),
        ([{**PREDICATE, "probability": True}], "unparsable"),
        ([{**PREDICATE, "probability": None}], "unparsable"),
        ([{"type": "predicate", "confidence": 0.9}], "unparsable"),
        ([0.9], "unparsable"),
    ],
)
def test_a_decision_that_is_none_is_an_error(answers: Any, reason: str) -> None:
    """A confidence is not a probability, and a probability is a number from 0 to 1."""
    body = json.dumps({"model": "m", "answers": answers}).encode()
    assert reply(DECISIONS, body).answer.reason == reason


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({}, "unparsable"),
        ({"other": NOUL["verdict"]}, "unparsable"),
        ({**NOUL, "__extra__": {"type": "noul", "noul": 0.5}}, "contradictory"),
        ({"verdict": {"type": "boolean", "noul": 0.9}}, "unparsable"),
        ({"verdict": {"type": "noul", "noul": 1.4}}, "unparsable"),
        ({"verdict": {"type": "noul", "confidence": 0.9}}, "unparsable"),
        ({"verdict": {"type": "refusal"}}, "refused"),
        ({"verdict": 0.9}, "unparsable"),
        ([NOUL], "unparsable"),
        (None, "unparsable"),
    ],
)
def test_an_answer_of_systemone_that_is_none_is_an_error(answers: Any, reason: str) -> None:
    """The faults that servers of this wire are known for."""
    assert reply(SYSTEMONE, systemone_body(answers)).answer.reason == reason


def test_not_a_number_is_an_error_wherever_it_stands() -> None:
    """It is no JSON, and a reader that lets it through lets more through."""
    for way in WAYS:
        document = json.loads(PASSING[way])
        document["x_debug"] = float("nan")
        assert reply(way, json.dumps(document).encode()).answer.reason == "unparsable"


def test_ten_thousand_broken_replies_are_no_verdicts() -> None:
    """Cut, doubled, overwritten and garbled ones: 0 failures as pass or fail.

    Each damage breaks the JSON, the schema, or the one-ness of the reply.
    """
    rng, verdicts = random.Random(7), 0  # noqa: S311 - not for secrets
    for number in range(10_000):
        way = WAYS[number % 3]
        verdicts += reply(way, _damaged(PASSING[way], rng)).answer.outcome != "error"
    assert verdicts == 0


def _damaged(body: bytes, rng: random.Random) -> bytes:
    """Return a reply with one damage that cannot leave it as it was meant."""
    at, key = rng.randrange(len(body)), rng.choice((b"verdlct", b"Verdict", b"verdict2"))
    number, word = rng.choice((b"NaN", b"-0.9", b"9.0")), rng.choice((b"pas", b"true", b"Pass"))
    return rng.choice(
        (
            body[:at],
            body + body[at:],
            body.replace(b"verdict", key),
            body[:at] + bytes([rng.choice((0x80, 0xC0, 0xFF))]) + body[at + 1 :],
            rng.choice((b"}", b"{", b"ok: ")) + body,
            rng.randbytes(rng.randrange(200)),
            body.replace(b"0.9", number).replace(b"pass", word),
        )
    )


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(WAYS))
def test_no_bytes_raise(body: bytes, way: ServedWay) -> None:
    """Whatever arrives, there is an outcome, and random bytes are no verdict."""
    assert reply(way, body).answer.outcome == "error"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.sampled_from(["pass", "noul"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "answers", "verdict", "message", "content", "type"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(JSON_VALUES, st.sampled_from(WAYS))
def test_no_json_raises(document: Any, way: ServedWay) -> None:
    """Documents of the right words in the wrong places have an outcome too."""
    assert reply(way, json.dumps(document).encode()).answer.outcome == "error"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (201, "unavailable"),
        (204, "unavailable"),
        (302, "unavailable"),
        (400, "refused"),
        (401, "unavailable"),
        (403, "unavailable"),
        (404, "unavailable"),
        (408, "timeout"),
        (413, "too_long"),
        (422, "refused"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "unavailable"),
        (504, "timeout"),
        (529, "unavailable"),
    ],
)
def test_a_status_has_a_reason(status: int, reason: str | None) -> None:
    """Only 200 has a body that decides."""
    assert reason_of_status(status) == reason


def test_probabilities_of_tokens_are_used_where_there_are_some() -> None:
    """That of fail among pass and fail, at the verdict's own word; else there is none."""
    tops = [{"token": "pass", "logprob": -0.2231}, {"token": "fail", "logprob": -1.6094}]
    tokens = [
        {"token": '{"', "logprob": 0.0, "top_logprobs": []},
        {"token": "verdict", "logprob": 0.0, "top_logprobs": []},
        {"token": '":"', "logprob": 0.0, "top_logprobs": []},
        {"token": "pass", "logprob": -0.2231, "top_logprobs": tops},
    ]
    content = '{"verdict":"pass"}'
    said = reply(CHAT, chat_body(content, logprobs={"content": tokens})).answer
    assert said.p_fail == pytest.approx(0.2, abs=1e-3)
    others: tuple[Any, ...] = (
        None,
        {"content": None},
        {"content": [{}]},
        {"content": tokens[:3]},
        5,
    )
    for other in others:
        assert reply(CHAT, chat_body(content, logprobs=other)).answer.p_fail is None


def test_usage_that_is_none_is_left_out() -> None:
    """A verdict stands though the server counts nothing, or counts in fractions."""
    for usage in (None, {}, {"prompt_tokens": 1.5}, {"prompt_tokens": True}, [1]):
        document = json.loads(PASSING[CHAT])
        document["usage"], document["model"] = usage, "line\nfeed"
        said = reply(CHAT, json.dumps(document).encode())
        assert said == JudgeReply(said.answer, None, None, None)
        assert said.answer.outcome == "pass"


@pytest.mark.parametrize(
    ("way", "body", "mode"),
    [
        (CHAT, chat_body('{"failure_mode": "unsupported"}'), "unsupported"),
        (CHAT, chat_body('{"failure_mode": "tired"}'), None),
        (CHAT, chat_body('{"failure_mode": "unsupported"} or not'), None),
        (DECISIONS, decision_body({"type": "choice", "choice": "unsupported"}), "unsupported"),
        (DECISIONS, decision_body({"type": "choice", "choice": True}), None),
        (
            SYSTEMONE,
            systemone_body({"failure_mode": {"type": "choice", "choice": "unsupported"}}),
            "unsupported",
        ),
        (SYSTEMONE, b"", None),
    ],
)
def test_a_failure_mode_is_one_of_the_list(way: ServedWay, body: bytes, mode: str | None) -> None:
    """A mode that is none of them, or a reply that is none, leaves the fail without a mode."""
    assert read_failure_mode(way, body, ["unsupported", "contradicts"]) == mode
