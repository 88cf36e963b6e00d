"""Reads a reply of a judge's server: a verdict, or the reason why there is none.

Strict: a verdict is the whole of what the schema allows, and whatever else arrives is an error,
never a verdict and never a fail. ``contradictory`` stands for more than one answer, or an answer
with something beside it; ``unparsable`` for none that can be read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from judges.definition import VerdictThresholds
from judges.outcome import (
    VERDICTS,
    JudgeAnswer,
    JudgeErrorReason,
    JudgeOutcome,
    judge_error,
)
from judges.strict_json import AmbiguousJsonError, NotJsonError, read_document, read_one_value
from judges.ways import ChatWay, ServedWay
from judges.wires import FAILURE_MODE, VERDICT

_MAX_MODEL_NAME: Final = 200
_DIGITS: Final = 12
"""Of a probability of fail, so that 1 - 0.8 is 0.2, as a threshold says it."""
_REFUSED_FINISH: Final = frozenset({"content_filter", "safety", "refusal"})
_CUT_FINISH: Final = frozenset({"length", "max_tokens", "tool_calls", "function_call", "error"})
_TOO_LONG_FINISH: Final = frozenset({"length", "max_tokens"})
_STATUS_REASONS: Final[Mapping[int, JudgeErrorReason]] = {
    401: "unavailable",
    402: "unavailable",
    403: "unavailable",
    404: "unavailable",
    405: "unavailable",
    407: "unavailable",
    408: "timeout",
    409: "unavailable",
    413: "too_long",
    425: "unavailable",
    429: "rate_limited",
    504: "timeout",
}


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """What a reply says: the answer, and what it tells of the call (None where it does not)."""

    answer: JudgeAnswer
    model_served: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ChatReply:
    """What a chat model replied: a text, calls of tools (name and arguments), or neither.

    Then ``reason`` says why. The rest is what the reply tells of the call (None where it does not).
    """

    text: str | None = None
    calls: tuple[tuple[str, str], ...] = ()
    reason: JudgeErrorReason | None = None
    model_served: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _NoVerdictError(Exception):
    """There is no verdict, for a reason."""

    def __init__(self, reason: JudgeErrorReason) -> None:
        super().__init__(reason)
        self.reason: JudgeErrorReason = reason


def reason_of_status(status: int) -> JudgeErrorReason | None:
    """Return the reason of an HTTP status; None for 200, whose body decides.

    What may pass is ``rate_limited``, ``timeout`` or ``unavailable``: a wrong key or address is
    corrected, and no row is refused for it. Any other 4xx is a refusal of this request for good;
    redirections are not followed.
    """
    if status == 200:
        return None
    if status in _STATUS_REASONS:
        return _STATUS_REASONS[status]
    return "refused" if 400 <= status < 500 else "unavailable"


def read_reply(way: ServedWay, body: bytes, thresholds: VerdictThresholds) -> JudgeReply:
    """Return what the body of a reply with status 200 says.

    ``thresholds`` turn a probability into a verdict; a chat model gives the verdict itself. Never
    raises for any bytes.
    """
    try:
        document = _envelope(body)
    except _NoVerdictError as error:
        return JudgeReply(judge_error(error.reason))
    try:
        if isinstance(way, ChatWay):
            answer = _chat_answer(document)
        else:
            p = _decision(document) if way.wire == "decisions" else _noul(document)
            answer = answer_of_probability(round(1 - p, _DIGITS), thresholds)
    except _NoVerdictError as error:
        answer = judge_error(error.reason)
    return JudgeReply(answer, _served(document), *_usage(document))


def read_chat_message(body: bytes) -> ChatReply:
    """Return the message that the body of a reply with status 200 holds.

    A message that was cut or filtered is none. Never raises for any bytes.
    """
    try:
        document = _envelope(body)
    except _NoVerdictError as error:
        return ChatReply(reason=error.reason)
    told = (_served(document), *_usage(document))
    try:
        choice = _choice(document)
        calls = _tool_calls(choice)
        return ChatReply(_text(choice, may_be_empty=bool(calls)), calls, None, *told)
    except _NoVerdictError as error:
        return ChatReply(None, (), error.reason, *told)


def answer_of_probability(p_fail: float, thresholds: VerdictThresholds) -> JudgeAnswer:
    """Return the verdict of a probability of fail: unknown between the thresholds."""
    outcome: JudgeOutcome = "unknown"
    if p_fail <= thresholds.pass_at_most:
        outcome = "pass"
    elif p_fail >= thresholds.fail_at_least:
        outcome = "fail"
    return JudgeAnswer(outcome, p_fail=p_fail)


def read_failure_mode(way: ServedWay, body: bytes, modes: Sequence[str]) -> str | None:
    """Return the failure mode that a reply names; None if it names none of ``modes``."""
    try:
        document = _envelope(body)
        if isinstance(way, ChatWay):
            value = _one_property(_content(_choice(document)), FAILURE_MODE)
        elif way.wire == "decisions":
            value = _one_answer(document, FAILURE_MODE, "choice").get("choice")
        else:
            value = _one_named(document, FAILURE_MODE, "choice").get("choice")
    except _NoVerdictError:
        return None
    return value if isinstance(value, str) and value in modes else None


def _envelope(body: bytes) -> Mapping[str, Any]:
    """Return the object that a body is; one that only says that it failed is ``unavailable``."""
    try:
        document = read_document(body)
    except AmbiguousJsonError:
        raise _NoVerdictError("contradictory") from None
    except NotJsonError:
        raise _NoVerdictError("unparsable") from None
    if not isinstance(document, dict):
        raise _NoVerdictError("unparsable")
    if document.get("error") is not None:
        answered = "choices" in document or "answers" in document
        raise _NoVerdictError("contradictory" if answered else "unavailable")
    return document


def _chat_answer(document: Mapping[str, Any]) -> JudgeAnswer:
    choice = _choice(document)
    verdict = _one_property(_content(choice), VERDICT)
    if verdict not in VERDICTS:
        raise _NoVerdictError("unparsable")
    outcome = cast("JudgeOutcome", verdict)
    return JudgeAnswer(outcome, p_fail=_p_fail_of_tokens(choice, outcome))


def _choice(document: Mapping[str, Any]) -> Mapping[str, Any]:
    choice = _only(document.get("choices"))
    if not isinstance(choice, dict):
        raise _NoVerdictError("unparsable")
    return choice


def _content(choice: Mapping[str, Any]) -> str:
    message, finish = choice.get("message"), choice.get("finish_reason")
    if not isinstance(message, dict) or message.get("role", "assistant") != "assistant":
        raise _NoVerdictError("unparsable")
    if message.get("refusal") or finish in _REFUSED_FINISH:
        raise _NoVerdictError("refused")
    if message.get("tool_calls") or message.get("function_call"):
        raise _NoVerdictError("contradictory")
    content = message.get("content")
    if finish in _CUT_FINISH or not isinstance(content, str):
        raise _NoVerdictError("unparsable")
    return content


def _text(choice: Mapping[str, Any], *, may_be_empty: bool) -> str | None:
    """Return the text of a chat model's whole message; None only if it may be empty."""
    message, finish = choice["message"], choice.get("finish_reason")
    if message.get("refusal") or finish in _REFUSED_FINISH:
        raise _NoVerdictError("refused")
    if finish in _TOO_LONG_FINISH:
        raise _NoVerdictError("too_long")
    content = message.get("content")
    if content is None and may_be_empty:
        return None
    if finish == "error" or not isinstance(content, str):
        raise _NoVerdictError("unparsable")
    return content


