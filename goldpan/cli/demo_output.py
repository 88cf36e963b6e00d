"""Output of the demo, as text and as JSON."""

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from goldpan.cli.demo_gate_output import gate_outcome_json, show_gate_outcome
from goldpan.cli.formatting import format_bytes, format_count, format_quantity
from goldpan.cli.lake_verify import show_report
from goldpan.demo.judged_month import MonthOutcome
from goldpan.demo.outcome import DemoOutcome, RedactionExample
from judges.outcome import OUTCOMES
from redact.crypto.pseudonyms import PLACEHOLDER

MAX_CHARACTERS: Final = 300
MAX_FIELDS: Final = 9


def outcome_json(outcome: DemoOutcome, *, seconds: float, folder: str | None) -> dict[str, Any]:
    """Return the result as one JSON object."""
    return {
        "ok": outcome.report.ok,
        "seconds": round(seconds, 1),
        "kept": folder,
        "sent": dict(outcome.sent),
        "formats": dict(outcome.formats),
        "tables": {
            facts.name: {"rows": facts.rows, "files": facts.files, "bytes": facts.bytes}
            for facts in outcome.tables
        },
        "quarantined": [dataclasses.asdict(record) for record in outcome.quarantined],
        "findings": [dataclasses.asdict(count) for count in outcome.placeholders],
        "labels": [dataclasses.asdict(group) for group in outcome.labels],
        "month": _month_json(outcome.month),
        "gate": gate_outcome_json(outcome.gate),
        "seconds_to_queryable": dict(outcome.seconds),
        "verify": outcome.report.to_json(),
        "example": dataclasses.asdict(outcome.example) if outcome.example else None,
    }


def _month_json(month: MonthOutcome) -> dict[str, Any]:
    return {
        **dataclasses.asdict(month),
        "first_day": month.first_day.isoformat(),
        "last_day": month.last_day.isoformat(),
    }


def show_outcome(console: Console, outcome: DemoOutcome) -> None:
    """Print the result: an example, labels, a judge, a gate, findings, counts, and the proof."""
    if outcome.example:
        _title(console, "One trace, as sent and as stored (the customer is fictitious)")
        console.print(*_example_table(outcome.example), sep="\n")
    _title(console, "Labels of the answers, by the feedback on them")
    console.print(_label_table(outcome))
    _title(console, "How many tasks were done? A judge's word, and what reviewers make of it")
    show_month(console, outcome.month)
    _title(console, "Does a candidate ship? A golden set of the month, and a gate")
    show_gate_outcome(console, outcome.gate)
    _title(console, "Personal data found and replaced, in what was sent in real time")
    console.print(_placeholder_table(outcome))
    _title(console, "From Kafka into the lake")
    console.print(_record_table(outcome))
    console.print()
    console.print(_quarantine_text(outcome))
    _title(console, "The proof: goldpan lake verify")
    show_report(console, outcome.report)


