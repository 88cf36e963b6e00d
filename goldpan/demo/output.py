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

from goldpan.cli.formatting import format_bytes, format_count
from goldpan.cli.lake_verify import show_report
from goldpan.demo.outcome import DemoOutcome, RedactionExample
from redact.crypto.pseudonyms import PLACEHOLDER

LONGEST_FIELD: Final = 300
MOST_FIELDS: Final = 9


def outcome_json(outcome: DemoOutcome, *, seconds: float, kept: str | None) -> dict[str, Any]:
    """Return the result as one JSON object."""
    return {
        "ok": outcome.report.ok,
        "seconds": round(seconds, 1),
        "kept": kept,
        "sent": dict(outcome.sent),
        "formats": dict(outcome.formats),
        "tables": {
            facts.name: {"rows": facts.rows, "files": facts.files, "bytes": facts.bytes}
            for facts in outcome.tables
        },
        "quarantined": [dataclasses.asdict(one) for one in outcome.refused],
        "findings": [dataclasses.asdict(one) for one in outcome.found],
        "labels": [dataclasses.asdict(one) for one in outcome.judged],
        "seconds_to_queryable": dict(outcome.seconds),
        "verify": outcome.report.to_json(),
        "example": dataclasses.asdict(outcome.example) if outcome.example else None,
    }


def show_outcome(console: Console, outcome: DemoOutcome) -> None:
    """Print the result: an example, labels, findings, counts, and the proof."""
    if outcome.example:
        _title(console, "One trace, as sent and as stored (the customer is fictitious)")
        console.print(*_example(outcome.example), sep="\n")
    _title(console, "Labels of the answers, by the feedback on them")
    console.print(_judged(outcome))
    _title(console, "Personal data found and replaced")
    console.print(_found(outcome))
    _title(console, "From Kafka into the lake")
    console.print(_flow(outcome))
    console.print()
    console.print(_refused(outcome))
    _title(console, "The proof: goldpan lake verify")
    show_report(console, outcome.report)


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _flow(outcome: DemoOutcome) -> Table:
    tables = {facts.name: facts for facts in outcome.tables}
    stored = tables["traces"].rows + tables["feedback"].rows
    size = sum(facts.bytes for facts in outcome.tables)
    formats = ", ".join(f"{format_count(n)} {name}" for name, n in outcome.formats.items())
    sent = " + ".join(f"{format_count(n)} {topic}" for topic, n in outcome.sent.items())
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_row("records sent", f"{format_count(sum(outcome.sent.values()))} ({sent})")
    grid.add_row("", f"good ones as {formats}")
    grid.add_row("stored", format_count(stored))
    grid.add_row("set aside", f"{format_count(tables['quarantine'].rows)}, broken on purpose")
    files = sum(facts.files for facts in outcome.tables)
    grid.add_row("files", f"{format_count(files)}, {format_bytes(size)}")
    wait = outcome.seconds
    if wait:
        told = f"half of them within {wait['p50']} s, all within {wait['max']} s"
        grid.add_row("sent to queryable", told)
    return grid


def _refused(outcome: DemoOutcome) -> str:
    """Return a sentence with the number of quarantined records by reason."""
    reasons = Counter(one.reason for one in outcome.refused)
    told = ", ".join(f"{reason} {format_count(n)}" for reason, n in sorted(reasons.items()))
    return (
        "What was set aside has a reason each, and no word of its content (goldpan quarantine "
        f"list): {told}"
    )


def _found(outcome: DemoOutcome) -> Table:
    table = Table("type", "values", "occurrences", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in outcome.found:
        table.add_row(one.type, format_count(one.values), format_count(one.occurrences))
    return table


def _judged(outcome: DemoOutcome) -> Table:
    table = Table("signals", "label", "p(fail)", "goes to", "traces", box=box.SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify = "right"
    for one in outcome.judged:
        signals = ", ".join(one.signals) or "none: drawn at random"
        where = "nobody" if one.route == "auto" else one.route
        numbers = (f"{one.p_fail:.2f}", where, format_count(one.traces))
        table.add_row(signals, one.label, *numbers)
    return table


def _example(example: RedactionExample) -> tuple[Table, str]:
    table = Table("field", "sent", "stored", box=box.SIMPLE_HEAD)
    for column, ratio in zip(table.columns[1:], (2, 3), strict=True):
        column.overflow = "fold"
        column.ratio = ratio
    before, after = (dict(_leaves(side)) for side in (example.before, example.after))
    changed = [name for name, value in before.items() if after.get(name) != value]
    for name in changed[:MOST_FIELDS]:
        table.add_row(_short(name), _field(before[name]), _field(after.get(name, "")))
    rest = len(changed) - MOST_FIELDS
    more = f"{rest} more fields are replaced, and " if rest > 0 else ""
    return (table, f"{more}{len(before) - len(changed)} fields are as they were")


def _short(name: str) -> str:
    """Shorten the name of a field for a narrow column."""
    for long, short in (("the customer's ", ""), ("the tool's arguments", "tool asked")):
        name = name.replace(long, short)
    return name.replace("the tool's result", "tool said")


def _leaves(side: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the fields of a trace; JSON in a field is split into its leaves."""
    for name, value in side.items():
        try:
            document = json.loads(value)
        except ValueError:
            document = value
        yield from _within(name, document)


def _within(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _within(f"{name}: {key}" if ":" not in name else f"{name}.{key}", one)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _within(f"{name}[{number}]", one)
    else:
        yield name, str(value)


def _field(value: str) -> Text:
    cut = value if len(value) <= LONGEST_FIELD else value[:LONGEST_FIELD] + " …"
    text = Text(cut)
    text.highlight_regex(PLACEHOLDER, "green")
    return text
