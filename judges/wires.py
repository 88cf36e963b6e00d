"""The bodies of requests, one for each wire. The judged data is the input, never an instruction.

``POST /v1/chat/completions`` with ``response_format`` (OpenAI's API reference, and whatever speaks
it); ``POST /v1/decisions`` (OpenAI); ``POST /v1/systemone`` (TypeSafe; jevcompat's SPEC.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from judges.outcome import VERDICTS
from judges.render import JudgeQuestion, encode_data, input_tokens
from judges.template import MODES_TEMPLATE, PREDICATE
from judges.ways import ChatWay, DecisionWay, ServedWay, Wire

VERDICT: Final = "verdict"
"""The one property of a chat reply, and the name of the question of a decision."""
FAILURE_MODE: Final = "failure_mode"
TOP_LOGPROBS: Final = 5
PATHS: Final[Mapping[Wire, str]] = {
    "chat": "/v1/chat/completions",
    "decisions": "/v1/decisions",
    "systemone": "/v1/systemone",
}


class WireRequest(NamedTuple):
    """A request to send as JSON: the path after the server's address, and the body."""

    path: str
    body: Mapping[str, Any]

    @property
    def texts(self) -> list[str]:
        """Return every text of the body, for the proof that nothing personal is in it."""
        return _texts_in(self.body)

    @property
    def tokens(self) -> int:
        """Return an upper estimate of the tokens that the server bills for this input."""
        return sum(input_tokens(text) for text in self.texts)


def verdict_request(way: ServedWay, question: JudgeQuestion) -> WireRequest:
    """Return the request that asks a question."""
    if isinstance(way, ChatWay):
        return _chat(way, question, question.instructions, VERDICT, VERDICTS)
    statement = PREDICATE.format(asks=question.asks)
    return _decide(way, question, VERDICT, {"type": "predicate", "instructions": statement})


def failure_mode_request(
    way: ServedWay, question: JudgeQuestion, modes: Sequence[str]
) -> WireRequest:
    """Return the request that asks how a row failed, once it has."""
    listed = MODES_TEMPLATE.format(modes=", ".join(modes))
    if isinstance(way, ChatWay):
        judged = question.instructions.partition("\nDecide on the record alone")[0]
        return _chat(way, question, f"{judged}\n{listed}", FAILURE_MODE, modes)
    choices = [{"value": mode} for mode in modes]
    statement = f"{PREDICATE.format(asks=question.asks)}\n\nIt does not hold. How does it fail?"
    return _decide(
        way,
        question,
        FAILURE_MODE,
        {"type": "choice", "instructions": statement, "choices": choices},
    )


def endpoint_of(address: str, path: str) -> str:
    """Return the address of a path on a server, whether its address ends in ``/v1`` or not.

    Raises ValueError if the address is not one of http or https without query.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the address of a judge's server is http:// or https://, without a query")
    return address.rstrip("/").removesuffix("/v1") + path


def _chat(
    way: ChatWay, question: JudgeQuestion, instructions: str, key: str, values: Sequence[str]
) -> WireRequest:
    body: dict[str, Any] = {
        "model": way.chat,
        "messages": [
            {"role": "system", "content": instructions},
            *(_examples(way, question) if key == VERDICT else ()),
            {"role": "user", "content": question.fenced},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": key, "strict": True, "schema": _schema(key, values)},
        },
    }
    if way.temperature is not None:
        body["temperature"] = way.temperature
    if way.max_tokens is not None:
        body["max_completion_tokens"] = way.max_tokens
    if way.logprobs and key == VERDICT:
        body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
    return WireRequest(PATHS["chat"], body)


def _schema(key: str, values: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: {"type": "string", "enum": list(values)}},
        "required": [key],
        "additionalProperties": False,
    }


def _examples(way: ChatWay, question: JudgeQuestion) -> list[dict[str, str]]:
    messages = []
    for example in way.examples:
        data = encode_data(example.fields)
        shown = f"{question.fence}\n{data}\n{question.fence}"
        messages.append({"role": "user", "content": shown})
        messages.append({"role": "assistant", "content": encode_data({VERDICT: example.verdict})})
    return messages


def _decide(
    way: DecisionWay, question: JudgeQuestion, name: str, asked_for: dict[str, Any]
) -> WireRequest:
    if way.wire == "decisions":
        questions = [{"name": name, **asked_for}]
        return WireRequest(
            PATHS["decisions"],
            {"model": way.decision, "input": question.data, "questions": questions},
        )
    statement = asked_for["instructions"]
    if asked_for["type"] == "predicate":
        one: dict[str, Any] = {"type": "noul", "instructions": statement}
    else:
        criteria = {choice["value"]: choice["value"] for choice in asked_for["choices"]}
        one = {"type": "choice", "instructions": statement, "criteria": criteria}
    body: dict[str, Any] = {"model": way.decision, "state": question.data, "questions": {name: one}}
    return WireRequest(PATHS["systemone"], body)


def _texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts_in(item)]
    if isinstance(value, Sequence):
        return [text for item in value for text in _texts_in(item)]
    return []