def _tool_calls(choice: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    message = choice.get("message")
    if not isinstance(message, dict) or message.get("role", "assistant") != "assistant":
        raise _NoVerdictError("unparsable")
    listed = message.get("tool_calls") or []
    calls = []
    for call in listed if isinstance(listed, list) else [None]:
        function = call.get("function") if isinstance(call, dict) else None
        named = function if isinstance(function, dict) else {}
        name, arguments = named.get("name"), named.get("arguments")
        if not isinstance(name, str) or not isinstance(arguments, str):
            raise _NoVerdictError("unparsable")
        calls.append((name, arguments))
    return tuple(calls)


def _one_property(content: str, key: str) -> Any:
    """Return the value of the one property that a whole text is an object of."""
    try:
        value = read_one_value(content)
    except AmbiguousJsonError:
        raise _NoVerdictError("contradictory") from None
    except NotJsonError:
        raise _NoVerdictError("unparsable") from None
    if not isinstance(value, dict) or key not in value:
        raise _NoVerdictError("unparsable")
    if len(value) > 1:
        raise _NoVerdictError("contradictory")
    return value[key]


def _decision(document: Mapping[str, Any]) -> float:
    return _probability(_one_answer(document, VERDICT, "predicate").get("probability"))


def _one_answer(document: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    answer = _only(document.get("answers"))
    if not isinstance(answer, dict):
        raise _NoVerdictError("unparsable")
    if answer.get("name") not in (None, name):
        raise _NoVerdictError("contradictory")
    return _of_kind(answer, kind)


def _noul(document: Mapping[str, Any]) -> float:
    return _probability(_one_named(document, VERDICT, "noul").get("noul"))


def _one_named(document: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    answers = document.get("answers")
    if not isinstance(answers, dict) or name not in answers:
        raise _NoVerdictError("unparsable")
    if len(answers) > 1:
        raise _NoVerdictError("contradictory")
    answer = answers[name]
    if not isinstance(answer, dict):
        raise _NoVerdictError("unparsable")
    return _of_kind(answer, kind)


def _of_kind(answer: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    if answer.get("type") == "refusal":
        raise _NoVerdictError("refused")
    if answer.get("type") != kind:
        raise _NoVerdictError("unparsable")
    return answer


def _only(answers: Any) -> Any:
    if not isinstance(answers, list) or not answers:
        raise _NoVerdictError("unparsable")
    if len(answers) > 1:
        raise _NoVerdictError("contradictory")
    return answers[0]


def _probability(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _NoVerdictError("unparsable")
    return float(value)


def _p_fail_of_tokens(choice: Mapping[str, Any], outcome: JudgeOutcome) -> float | None:
    """Return the probability of fail by the token that the verdict begins with.

    It is that of fail among pass and fail, at the token where the verdict's own word begins; None
    where the reply has no such token, or it does not begin the verdict that was given.
    """
    tokens = choice.get("logprobs")
    tokens = tokens.get("content") if isinstance(tokens, dict) else None
    for token in tokens if isinstance(tokens, list) else ():
        first = _word(token)
        if first is not None and outcome.startswith(first):
            return _share_of_fail(token.get("top_logprobs"))
    return None


def _share_of_fail(tops: Any) -> float | None:
    sums = {"pass": 0.0, "fail": 0.0}
    for top in tops if isinstance(tops, list) else ():
        word, log = _word(top), top.get("logprob") if isinstance(top, dict) else None
        if word is None or isinstance(log, bool) or not isinstance(log, int | float):
            continue
        for verdict in sums:
            if verdict.startswith(word) and log <= 0:
                sums[verdict] += math.exp(log)
    total = sums["pass"] + sums["fail"]
    return sums["fail"] / total if total > 0 else None


def _word(token: Any) -> str | None:
    """Return the letters that a token begins a verdict with; None if it begins none."""
    text = token.get("token") if isinstance(token, dict) else None
    word = text.strip(' "') if isinstance(text, str) else ""
    return word if word and any(verdict.startswith(word) for verdict in VERDICTS) else None


def _served(document: Mapping[str, Any]) -> str | None:
    model = document.get("model")
    usable = isinstance(model, str) and model.isprintable() and 0 < len(model) <= _MAX_MODEL_NAME
    return model if usable else None


def _usage(document: Mapping[str, Any]) -> tuple[int | None, int | None]:
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return None, None
    return (
        _count(usage.get("input_tokens", usage.get("prompt_tokens"))),
        _count(usage.get("output_tokens", usage.get("completion_tokens"))),
    )


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        return None
    return value
