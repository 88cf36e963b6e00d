"""Assembly works on redacted spans: what is matched by content is matched by its stand-ins."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from otel.assembly import AssembledTrace
from otel.json_documents import parse_json
from tests.otel.captures import CAPTURES
from tests.otel.redacted_captures import assemble_plain, assemble_rows, redact_capture
from tests.short_versions import short

RECORDS = 14
PLAIN_FIELDS = (
    "session_id", "prompt_version", "app", "environment", "app_version", "started_at",
    "latency_ms", "status", "error_type", "model_provider", "model_requested", "model_version",
    "finish_reason", "input_tokens", "output_tokens", "cost_usd",
)  # fmt: skip
"""Fields that hold nothing personal: they must be as without redaction."""


def cells(trace: AssembledTrace) -> Iterator[tuple[str, Any]]:
    """Yield what a row says, without texts that may hold personal data."""
    row = trace.row
    yield "row", (row is not None, trace.reason, trace.incomplete, trace.dialects)
    if row is None:
        return
    for name in PLAIN_FIELDS:
        yield name, row[name]
    yield (
        "messages",
        [
            (m["role"], m["content"] is None, [(c["id"], c["name"]) for c in m["tool_calls"]])
            for m in row["messages"]
        ],
    )
    yield (
        "tool_calls",
        [
            (t["id"], t["name"], t["error"] is None, _shape(t["arguments"]), _shape(t["result"]))
            for t in row["tool_calls"]
        ],
    )
    yield "retrieved", [(d["document_id"], d["score"]) for d in row["retrieved"]]
    yield "response", row["response"] is None


def _shape(text: str | None) -> object:
    """Return the keys of an object: the values may be replaced, the pairing may not change."""
    document = parse_json(text)
    return sorted(document) if isinstance(document, dict) else type(document).__name__


@pytest.mark.parametrize(("source", "encoding"), short(CAPTURES, CAPTURES[-3:-2]))
def test_rows_of_redacted_spans_say_the_same(source: str, encoding: str) -> None:
    """Each cell that holds nothing personal; users are told apart as before."""
    plain = assemble_plain(source, encoding, RECORDS)
    redacted = assemble_rows(redact_capture(source, encoding, RECORDS))
    assert redacted.keys() == plain.keys()
    wrong: dict[str, int] = defaultdict(int)
    users = set()
    for trace_id, trace in plain.items():
        ours = dict(cells(redacted[trace_id]))
        for name, value in cells(trace):
            wrong[name] += ours.get(name) != value
        if trace.row is not None and redacted[trace_id].row is not None:
            users.add((trace.row["user_id"], (redacted[trace_id].row or {})["user_id"]))
    assert {name: count for name, count in wrong.items() if count} == {}
    known = {pair for pair in users if None not in pair}
    assert len({person for person, _ in known}) == len({stand for _, stand in known}) == len(known)
    assert all((person is None) == (stand is None) for person, stand in users)
    assert all(person != stand for person, stand in known)


@pytest.mark.parametrize(("source", "encoding"), short(CAPTURES[:4], CAPTURES[:1]))
def test_the_content_of_calls_is_still_comparable(source: str, encoding: str) -> None:
    """Calls that had the same content have it after redaction, and no others."""
    plain = assemble_plain(source, encoding, RECORDS)
    redacted = assemble_rows(redact_capture(source, encoding, RECORDS))
    pairs = {
        (one.content, other.content)
        for trace_id, trace in plain.items()
        if trace.account is not None and (account := redacted[trace_id].account) is not None
        for one, other in zip(trace.account.calls, account.calls, strict=True)
    }
    assert len({before for before, _ in pairs}) == len(pairs)
    assert None not in {after for _, after in pairs}
