"""Shows one trace of `goldpan otel explain`: from files, or from its spans in the lake."""

from typing import Any

from rich.console import Console

from assembly.lake_explanation import LakeExplanation, explain_trace
from assembly.trace_assembler import TraceAssembler
from goldpan import wiring
from goldpan.cli.context import CliContext
from goldpan.cli.formatting import format_quantity
from goldpan.cli.plain_console import escape_controls
from goldpan.otel_setup import make_assembly_rules
from lake.tables import Lake
from otel.assembly import AssembledTrace
from otel.explanation import describe_trace, explain_incomplete, missing_fields
from otel.missing_content import name_content_setting
from schemas.errors import UsageError


def explain_stored_trace(cli: CliContext, trace_id: str, *, content: bool) -> None:
    """Answer with the explanation of a trace of the lake; UsageError if it has no span of it."""
    lake = Lake(cli.settings.lake)
    assembler = TraceAssembler(make_assembly_rules(cli.settings))
    found = wiring.make_retry().call(
        "reading the spans", lambda: explain_trace(lake, trace_id, assembler)
    )
    if found is None:
        raise UsageError(
            f"{trace_id} is not a file here, and the lake has no span of a trace with this id"
        )
    stored = None
    if found.stored is not None:
        stored = {
            "revision": found.stored.revision,
            "duplicate_of": found.stored.duplicate_of,
        }
    data: dict[str, Any] = {
        "ok": True,
        **describe_trace(found.trace, content=content),
        "stored_rows": found.rows,
        "records": list(found.places),
        "stored": stored,
    }
    cli.answer(data, lambda console: _show_stored(console, found, content=content))


def _show_stored(console: Console, found: LakeExplanation, *, content: bool) -> None:
    show_trace(console, found.trace, content=content)
    stored = found.stored
    state = "not in the lake yet" if found.trace.row is not None else "none"
    if stored is not None:
        state = f"revision {stored.revision}"
        if stored.duplicate_of is not None:
            state += f", repeats {escape_controls(stored.duplicate_of)}"
    console.print(
        f"row in traces: {state}; {format_quantity(found.rows, 'row')} of otel_spans from "
        f"{format_quantity(len(found.places), 'record')}"
    )


def show_trace(console: Console, trace: AssembledTrace, *, content: bool) -> None:
    """Print where each field of a trace comes from, and what is missing."""
    dialects = ", ".join(trace.dialects) or "no dialect"
    outcome = "a row" if trace.row is not None else f"no row: {trace.reason}"
    name = escape_controls(trace.trace_id)
    console.print(f"{name}  {format_quantity(trace.span_count, 'span')}, {dialects}: {outcome}")
    for field, origin in sorted(trace.origins.items()):
        value = f"  {_shorten(trace.row[field])}" if content and trace.row is not None else ""
        place = escape_controls(f"{origin.place} (span {origin.span_id})")
        console.print(f"  {field:16} {place}{value}")
    missing = missing_fields(trace)
    if missing:
        console.print(f"  {'not exported':16} {', '.join(missing)}")
    if not trace.has_content:
        settings = name_content_setting(trace.dialects)
        console.print(f"  {'no texts':16} no model call has any; switch them on: {settings}")
    for reason in trace.incomplete:
        console.print(f"  {'incomplete':16} {reason}: {explain_incomplete(reason)}")


def _shorten(value: Any) -> str:
    text = escape_controls(str(value))
    return text if len(text) <= 200 else f"{text[:200]}…"