def show_month(console: Console, month: MonthOutcome) -> None:
    """Print which share of a month's tasks was done: as judged, as corrected, and in truth."""
    drawn, *others = (format_count(month.outcomes[name]) for name in ("drawn", *OUTCOMES))
    words = [f"{n} {name.replace('_', ' ')}" for n, name in zip(others, OUTCOMES, strict=True)]
    console.print(
        f"{drawn} conversations of a month: {month.conversations} real ones, each on {month.days} "
        "days under other ids."
    )
    console.print("A small model judges each one, by weights that never saw its task:")
    console.print(f"  {', '.join(words)}")
    console.print(
        f"Simulated reviewers, who know the outcome, see {format_count(month.reviews)} of them, "
        "drawn at random."
    )
    table = Table("share of tasks done", "", "95 % interval", "", box=box.SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for name, share in (
        ("by the judge, pass of pass and fail", month.naive),
        ("by the judge and the reviews", month.corrected),
    ):
        verdict = "holds the truth" if share.contains(month.truth) else "misses the truth"
        interval = f"{share.low:.1%} to {share.high:.1%}"
        table.add_row(name, f"{share.estimate:.1%}", interval, verdict)
    table.add_row("in truth, which a demo knows", f"{month.truth:.1%}", "", "")
    console.print(table)
    worth = format_quantity(round(month.worth_in_reviews), "review")
    console.print(f"Without the judge it would take {worth} to be as sure.")


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _record_table(outcome: DemoOutcome) -> Table:
    tables = {facts.name: facts for facts in outcome.tables}
    stored = tables["traces"].rows + tables["feedback"].rows
    size = sum(facts.bytes for facts in outcome.tables)
    formats = ", ".join(f"{format_count(n)} {name}" for name, n in outcome.formats.items())
    topics = " + ".join(f"{format_count(n)} {topic}" for topic, n in outcome.sent.items())
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_row("records sent", f"{format_count(sum(outcome.sent.values()))} ({topics})")
    grid.add_row("formats", formats)
    grid.add_row("stored", format_count(stored))
    quarantined = format_count(tables["quarantine"].rows)
    grid.add_row("quarantined", f"{quarantined}, broken on purpose")
    files = sum(facts.files for facts in outcome.tables)
    grid.add_row("files", f"{format_count(files)}, {format_bytes(size)}")
    if delay := outcome.seconds:
        text = f"half within {delay['p50']} s, all within {delay['max']} s (sent in real time)"
        grid.add_row("sent to queryable", text)
    return grid


def _quarantine_text(outcome: DemoOutcome) -> str:
    """Return a sentence with the number of quarantined records by reason."""
    reasons = Counter(record.reason for record in outcome.quarantined)
    counts = ", ".join(f"{reason} {format_count(n)}" for reason, n in sorted(reasons.items()))
    return f"Each quarantined record has a reason (goldpan quarantine list): {counts}"


def _placeholder_table(outcome: DemoOutcome) -> Table:
    table = Table("type", "values", "occurrences", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for count in outcome.placeholders:
        table.add_row(count.type, format_count(count.values), format_count(count.occurrences))
    return table


def _label_table(outcome: DemoOutcome) -> Table:
    table = Table("signals", "label", "p(fail)", "queue", "traces", box=box.SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify = "right"
    for group in outcome.labels:
        signals = ", ".join(group.signals) or "none: sampled at random"
        queue = "-" if group.route == "auto" else group.route
        cells = (f"{group.p_fail:.2f}", queue, format_count(group.traces))
        table.add_row(signals, group.label, *cells)
    return table


def _example_table(example: RedactionExample) -> tuple[Table, str]:
    table = Table("field", "sent", "stored", box=box.SIMPLE_HEAD)
    for column, ratio in zip(table.columns[1:], (2, 3), strict=True):
        column.overflow = "fold"
        column.ratio = ratio
    before, after = (dict(_leaves(side)) for side in (example.before, example.after))
    changed = [name for name, value in before.items() if after.get(name) != value]
    for name in changed[:MAX_FIELDS]:
        table.add_row(_short(name), _field(before[name]), _field(after.get(name, "")))
    rest = len(changed) - MAX_FIELDS
    more = f"{format_quantity(rest, 'more field')} replaced, " if rest > 0 else ""
    return (table, f"{more}{format_quantity(len(before) - len(changed), 'field')} unchanged")


def _short(name: str) -> str:
    """Shorten the name of a field for a narrow column."""
    for long, short in (("the customer's ", ""), ("the tool's arguments", "tool input")):
        name = name.replace(long, short)
    return name.replace("the tool's result", "tool output")


def _leaves(side: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a trace; JSON in a field is split into its leaves."""
    for name, value in side.items():
        try:
            document = json.loads(value)
        except ValueError:
            document = value
        yield from _flatten(name, document)


def _flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _flatten(f"{name}: {key}" if ":" not in name else f"{name}.{key}", child)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _flatten(f"{name}[{index}]", child)
    else:
        yield name, str(value)


def _field(value: str) -> Text:
    shown = value if len(value) <= MAX_CHARACTERS else value[:MAX_CHARACTERS] + " …"
    text = Text(shown)
    text.highlight_regex(PLACEHOLDER, "green")
    return text
