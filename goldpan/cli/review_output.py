"""Output of review items, as text and as JSON."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.rule import Rule

from batch.reviews.answer_service import ClaimedAnswer
from batch.reviews.queue_service import ClaimedItem
from batch.reviews.review_context import ContextRow, ReviewContext
from batch.reviews.review_export import segment_json
from goldpan.cli.formatting import format_time
from goldpan.cli.plain_console import escape_controls, styled
from schemas.times import format_rfc3339, from_micros
from schemas.trace_in_force import IN_FORCE_COLUMNS

QUESTION: Final = "Was the answer good (pass) or bad (fail)? If you cannot say: unknown."
_MAX_CHARACTERS: Final = 2_000
"""Characters of one text shown to a person; ``--json`` has all of them."""


def item_json(
    claimed: ClaimedItem, context: ReviewContext | None, *, blind: bool
) -> dict[str, Any]:
    """Return an item with its context; ``blind`` omits what could bias the reviewer.

    ``context`` is None if the records are no longer in the lake, for example erased.
    """
    item, context = claimed.item, context or ReviewContext({"evidence": []})
    neutral = {
        "trace_id": item.trace_id,
        "claimed_until": format_rfc3339(from_micros(claimed.until)),
        "deadline": format_rfc3339(from_micros(item.deadline)),
        "segment": segment_json(item.segment),
        "asked": QUESTION,
        "conversation": None if context.trace is None else _conversation(context.trace),
    }
    if blind:
        return neutral
    return {
        **neutral,
        "arm": item.arm,
        "p_fail": item.p_fail,
        "signals": context.label["evidence"],
        "feedback": [_json_values(row) for row in context.feedback],
    }


def answer_json(claimed: ClaimedAnswer) -> dict[str, Any]:
    """Return an answer of a candidate: what it was given to, and what is asked about it.

    Nothing says whose answer it is, or what a judge says of it.
    """
    return {
        "answer_id": claimed.answer.answer_id,
        "claimed_until": format_rfc3339(from_micros(claimed.until)),
        "metric": claimed.answer.metric,
        "asked": claimed.texts.asked,
        "conversation": claimed.texts.shown(),
    }


def show_item(console: Console, data: Mapping[str, Any]) -> None:
    """Print an item: the conversation, the feedback, and the question."""
    is_answer = "answer_id" in data
    title = f"an answer: {data['metric']}" if is_answer else data["trace_id"]
    console.print(Rule(escape_controls(title), align="left"))
    segments = data.get("segment", {})
    segment = ", ".join(f"{k}={v}" for k, v in segments.items() if v is not None)
    until = format_time(datetime.fromisoformat(data["claimed_until"]))
    console.print(f"{segment}  claimed until {until}".strip(), style="dim", markup=False)
    if data["conversation"] is None:
        console.print("the trace is not in the lake: there is no conversation to show")
    else:
        _show_conversation(console, data["conversation"])
        if is_answer and not data["conversation"]["response"]:
            console.print("there is no text in this answer")
    for row in data.get("feedback", []):
        text = " ".join(str(row[k]) for k in ("value", "comment") if row[k] is not None)
        _show_text(console, f"{row['actor']} {row['kind']}", text, style="magenta")
        if row["corrected_response"]:
            _show_text(console, "corrected answer", row["corrected_response"], style="magenta")
    if data.get("signals"):
        _show_text(console, "signals", "; ".join(_signals(data["signals"])), style="cyan")
    console.print()
    console.print(data["asked"], style="bold", markup=False)
    command = (
        f"goldpan review submit --answer-id {data['answer_id']} --verdict pass|fail"
        if is_answer
        else submit_command(data["trace_id"])
    )
    console.print(command, style="dim", soft_wrap=True)


def submit_command(trace_id: str) -> str:
    """Return the shell command that submits a review of an item, with its id quoted."""
    quoted = shlex.quote(trace_id)
    if trace_id.startswith("-"):
        return f"goldpan review submit --verdict pass|fail -- {quoted}"
    return f"goldpan review submit {quoted} --verdict pass|fail"


def _signals(evidence: Iterable[ContextRow]) -> list[str]:
    """Return kinds and weights of evidence: log-odds of fail, + towards fail."""
    return [f"{item['kind']} {item['weight']:+.1f}" for item in evidence if item["weight"]] or [
        "none"
    ]


def _conversation(trace: ContextRow) -> dict[str, Any]:
    hidden = {"segments", "app", *IN_FORCE_COLUMNS}
    return _json_values({name: value for name, value in trace.items() if name not in hidden})


def _json_values(row: ContextRow) -> dict[str, Any]:
    return {k: format_rfc3339(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _show_conversation(console: Console, trace: Mapping[str, Any]) -> None:
    for message in trace["messages"] or []:
        if message["content"]:
            _show_text(console, message["role"], message["content"])
        for call in message["tool_calls"] or []:
            _show_text(console, f"{message['role']} calls {call['name']}", call["arguments"])
    for document in trace["retrieved"] or []:
        _show_text(console, f"retrieved {document['document_id']}", document["text"] or "")
    for call in trace["tool_calls"] or []:
        _show_text(console, f"tool {call['name']}", f"{call['arguments']} → {_result(call)}")
    if trace["response"]:
        _show_text(console, "answer", trace["response"], style="bold green")
    if trace.get("status", "ok") != "ok":
        error = ": ".join(t for t in (trace["error_type"], trace["error_message"]) if t)
        _show_text(console, "error", error, style="red")


def _result(call: Mapping[str, Any]) -> str:
    return str(call["error"] or call["result"] or "")


def _show_text(console: Console, speaker: str, text: str, style: str = "blue") -> None:
    rest = len(text) - _MAX_CHARACTERS
    shown = text if rest <= 0 else f"{text[:_MAX_CHARACTERS]}… ({rest:,} more characters)"
    console.print(styled(style, speaker, f": {shown}"), soft_wrap=True)
