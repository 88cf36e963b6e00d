"""``goldpan import``: take exports of the tracing products into the lake, without Kafka."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from batch.trace_assembly.trace_reconciler import TraceReport, TraceRequest
from goldpan import jobs
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.plain_console import escape_controls
from goldpan.cli.progress import show_progress
from goldpan.import_setup import read_import_file, set_up_import
from otel.formats import SIGNAL_FORMATS, SignalFormat
from otel.open_traces import AssemblyTerms
from schemas.errors import UsageError
from stream.file_import import ImportReport


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file."""

    path: Path
    report: ImportReport


@click.command("import")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE...",
    help="The files, as JSON lines; may be compressed with gzip.",
)
@click.option(
    "--format",
    "signal_format",
    type=click.Choice(SIGNAL_FORMATS),
    required=True,
    help="The format of the files.",
)
@with_cli_context
def import_(cli: CliContext, *, files: tuple[Path, ...], signal_format: SignalFormat) -> None:
    """Take exports of a tracing product into the lake, and assemble their traces.

    A file has one record per line, as JSON: a body of the product's API, a trace, a run, a span, or
    a captured Kafka record (see `goldpan otel explain`). It may be compressed with gzip. Texts are
    redacted before anything is stored.

    A file is taken in once, by its content: a second import of it, also under another name, adds
    nothing. After a crash, run the same command again. Exit code 1 if records were set aside.

    \b
    Example:
      goldpan import --format langsmith runs.jsonl
      goldpan import --format otlp spans.jsonl.gz logs.jsonl.gz
    """
    outcomes, since = [], None
    importer = set_up_import(cli.settings, signal_format)
    opened = []
    for path in files:
        file = read_import_file(path)
        try:
            first = importer.find_first_day(file)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from None
        since = min((day for day in (first, since) if day is not None), default=None)
        opened.append((path, file))
    for path, file in opened:
        outcomes.append(FileOutcome(path, importer.run(file)))
    with show_progress(cli) as progress:
        job = jobs.set_up_trace_reconciler(cli.settings, terms=AssemblyTerms(0, 0, 0))
        traces = job.run(TraceRequest(since=since), progress)
    refused = sum(outcome.report.quarantined for outcome in outcomes)
    data = {
        "ok": not refused,
        "files": [_to_json(outcome) for outcome in outcomes],
        "traces": traces.to_json(),
    }
    cli.answer(data, lambda console: _show(console, outcomes, traces))
    if refused:
        raise click.exceptions.Exit(EXIT_NO)


def _to_json(outcome: FileOutcome) -> dict[str, Any]:
    report = outcome.report
    return {
        "file": str(outcome.path),
        "records": report.records,
        "imported_before": report.known,
        "stored": report.stored,
        "quarantined": report.quarantined,
        "dropped": dict(sorted(report.dropped.items())),
    }


def _show(console: Console, outcomes: Sequence[FileOutcome], traces: TraceReport) -> None:
    for outcome in outcomes:
        report = outcome.report
        name = escape_controls(str(outcome.path))
        if report.known == report.records:
            console.print(f"{name}: imported before, nothing to add")
            continue
        new = format_quantity(report.records - report.known, "record")
        console.print(
            f"{name}: {new}, {format_quantity(report.stored, 'row')} in otel_spans, "
            f"{report.quarantined} set aside, {sum(report.dropped.values())} dropped"
        )
    rows = traces.rows
    console.print(
        f"{format_quantity(traces.traces, 'trace')}: {rows['new']} new, {rows['revised']} revised, "
        f"{rows['unchanged']} unchanged, {sum(traces.without_row.values())} without a row"
    )
