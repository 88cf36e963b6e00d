"""Traffic in which personal values and messages differ, made from real conversations.

The conversations are those that the demo ships. In each copy the names and numbers of their users
are replaced, and each message has a word of its own, so that a conversation repeats only its own
history.
"""

import itertools
import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import msgspec

from benchmarks.traffic import STARTED_AT
from goldpan.demo.traffic import (
    Conversation,
    load_shipped_conversations,
    make_feedback,
    make_traces,
)

SIZE: Final = 1_800
CONVERSATIONS: Final = tuple(load_shipped_conversations())


def renamed(conversation: Conversation, seed: int) -> Conversation:
    """Return a conversation whose user has another name and other numbers."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    text = msgspec.json.encode(conversation).decode()
    for part in conversation.user_id.split("_"):
        letters = "0123456789" if part.isdigit() else "abcdefghijklmnopqrstuvwxyz"
        other = "".join(rng.choice(letters) for _ in range(max(len(part), 4)))
        for old, new in ((part.capitalize(), other.capitalize()), (part, other)):
            text = re.sub(rf"(?<![^\W_]){old}(?![^\W_])", new, text)
    return msgspec.json.decode(text, type=Conversation)


def reworded(conversation: Conversation, seed: int) -> Conversation:
    """Return a conversation in which each message has a unique word."""
    rng = random.Random(seed)  # noqa: S311  # not for secrets
    messages = []
    for message in conversation.messages:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(8))
        content = message.get("content")
        if not content:
            messages.append(message)
        elif content.startswith(("{", "[{")):
            head, brace, rest = content.partition("{")
            messages.append({**message, "content": f'{head}{brace}"trail": "{word}", {rest}'})
        else:
            messages.append({**message, "content": f"{content} ({word})"})
    return replace(conversation, messages=messages)


def shortened(trace: dict[str, Any], size: int = SIZE) -> dict[str, Any]:
    """Keep the newest messages of a trace, as many as make about ``size`` bytes."""
    kept: list[dict[str, Any]] = []
    room = size - 700
    for message in reversed(trace["messages"]):
        taken = len(json.dumps(message))
        if taken > room:
            break
        kept.append(message)
        room -= taken
    return {**trace, "messages": kept[::-1], "tool_calls": []}


def endless(*, alike: bool = False) -> Iterator[dict[str, Any]]:
    """Yield short traces of conversations that all differ, in personal values and in each message.

    ``alike`` keeps messages without personal data unchanged, so that they repeat.
    """
    for traces, _ in endless_with_feedback(alike=alike):
        yield from traces


def endless_with_feedback(
    *, alike: bool = False
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Yield the short traces of one conversation after another, and the feedback on them."""
    for seed in itertools.count(1):
        for number, conversation in enumerate(CONVERSATIONS):
            own = seed * len(CONVERSATIONS) + number
            copy = renamed(conversation, own)
            copy = copy if alike else reworded(copy, own)
            traces = make_traces(copy, started_at=STARTED_AT, seed=own)
            yield [shortened(trace) for trace in traces], make_feedback(copy, traces, seed=own)
