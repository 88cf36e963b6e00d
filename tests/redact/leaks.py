"""Leaks in real conversations: the share of known personal values left after redaction.

Each conversation becomes one trace a call of the model: the messages before an assistant's message,
and that message as the response. The known values of its user (``subjects.json``) are searched for
in the output, place by place. Used by the tests and by ``benchmarks/names_read.py``.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redact.pipeline.policy_redactor import PolicyRedactor
from tests.redact.kit import NOW, decoded

SHARED = Path(__file__).parents[3] / "shared" / "data" / "agent_conversations"
_PERSONAL_KEY = re.compile(
    r'\\*"(?:first_name|last_name|dob|email|user_id|address1|address2|zip|city)\\*"\s*:\s*\\*"([^"\\]+)'
)
_WORD = re.compile(r"[\w'@.-]+")


@dataclass
class Figures:
    """Occurrences of known values before and after redaction, by (kind, place), and tokens."""

    there: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    tokens: int = 0
    harmless_taken: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    rejected: int = 0
    traces: int = 0

    def covered(self, kind: str, place: str | None = None) -> float:
        """Return the share of occurrences that are gone."""
        keys = [key for key in self.there if key[0] == kind and place in (None, key[1])]
        there = sum(self.there[key] for key in keys)
        return 1.0 if not there else 1 - sum(self.left[key] for key in keys) / there

    @property
    def harmless_share(self) -> float:
        """Return which share of all tokens was replaced without being personal."""
        return self.harmless_taken / max(self.tokens, 1)


def conversations(folder: Path, remainder: int) -> list[dict[str, Any]]:
    """Return the conversations whose task's number leaves ``remainder`` modulo 4."""
    lines = (folder / "airline.jsonl").read_text(encoding="utf-8").splitlines()
    return [c for c in map(json.loads, lines) if c["task_id"] % 4 == remainder]


def traces(conversation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one trace a call of the model."""
    messages = [_message(m) for m in conversation["messages"]]
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        yield {
            "trace_id": f"{conversation['conversation_id']}-{number}",
            "session_id": conversation["conversation_id"],
            "user_id": conversation["user_id"],
            "app": conversation["app"],
            "started_at": NOW,
            "status": "ok",
            "messages": messages[:number],
            "response": message.get("content"),
        }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    plain = {k: message[k] for k in ("role", "content", "name", "tool_call_id") if k in message}
    calls = message.get("tool_calls") or []
    plain["tool_calls"] = [
        {"id": c["id"], "name": c["function"]["name"], "arguments": c["function"]["arguments"]}
        for c in calls
    ]
    return plain


def known(subject: Mapping[str, Any], user_id: str) -> list[tuple[str, str]]:
    """Return (kind, value) of all known values of a user."""
    values = [("USER_ID", user_id), ("EMAIL", subject["email"]), ("BIRTH_DATE", subject["dob"])]
    values += [("ADDRESS", subject[k]) for k in ("address1", "address2", "zip")]
    people = [subject, *subject.get("passengers", [])]
    for person in people:
        values += [("NAME", person["first_name"]), ("NAME", person["last_name"])]
        values.append(("BIRTH_DATE", person["dob"]))
    return sorted(set(values))


def measure(
    redactor: PolicyRedactor, chats: Sequence[Mapping[str, Any]], subjects: Mapping[str, Any]
) -> Figures:
    """Redact all traces of some conversations; count leaks and needless replacements."""
    figures = Figures()
    for chat in chats:
        truth = known(subjects[chat["user_id"]], chat["user_id"])
        personal = {value for _, value in truth}
        personal |= set(_PERSONAL_KEY.findall(json.dumps(chat["messages"])))
        words = {word.lower() for value in personal for word in _WORD.findall(value)}
        records = list(traces(chat))
        batch = decoded(records)
        outcome = redactor.redact(batch, ingested_at=NOW)
        figures.rejected += len(outcome.rejected)
        figures.traces += len(records)
        gone = {r.raw.offset for r in outcome.rejected}
        rows = iter(outcome.rows.value.to_pylist())
        for number, record in enumerate(records):
            if number not in gone:
                _compare(figures, truth, words, record, next(rows))
    return figures


def _compare(
    figures: Figures,
    truth: Sequence[tuple[str, str]],
    words: set[str],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    for (place, old), (_, new) in zip(_places(before), _places(after), strict=True):
        for kind, value in truth:
            pattern = _pattern(kind, value)
            there = len(pattern.findall(old))
            if there:
                left = len(pattern.findall(new))
                figures.there[kind, place] += there
                figures.left[kind, place] += left
                if left:
                    at = pattern.search(new)
                    assert at is not None
                    around = new[max(at.start() - 60, 0) : at.end() + 30]
                    figures.examples.append(f"{kind} {place}: {around!r}")
        _count_tokens(figures, words, old, new)


def _count_tokens(figures: Figures, words: set[str], old: str, new: str) -> None:
    """Count words that are gone without being personal."""
    before = Counter(word.strip("'.-").lower() for word in _WORD.findall(old))
    after = Counter(word.strip("'.-").lower() for word in _WORD.findall(new))
    figures.tokens += sum(before.values())
    for word, count in (before - after).items():
        if word and word not in words and not any(word in w or w in word for w in words):
            figures.harmless_taken += count
            figures.taken[word] += count


def _pattern(kind: str, value: str) -> re.Pattern[str]:
    flags = 0 if kind == "NAME" else re.IGNORECASE
    return re.compile(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", flags)


def _places(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for message in record["messages"]:
        yield message["role"], message.get("content") or ""
        for call in message["tool_calls"]:
            yield "assistant_call", call["arguments"]
    yield "assistant", record["response"] or ""
