"""An item of the review queue, as a person reads it."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.rule import Rule

from batch.reviews.queue_service import ClaimedItem
from batch.reviews.review_context import ContextRow, ReviewContext
from batch.reviews.review_export import rfc3339, segment_json
from goldpan.cli.plain_console import escape_controls, styled

QUESTION: Final = "Was the answer good (pass) or bad (fail)? If it cannot be told: unknown."
_LONG: Final = 2_000
"""Characters of one text that are shown to a person; ``--json`` has them all."""


def item_json(handed: ClaimedItem, sight: ReviewContext | None, *, blind: bool) -> dict[str, Any]:
    """Return an item with all there is to see; ``blind`` leaves out what makes one expect.

    ``sight`` is None where the records are gone by now (erased, say).
    """
    item, sight = handed.item, sight or ReviewContext({"evidence": []})
    plain = {
        "trace_id": item.trace_id,
        "claimed_until": rfc3339(handed.until),
        "deadline": rfc3339(item.deadline),
        "segment": segment_json(item.segment),
        "asked": QUESTION,
        "conversation": None if sight.trace is None else _conversation(sight.trace),
    }
    if blind:
        return plain
    return {
        **plain,
        "arm": item.arm,
        "p_fail": item.p_fail,
        "signals": sight.label["evidence"],
        "feedback": [_plain(row) for row in sight.feedback],
    }


def show_item(console: Console, data: Mapping[str, Any]) -> None:
    """Print an item: the conversation, what was said of it, what is asked."""
    console.print(Rule(escape_controls(data["trace_id"]), align="left"))
    segment = ", ".join(f"{k}={v}" for k, v in data["segment"].items() if v is not None)
    console.print(f"{segment}  until {data['claimed_until']}", style="dim", markup=False)
    if data["conversation"] is None:
        console.print("the trace itself has not come: there is no conversation to show")
    else:
        _show_conversation(console, data["conversation"])
    for row in data.get("feedback", []):
        said = " ".join(str(row[k]) for k in ("value", "comment") if row[k] is not None)
        _say(console, f"{row['actor']} {row['kind']}", said, style="magenta")
        if row["corrected_response"]:
            _say(console, "as it should have been", row["corrected_response"], style="magenta")
    if data.get("signals"):
        _say(console, "signals", "; ".join(_signals(data["signals"])), style="cyan")
    console.print()
    console.print(data["asked"], style="bold")
    console.print(submit_command(data["trace_id"]), style="dim", soft_wrap=True)


def submit_command(trace_id: str) -> str:
    """Return the command that answers an item, to be copied into a shell whatever its id is."""
    named = shlex.quote(trace_id)
    if trace_id.startswith("-"):
        return f"goldpan review submit --verdict pass|fail -- {named}"
    return f"goldpan review submit {named} --verdict pass|fail"


def _signals(evidence: Iterable[ContextRow]) -> list[str]:
    """Return the weights in words: log-odds of fail, + towards fail."""
    return [f"{one['kind']} {one['weight']:+.1f}" for one in evidence if one["weight"]] or ["none"]


def _conversation(trace: ContextRow) -> dict[str, Any]:
    hidden = {"trace_id", "_offset", "segments", "app"}
    return _plain({name: value for name, value in trace.items() if name not in hidden})


def _plain(row: ContextRow) -> dict[str, Any]:
    return {k: _time(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _show_conversation(console: Console, trace: Mapping[str, Any]) -> None:
    for message in trace["messages"] or []:
        if message["content"]:
            _say(console, message["role"], message["content"])
        for call in message["tool_calls"] or []:
            _say(console, f"{message['role']} calls {call['name']}", call["arguments"])
    for document in trace["retrieved"] or []:
        _say(console, f"retrieved {document['document_id']}", document["text"] or "")
    for call in trace["tool_calls"] or []:
        _say(console, f"tool {call['name']}", f"{call['arguments']} → {_result(call)}")
    if trace["response"]:
        _say(console, "answer", trace["response"], style="bold green")
    if trace["status"] != "ok":
        what = ": ".join(t for t in (trace["error_type"], trace["error_message"]) if t)
        _say(console, "error", what, style="red")


def _result(call: Mapping[str, Any]) -> str:
    return str(call["error"] or call["result"] or "")


def _say(console: Console, who: str, text: str, style: str = "blue") -> None:
    cut = text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text) - _LONG} more characters)"
    console.print(styled(style, who, f": {cut}"), soft_wrap=True)
