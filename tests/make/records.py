"""Valid traces and feedback, as a producer would write them: the same arguments, the same record.

The text holds made-up names, addresses and numbers of the kind that redaction has to find; they
are listed by ``person``, so that a test can look for them afterwards.
"""

import json
import random
from typing import Any, NamedTuple

SMALL = 1_800
"""Bytes of JSON of a usual trace."""
LARGE = 14_000
"""Bytes of JSON of a trace that carries a long conversation."""
STARTED_AT = 1_793_491_200_000_000
"""2026-11-01T00:00:00Z in microseconds: trace 0 starts then, each later one a second after."""

_FIRST = ("Mia", "Omar", "Yusuf", "Ivan", "Sophia", "Ethan", "Chen", "Amelia", "Raj", "Lucas")
_LAST = ("Okafor", "Rossi", "Jackson", "Silva", "Kovacs", "Sanchez", "Nguyen", "Muller", "Patel")
_PHRASES = (
    "the flight to Boston was delayed",
    "my bag did not arrive",
    "please change the reservation to another day",
    "keep the seat near the window",
    "refund what is left on the travel certificate",
    "tell me whether the insurance covers it",
    "thank you for your help so far",
)
_FEEDBACK_KINDS = ("thumbs", "rating", "comment", "edit", "regenerate")


class Person(NamedTuple):
    """A made-up customer; every field is personal data."""

    user_id: str
    name: str
    email: str
    phone: str


def person(i: int, *, seed: int = 0) -> Person:
    """Return the customer that ``trace(i, seed=seed)`` is about."""
    rng = _rng(seed, i, "person")
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = rng.randrange(1000, 10000)
    return Person(
        user_id=f"{first}_{last}_{number}".lower(),
        name=f"{first} {last}",
        email=f"{first}.{last}{number}@example.com".lower(),
        phone=f"+1 212 555 {number}",
    )


def trace(i: int, *, seed: int = 0, size: int = SMALL, **overrides: Any) -> dict[str, Any]:
    """Return trace ``i`` as a dict of the contract's fields, about ``size`` bytes as JSON.

    ``overrides`` replace whole fields; with ``...`` as its value a field is left out.
    """
    rng = _rng(seed, i, "trace")
    who = person(i, seed=seed)
    record = _trace_fields(i, seed, rng, who)
    length = max(120, size // 30)
    record["messages"] = _conversation(rng, who, length)
    missing = size - len(encode_json(record))
    while missing > 1_500:  # a longer conversation, not one long message
        record["messages"][1:1] = _turn(rng, who, length)
        missing = size - len(encode_json(record))
    if missing > 0:
        record["messages"][0]["content"] += " " + _text(rng, missing - 1)
    return _override(record, overrides)


def feedback(
    i: int, *, trace_id: str | None = None, seed: int = 0, **overrides: Any
) -> dict[str, Any]:
    """Return feedback event ``i``, on trace ``i`` unless another ``trace_id`` is given."""
    rng = _rng(seed, i, "feedback")
    who = person(i, seed=seed)
    kind = _FEEDBACK_KINDS[i % len(_FEEDBACK_KINDS)]
    record: dict[str, Any] = {
        "feedback_id": _identity("feedback", i, seed),
        "trace_id": trace_id if trace_id is not None else _identity("trace", i, seed),
        "session_id": _identity("session", i // 4, seed),
        "user_id": who.user_id,
        "kind": kind,
        "actor": "end_user",
        "occurred_at": STARTED_AT + i * 1_000_000 + 60_000_000,
        "attributes": {"page": "chat", "reply_to": who.email},
    }
    if kind == "thumbs":
        record["value"] = rng.choice((-1.0, 1.0))
    elif kind == "rating":
        record["value"] = rng.randrange(0, 5) / 4
    elif kind == "comment":
        record["comment"] = f"I am {who.name}, call me: {who.phone}. {_text(rng, 60)}"
    elif kind == "edit":
        record["corrected_response"] = f"Dear {who.name}, {_text(rng, 120)}"
    return _override(record, overrides)


def encode_json(record: dict[str, Any]) -> bytes:
    """Return ``record`` as compact UTF-8 JSON, as it would stand in a Kafka value."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _trace_fields(i: int, seed: int, rng: random.Random, who: Person) -> dict[str, Any]:
    return {
        "trace_id": _identity("trace", i, seed),
        "session_id": _identity("session", i // 4, seed),
        "user_id": who.user_id,
        "app": "airline-support",
        "environment": "production",
        "started_at": STARTED_AT + i * 1_000_000,
        "latency_ms": rng.randrange(200, 9_000),
        "status": "ok",
        "model_provider": "openai",
        "model_requested": "gpt-4o",
        "model_version": "gpt-4o-2024-08-06",
        "prompt_version": "v12",
        "response": f"Of course, {who.name}. I have sent the details to {who.email}.",
        "finish_reason": "stop",
        "input_tokens": rng.randrange(100, 4_000),
        "output_tokens": rng.randrange(10, 400),
        "cost_usd": rng.randrange(1, 9_000) / 1e6,
        "segments": {"plan": rng.choice(("free", "silver", "gold")), "channel": "web"},
        "attributes": {"user_agent": "Mozilla/5.0", "customer": who.name},
    }


def _conversation(rng: random.Random, who: Person, length: int) -> list[dict[str, Any]]:
    system = {"role": "system", "content": "You help customers of an airline. Be brief."}
    asked = {"role": "user", "content": f"My name is {who.name}. {_text(rng, 80)}"}
    return [system, *_turn(rng, who, length), asked]


def _turn(rng: random.Random, who: Person, length: int) -> list[dict[str, Any]]:
    call = f"call_{rng.randrange(10**8):08d}"
    arguments = json.dumps({"user_id": who.user_id})
    answer = json.dumps({"name": who.name, "email": who.email, "phone": who.phone})
    used = {"id": call, "name": "get_user_details", "arguments": arguments}
    return [
        {"role": "assistant", "content": _text(rng, length), "tool_calls": [used]},
        {"role": "tool", "tool_call_id": call, "name": "get_user_details", "content": answer},
    ]


def _text(rng: random.Random, length: int) -> str:
    phrases: list[str] = []
    size = 0
    while size < length:
        phrases.append(rng.choice(_PHRASES))
        size += len(phrases[-1]) + 2
    return ", ".join(phrases)[: max(length, 0)]


def _override(record: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = {**record, **overrides}
    return {name: value for name, value in merged.items() if value is not ...}


def _identity(what: str, i: int, seed: int) -> str:
    return f"{what}-{i}" if seed == 0 else f"{what}-{seed}-{i}"


def _rng(seed: int, i: int, use: str) -> random.Random:
    return random.Random(f"{seed}/{i}/{use}")  # noqa: S311  (repeatable, not secret)
