"""Turns real conversations into the traffic of an LLM application: traces and feedback.

Each call of the model is a trace: the messages before an assistant's message are its input, that
message is its response, and the requested tools are its tool calls, with their results. So each
trace of a conversation repeats the history, as in real traffic.

Pure: the same arguments give the same records. Times are microseconds since 1970 (UTC).
"""

import gzip
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib import resources
from itertools import accumulate, takewhile
from typing import Any, Final

TrafficRecord = dict[str, Any]

CHARACTERS_PER_TOKEN: Final = 4  # a rule of thumb for English, to fill the token counts
PRICES: Final = (2.5e-6, 1e-5)  # dollars for a token in and out, list price of gpt-4o in 2024

FILE: Final = "conversations.jsonl.gz"
LIVE_TASKS: Final = (6, 12, 18, 20, 24, 26, 0, 2, 4, 10, 22, 42)

HANDOVER: Final = "transfer_to_human_agents"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation in chat format; ``outcome_reward`` is 1.0 if the task was completed.

    ``task_id`` is the customer's request: several conversations are about the same.
    """

    conversation_id: str
    model: str
    app: str
    user_id: str
    outcome_reward: float
    messages: Sequence[Mapping[str, Any]]
    task_id: int | None = None

    @property
    def is_done(self) -> bool:
        """Return whether the task was completed."""
        return self.outcome_reward >= 1


@dataclass(frozen=True, slots=True)
class TrafficPace:
    """Mean seconds between calls, and until feedback."""

    between_calls: float = 12.0
    until_feedback: float = 20.0


def load_all_conversations() -> list[Conversation]:
    """Return all conversations shipped with the package: four for each of 25 tasks."""
    packed = (resources.files("goldpan.demo") / "data" / FILE).read_bytes()
    return list(read_conversations(gzip.decompress(packed).decode().splitlines()))


def load_shipped_conversations() -> list[Conversation]:
    """Return the few conversations that the demo sends in real time."""
    by_id = {each.conversation_id: each for each in load_all_conversations()}
    return [by_id[f"airline-{task:03}-0"] for task in LIVE_TASKS]


def read_conversations(lines: Iterable[str]) -> Iterator[Conversation]:
    """Yield the conversations of JSON lines (see ``data/SOURCE.md`` for the fields)."""
    for line in lines:
        raw = json.loads(line)
        yield Conversation(
            conversation_id=raw["conversation_id"],
            model=raw["model"],
            app=raw["app"],
            user_id=raw["user_id"],
            outcome_reward=raw["outcome_reward"],
            messages=raw["messages"],
            task_id=raw["task_id"],
        )


def make_traces(
    conversation: Conversation,
    *,
    started_at: int,
    seed: int = 0,
    pace: TrafficPace = TrafficPace(),
) -> list[TrafficRecord]:
    """Return one trace for each call of the model, in order.

    ``started_at`` is the time of the first call. Another ``seed`` gives other ids, latencies and
    times, but the same texts.
    """
    rng = _rng(seed, conversation, "traces")
    calls = [i for i, m in enumerate(conversation.messages) if m["role"] == "assistant"]
    gaps = (int(pace.between_calls * 1e6 * rng.uniform(0.5, 1.5)) for _ in calls)
    times = accumulate(gaps, initial=started_at)
    return [
        {
            "trace_id": _identity(seed, conversation, "trace", turn),
            "request_id": _identity(seed, conversation, "request", turn),
            "session_id": f"{conversation.conversation_id}-{seed}",
            "user_id": conversation.user_id,
            "app": conversation.app,
            "environment": "production",
            "started_at": at,
            "attributes": {"conversation": conversation.conversation_id, "turn": str(turn)},
            **_content(conversation, index, rng),
        }
        for turn, (index, at) in enumerate(zip(calls, times, strict=False))
    ]


def make_feedback(
    conversation: Conversation,
    traces: Sequence[Mapping[str, Any]],
    *,
    seed: int = 0,
    pace: TrafficPace = TrafficPace(),
) -> list[TrafficRecord]:
    """Return the feedback of users, agents and systems on a conversation's answers.

    Probabilities of each event, by the outcome of the task (reward 1 or 0):

    - 0.60: the user gives thumbs on the last answer; they match the outcome in 0.85 of cases;
    - 0.35: the user writes a comment, signed with their name;
    - 0.50 if the task was completed: the system records the resolution;
    - 0.30 if it was not: a human agent corrects the last answer in text (an edit);
    - 0.20 if it was not: the user regenerates an answer in the middle;
    - always, if the assistant handed over to a human: the system records the escalation.
    """
    rng = _rng(seed, conversation, "feedback")
    completed = conversation.is_done
    answered = [trace for trace in traces if trace["response"]]
    if not answered:
        return []
    last, middle = answered[-1], answered[len(answered) // 2]
    events: list[tuple[Mapping[str, Any], str, str, TrafficRecord]] = []
    if rng.random() < 0.60:
        matches = rng.random() < 0.85
        events.append(
            (last, "thumbs", "end_user", {"value": 1.0 if completed == matches else -1.0})
        )
    if rng.random() < 0.35:
        text = _comment(conversation.user_id, completed=completed)
        events.append((last, "comment", "end_user", {"comment": text}))
    if completed and rng.random() < 0.50:
        events.append((last, "resolution", "system", {}))
    if not completed and rng.random() < 0.30:
        corrected = f"{_name(conversation.user_id)}, I am sorry. {last['response']}"
        events.append((last, "edit", "agent", {"corrected_response": corrected}))
    if not completed and rng.random() < 0.20:
        events.append((middle, "regenerate", "end_user", {}))
    handed_over = [t for t in traces if any(c["name"] == HANDOVER for c in t["tool_calls"])]
    events += [(trace, "escalation", "system", {}) for trace in handed_over]
    return [
        _feedback(trace, number)
        | {"kind": kind, "actor": actor, **more}
        | {"occurred_at": _after(trace, rng.uniform(0.5, 1.5) * pace.until_feedback)}
        for number, (trace, kind, actor, more) in enumerate(events)
    ]


def _content(conversation: Conversation, index: int, rng: random.Random) -> TrafficRecord:
    """Return the fields of a trace about the call that returned the message at ``index``."""
    message = conversation.messages[index]
    history = [_message(m) for m in conversation.messages[:index]]
    calls = _tool_calls(message, conversation.messages[index + 1 :], rng)
    output_characters = len(message.get("content") or "") + sum(
        len(call["arguments"]) for call in calls
    )
    input_characters = sum(len(m["content"] or "") for m in history)
    input_tokens = input_characters // CHARACTERS_PER_TOKEN
    output_tokens = max(1, output_characters // CHARACTERS_PER_TOKEN)
    return {
        "latency_ms": round(rng.lognormvariate(7.2, 0.4) + 8 * output_tokens, 1),
        "status": "ok",
        "model_provider": "openai",
        "model_requested": conversation.model,
        "model_version": conversation.model,
        "prompt_version": "airline-1",
        "app_version": "2026.11.1",
        "messages": history,
        "response": message.get("content"),
        "finish_reason": "tool_calls" if calls else "stop",
        "retrieved": [],
        "tool_calls": calls,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cost_usd": round(input_tokens * PRICES[0] + output_tokens * PRICES[1], 6),
        "segments": {"channel": "chat"},
    }


def _message(message: Mapping[str, Any]) -> TrafficRecord:
    """Convert a chat message to the contract: fields of the function become fields of the call."""
    return {
        "role": message["role"],
        "content": message.get("content"),
        "name": message.get("name"),
        "tool_call_id": message.get("tool_call_id"),
        "tool_calls": [
            {"id": c["id"], "name": c["function"]["name"], "arguments": c["function"]["arguments"]}
            for c in message.get("tool_calls") or ()
        ],
    }


def _tool_calls(
    message: Mapping[str, Any], later: Sequence[Mapping[str, Any]], rng: random.Random
) -> list[TrafficRecord]:
    # Call ids repeat within a conversation: only results before the next answer count.
    answers = takewhile(lambda m: m["role"] != "assistant", later)
    results = {m["tool_call_id"]: m["content"] for m in answers if m["role"] == "tool"}
    calls = []
    for call in _message(message)["tool_calls"]:
        result = results.get(call["id"])
        failed = result is not None and result.startswith("Error")
        calls.append(
            {
                **call,
                "result": None if failed else result,
                "error": result if failed else None,
                "latency_ms": round(rng.lognormvariate(4, 0.6), 1),
            }
        )
    return calls


def _feedback(trace: Mapping[str, Any], number: int) -> TrafficRecord:
    return {
        "feedback_id": _digest(trace["trace_id"], "feedback", number),
        "trace_id": trace["trace_id"],
        "session_id": trace["session_id"],
        "user_id": trace["user_id"],
        "value": None,
        "comment": None,
        "corrected_response": None,
        "attributes": {},
    }


def _after(trace: Mapping[str, Any], seconds: float) -> int:
    """Return the time that is ``seconds`` after the end of a call."""
    return int(trace["started_at"] + trace["latency_ms"] * 1000 + seconds * 1e6)


def _comment(user_id: str, *, completed: bool) -> str:
    name = _name(user_id)
    mail = f"{name.replace(' ', '.').lower()}@example.com"
    if completed:
        return f"Thanks, that worked. {name}, {mail}"
    return f"This did not solve it. Please call me at +1 415 555 0132 or write to {mail}. {name}"


def _name(user_id: str) -> str:
    """Return the name in a user id such as ``mia_li_3668``."""
    return " ".join(part.capitalize() for part in user_id.split("_")[:-1])


def _rng(seed: int, conversation: Conversation, purpose: str) -> random.Random:
    return random.Random(f"{seed}/{conversation.conversation_id}/{purpose}")  # noqa: S311


def _identity(seed: int, conversation: Conversation, purpose: str, number: int) -> str:
    return _digest(seed, conversation.conversation_id, purpose, number)


def _digest(*parts: object) -> str:
    return blake2b("/".join(map(str, parts)).encode(), digest_size=16).hexdigest()
