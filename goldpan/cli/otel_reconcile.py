"""``goldpan otel reconcile``: assemble traces from all their spans, late ones included."""

from typing import Final

import click
from rich.console import Console

from batch.labels.trace_buckets import ScanExtent
from batch.trace_assembly.trace_reconciler import TraceReport, TraceRequest
from goldpan import jobs
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_quantity
from goldpan.cli.labels import with_extent
from goldpan.cli.progress import show_progress

_SHOWN: Final = 10  # refused rows; --json has all


@click.command()
@with_extent
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
@with_cli_context
def reconcile(cli: CliContext, *, extent: ScanExtent, dry_run: bool) -> None:
    """Assemble traces from all spans that the lake has of them, and write the rows that differ.

    The worker does so within GOLDPAN_ASSEMBLY__TERM_SECONDS of the last span of a trace. This takes
    in what comes later, and marks traces that repeat the calls of another one. Safe at any time,
    while workers run, and after a crash: over an unchanged lake it writes nothing. Run it every
    night, before `goldpan labels reconcile`.

    \b
    Example:
      goldpan otel reconcile --days 3
    """
    job = jobs.set_up_trace_reconciler(cli.settings)
    request = TraceRequest(since=extent.since, dry_run=dry_run)
    with show_progress(cli) as progress:
        report = job.run(request, progress)
    cli.answer({"ok": True, "dry_run": dry_run, **report.to_json()}, lambda c: _show(c, report))


def _show(console: Console, report: TraceReport) -> None:
    rows = report.rows
    console.print(
        f"{format_quantity(report.traces, 'trace')}: {rows['new']} new, {rows['revised']} revised, "
        f"{rows['unchanged']} unchanged"
    )
    if report.duplicates:
        console.print(f"{format_quantity(report.duplicates, 'trace')} repeat another one")
    if report.feedback:
        console.print(f"{format_quantity(report.feedback, 'row')} of feedback written")
    for reason, count in sorted(report.without_row.items()):
        console.print(f"  without a row: {count} ({reason})")
    for each in report.to_json()["refused_rows"][:_SHOWN]:
        console.print(f"  refused: trace {each['trace']} ({each['reason']}): {each['detail']}")
    for reason, count in sorted(report.feedback_refused.items()):
        console.print(f"  feedback refused: {count} ({reason})")
    if report.still_open:
        console.print(f"  still open, left to the worker: {report.still_open}")
