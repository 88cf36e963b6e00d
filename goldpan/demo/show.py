"""The demo's result, for a person and for a machine."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from goldpan.cli.figures import bytes_text, count_text
from goldpan.cli.lake_verify import show_report
from goldpan.demo.outcome import Example, Outcome
from redact.pseudonyms import PLACEHOLDER

LONGEST_FIELD: Final = 600


def as_json(outcome: Outcome, *, seconds: float, kept: str | None) -> dict[str, Any]:
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


def show(console: Console, outcome: Outcome) -> None:
    """Print the result."""
    _title(console, "From Kafka into the lake")
    console.print(_flow(outcome))
    _title(console, "Set aside, each with its reason (and without its content)")
    console.print(_refused(outcome))
    _title(console, "Personal data found and replaced")
    console.print(_found(outcome))
    _title(console, "What the answers were worth, by what was said about them")
    console.print(_judged(outcome))
    if outcome.example:
        _title(console, "One trace, as it was sent and as it is stored (the customer is invented)")
        console.print(_example(outcome.example))
    _title(console, "goldpan lake verify")
    show_report(console, outcome.report)


def _title(console: Console, text: str) -> None:
    console.print()
    console.print(text, style="bold")


def _flow(outcome: Outcome) -> Table:
    tables = {facts.name: facts for facts in outcome.tables}
    stored = tables["traces"].rows + tables["feedback"].rows
    size = sum(facts.bytes for facts in outcome.tables)
    formats = ", ".join(f"{count_text(n)} {name}" for name, n in outcome.formats.items())
    sent = " + ".join(f"{count_text(n)} {topic}" for topic, n in outcome.sent.items())
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_row("records sent", f"{count_text(sum(outcome.sent.values()))}  ({sent})")
    grid.add_row("", f"good ones as {formats}")
    grid.add_row("stored", count_text(stored))
    grid.add_row("quarantined", count_text(tables["quarantine"].rows))
    files = sum(facts.files for facts in outcome.tables)
    grid.add_row("files", f"{count_text(files)}, {bytes_text(size)}")
    wait = outcome.seconds
    if wait:
        told = (
            f"half within {wait['p50']} s, 95 % within {wait['p95']} s, all within {wait['max']} s"
        )
        grid.add_row("sent to queryable", told)
    return grid


def _refused(outcome: Outcome) -> Table:
    table = Table("sent on purpose", "reason", "what quarantine says", box=box.SIMPLE_HEAD)
    for one in sorted(outcome.refused, key=lambda one: one.reason):
        table.add_row(one.broken, one.reason, one.detail)
    return table


def _found(outcome: Outcome) -> Table:
    table = Table("type", "values", "occurrences", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in outcome.found:
        table.add_row(one.type, count_text(one.values), count_text(one.occurrences))
    return table


def _judged(outcome: Outcome) -> Table:
    table = Table("signals", "label", "p(fail)", "goes to", "traces", box=box.SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify = "right"
    for one in outcome.judged:
        signals = ", ".join(one.signals) or "none: drawn at random"
        where = "nobody" if one.route == "auto" else one.route
        numbers = (f"{one.p_fail:.2f}", where, count_text(one.traces))
        table.add_row(signals, one.label, *numbers)
    return table


def _example(example: Example) -> Table:
    table = Table("field", "sent", "stored", box=box.SIMPLE_HEAD, show_lines=True)
    for column in table.columns[1:]:
        column.overflow = "fold"
        column.ratio = 1
    for name in example.before:
        table.add_row(name, *(_field(side, name) for side in (example.before, example.after)))
    return table


def _field(side: Mapping[str, Any], name: str) -> Text:
    value = str(side[name])
    cut = value if len(value) <= LONGEST_FIELD else value[:LONGEST_FIELD] + " …"
    text = Text(cut)
    text.highlight_regex(PLACEHOLDER, "green")
    return text
