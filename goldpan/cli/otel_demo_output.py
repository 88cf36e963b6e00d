"""Output of the demo with OpenTelemetry traffic, as text and as JSON."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from goldpan.cli.plain_console import escape_controls
from goldpan.demo.otel_run import OtelOutcome


def otel_outcome_json(
    outcome: OtelOutcome, *, seconds: float, folder: str | None
) -> dict[str, Any]:
    """Return the outcome for a program."""
    return {
        "ok": outcome.report.ok,
        "seconds": round(seconds, 1),
        "folder": folder,
        "records": dict(outcome.records),
        "otel_spans": dict(sorted(outcome.items.items())),
        "traces": outcome.traces,
        "traces_ok": outcome.ok,
        "traces_with_tools": outcome.with_tools,
        "incomplete": dict(sorted(outcome.incomplete.items())),
        "feedback": outcome.feedback,
        "labels": dict(sorted(outcome.labels.items())),
        "quarantined": outcome.quarantined,
        "example": dict(outcome.example),
    }


def show_otel_outcome(console: Console, outcome: OtelOutcome) -> None:
    """Print the way from records to labels."""
    records, items = sum(outcome.records.values()), sum(outcome.items.values())
    console.print("Captured OpenTelemetry traffic, from Kafka to labels", style="bold")
    console.print(f"  {records} records ({_list(outcome.records)})")
    console.print(f"  {items} rows of otel_spans ({_list(outcome.items)})")
    console.print(
        f"  {outcome.traces} traces, {outcome.ok} ok, {outcome.with_tools} with tools, "
        f"{outcome.quarantined} items in quarantine"
    )
    if outcome.incomplete:
        console.print(f"  incomplete: {_list(outcome.incomplete)}")
    console.print(f"  {outcome.feedback} feedback, labels: {_list(outcome.labels) or 'none'}")
    if outcome.example:
        console.print()
        console.print("A turn as it is stored", style="bold")
        for name in ("user", "response"):
            console.print(f"  {name}: {_shorten(outcome.example[name])}", markup=False)
        console.print(f"  tools: {', '.join(outcome.example['tools'])}", markup=False)
    console.print()
    sound = "the ledger accounts for every item" if outcome.report.ok else "the lake is not sound"
    console.print(f"lake verify: {sound}")


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _shorten(value: Any) -> str:
    text = escape_controls(str(value)).replace("\n", " ")
    return text if len(text) <= 160 else f"{text[:160]}…"
