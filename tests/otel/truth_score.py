"""Compares assembled rows with the truth, cell by cell, and writes the tables of docs/otel.md.

``python -m tests.otel.truth_score docs/otel.md`` writes them into the page.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from otel.dialect_table import render_dialect_tables
from otel.json_documents import parse_json
from tests.otel.captures import CAPTURES, assemble_capture, read_traces, read_truth

CONTENT_KEYS: Final = (
    "messages",
    "input",
    "output",
    "prompt",
    "completion",
    "choice",
    "tool",
    "args",
    "result",
    "spanInputs",
    "spanOutputs",
    "traceInputs",
    "traceOutputs",
    "inputs",
    "outputs",
    "body",
    "retrieval",
)
"""Parts of keys that hold content: an id that stands only there was not exported as a field."""

REASONS: Final[Mapping[tuple[str, str], str]] = {
    (
        "openinference_langchain_0.1.80",
        "model_requested",
    ): "a fallback after a failed call: the truth names the model of the first call",
}


@dataclass(frozen=True)
class Cell:
    """A value of the truth beside the value of the row."""

    source: str
    encoding: str
    field: str
    conversation: str
    turn: int
    expected: Any
    actual: Any
    exported: bool = True

    @property
    def matches(self) -> bool:
        """Whether both are equal."""
        return bool(self.expected == self.actual)


def compare_all() -> list[Cell]:
    """Return the cells of all captures."""
    return [
        cell
        for source, encoding in CAPTURES
        for cell in compare_rows(source, encoding, _assembled_rows(source, encoding))
    ]


def _assembled_rows(source: str, encoding: str) -> dict[str, Mapping[str, Any]]:
    traces = assemble_capture(source, encoding)
    return {trace_id: trace.row for trace_id, trace in traces.items() if trace.row is not None}


def compare_rows(
    source: str, encoding: str, rows: Mapping[str, Mapping[str, Any]]
) -> Iterator[Cell]:
    """Yield the cells of a source beside those of rows of traces, by trace id."""
    for turn in read_truth():
        if turn["source"] == source:
            yield from _compare(source, encoding, turn, rows)


def _compare(
    source: str, encoding: str, turn: Mapping[str, Any], traces: Mapping[str, Mapping[str, Any]]
) -> Iterator[Cell]:
    found = (traces.get(trace_id) for trace_id in turn["all_trace_ids"])
    rows = sorted((row for row in found if row is not None), key=lambda row: row["started_at"])
    if not rows:
        yield Cell(source, encoding, "row", turn["conversation"], turn["turn"], "a row", None)
        return
    for field, expected, actual in _values(turn, rows):
        exported = expected == actual or _is_exported(source, encoding, turn, field, expected)
        yield Cell(
            source, encoding, field, turn["conversation"], turn["turn"], expected, actual, exported
        )


def _values(
    turn: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Any, Any]]:
    wire, last = turn["on_wire"], rows[-1]
    chat = [call for call in turn["calls"] if call["kind"] == "chat"][-1]
    yield "session", turn["session_id"], last["session_id"]
    yield "user", turn["user_id"], last["user_id"]
    yield "prompt version", turn["prompt"]["version"], last["prompt_version"]
    if wire["user_message"]:
        said = [m["content"] for m in last["messages"] if m["role"] == "user"]
        yield "user message", turn["user_message"], said[-1] if said else None
    if wire["final_response"]:
        yield "final response", turn.get("final_response") or "", last["response"] or ""
    yield "status", turn["status"], last["status"]
    if turn.get("error"):
        yield "error", turn["error"]["type"], last["error_type"]
    if wire["model_requested"]:
        yield "model_requested", chat["model_requested"], last["model_requested"]
    if wire["model_served"] and chat.get("model_served"):
        yield "model_served", chat["model_served"], last["model_version"]
    if wire["usage"]:
        totals = turn["totals"]
        yield (
            "tokens",
            [totals["prompt"], totals["completion"]],
            [sum(row[name] or 0 for row in rows) for name in ("input_tokens", "output_tokens")],
        )
    if turn["mode"] != "bare":  # the tools and documents of bare turns are traces of their own
        yield from _lists(turn, last)


def _lists(turn: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    tools, ran = turn["tool_results"], row["tool_calls"]
    if turn["on_wire"]["tool_args"]:
        yield (
            "tool arguments",
            [[t["name"], t["arguments"]] for t in tools],
            [[t["name"], parse_json(t["arguments"])] for t in ran],
        )
    if turn["on_wire"]["tool_results"]:
        yield (
            "tool results",
            [[t.get("result"), t.get("error")] for t in tools],
            [[parse_json(t["result"]), t["error"]] for t in ran],
        )
    if turn["on_wire"]["retrieved"]:
        yield (
            "documents",
            [d["id"] for d in turn["retrieved"]],
            [d["document_id"] for d in row["retrieved"]],
        )


def _is_exported(
    source: str, encoding: str, turn: Mapping[str, Any], field: str, expected: Any
) -> bool:
    """Return whether a missed value is exported as a field in the spans of the turn itself.

    Identifiers count if an attribute that holds no content is equal to them. A user message
    counts if its own place holds it: of an image part only a reference was exported.
    """
    if field == "user message" and turn["has_image"]:
        return False
    if field not in {"session", "user", "prompt version"}:
        return True
    signals = read_traces(source, encoding)
    for trace_id in turn["all_trace_ids"]:
        for span in signals[trace_id].spans if trace_id in signals else ():
            for key, value in span.attributes.items():
                if any(part in key for part in CONTENT_KEYS) and "prompt" not in field:
                    continue
                if expected in _scalars(key, value, field):
                    return True
    return False


def _scalars(key: str, value: Any, field: str) -> Iterator[Any]:
    document = parse_json(value)
    if field == "prompt version" and "version" not in key:
        return
    stack = [document]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        else:
            yield item


def counted(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells that count: those whose value is exported in the trace itself."""
    return [cell for cell in cells if cell.exported]


def render_score(cells: Sequence[Cell]) -> str:
    """Return the table of fields with their score, and the table of missed cells."""
    totals: dict[str, Counter[bool]] = defaultdict(Counter)
    for cell in counted(cells):
        totals[cell.field][cell.matches] += 1
    lines = ["| field | cells that count | equal to the truth |", "|---|---|---|"]
    for field, count in totals.items():
        share = count[True] / count.total()
        lines.append(f"| {field} | {count.total()} | {share:.1%} |")
    lines += ["", "| missed cell | source | cells | reason |", "|---|---|---|---|"]
    missed: Counter[tuple[str, str, str]] = Counter()
    for cell in cells:
        if not cell.matches:
            missed[(cell.field, f"{cell.source}, {cell.encoding}", _reason(cell))] += 1
    for (field, source, reason), number in sorted(missed.items()):
        lines.append(f"| {field} | `{source}` | {number} | {reason} |")
    return "\n".join(lines) + "\n"


def _reason(cell: Cell) -> str:
    if cell.exported:
        return REASONS[cell.source, cell.field]
    if cell.field == "user message":
        return "does not count: the message has an image, and its parts were exported empty"
    return "does not count: the spans of the turn do not say it"


def render_page(page: str) -> str:
    """Return the page with its generated sections written again."""
    sections = {"dialects": render_dialect_tables(), "score": render_score(compare_all())}
    for name, text in sections.items():
        start, end = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->\n"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE = Path(sys.argv[1])
    PAGE.write_text(render_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(json.dumps([asdict(c) for c in compare_all() if not c.matches and c.exported]))
