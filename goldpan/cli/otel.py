"""``goldpan otel``: see what becomes of the traces of OpenTelemetry and of the tracing products."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.otel_trace import explain_stored_trace, show_trace
from otel.assembly import AssembledTrace
from otel.capture_files import CaptureFileError, read_capture
from otel.explanation import (
    SignalsExplanation,
    describe_feedback,
    describe_trace,
    explain_signals,
)
from otel.formats import SIGNAL_FORMATS, SignalFormat, decode_signals
from schemas.errors import UsageError

_SHOWN: Final = 20


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TRACE_ID|FILE...",
    help="The id of one trace of the lake; or files with captured records, bodies as JSON lines, "
    "or one OTLP request; gzip is unpacked.",
)
@click.option(
    "--format",
    "signal_format",
    type=click.Choice(SIGNAL_FORMATS),
    default="otlp",
    show_default=True,
    help="The format of the records.",
)
@click.option(
    "--trace",
    "trace_ids",
    multiple=True,
    metavar="ID",
    help="Show only this trace; may be repeated.",
)
@click.option(
    "--show-content",
    is_flag=True,
    help="Show messages and other values too, which can be personal data.",
)
@with_cli_context
def explain(
    cli: CliContext,
    *,
    files: tuple[Path, ...],
    signal_format: SignalFormat,
    trace_ids: tuple[str, ...],
    show_content: bool,
) -> None:
    """Show how traces are assembled, and which field comes from where.

    With the id of a trace: from its spans in the lake, as they are now, beside the row that is
    stored. An id that is also the name of a file here means the file.

    All files are read together, so logs can stand in another file than their spans. A line with
    `value_b64` is a captured Kafka record with its headers; any other line is the value of a
    record. Nothing is stored. Without --show-content only places are shown, never values. Exit
    code 1 if a record or a span cannot be read.

    \b
    Example:
      goldpan otel explain spans.jsonl logs.jsonl.gz
      goldpan otel explain --format langsmith runs.jsonl
      goldpan otel explain 4bf92f3577b34da6a3ce929d0e0e4736
    """
    missing = [file for file in files if not file.exists()]
    if missing:
        if len(files) > 1 or len(missing[0].parts) > 1:
            raise UsageError(f"{missing[0]}: there is no such file")
        explain_stored_trace(cli, str(missing[0]), content=show_content)
        return
    explanation = _explain_files(files, signal_format)
    traces = [t for t in explanation.traces if not trace_ids or t.trace_id in trace_ids]
    if trace_ids and not traces:
        raise UsageError("no span of this trace is in these files; leave out --trace to list all")
    data = {
        "ok": not explanation.rejected,
        "rows": explanation.row_count,
        "traces": [describe_trace(trace, content=show_content) for trace in traces],
        "feedback": [describe_feedback(item) for item in explanation.feedback],
        "rejected": [
            {"line": line, "index": index, "reason": reason}
            for line, index, reason in explanation.rejected
        ],
    }
    cli.answer(data, lambda console: _show(console, explanation, traces, content=show_content))
    if explanation.rejected:
        raise click.exceptions.Exit(EXIT_NO)


def _explain_files(files: Sequence[Path], signal_format: SignalFormat) -> SignalsExplanation:
    decoded = []
    for file in files:
        try:
            for record in read_capture(file.read_bytes()):
                signals = decode_signals(signal_format, record.value, record.headers)
                decoded.append((record.line, signals))
        except CaptureFileError as error:
            raise UsageError(f"{file}: {error}") from None
    explanation = explain_signals(decoded)
    if decoded and explanation.unreadable == len(decoded):
        reason = explanation.rejected[0][2]
        raise UsageError(
            f"{files[0]}: no record can be read as {signal_format} ({reason}); "
            "choose another --format"
        )
    return explanation


def _show(
    console: Console,
    explanation: SignalsExplanation,
    traces: Sequence[AssembledTrace],
    *,
    content: bool,
) -> None:
    for trace in traces[:_SHOWN]:
        show_trace(console, trace, content=content)
    if len(traces) > _SHOWN:
        console.print(f"… and {format_quantity(len(traces) - _SHOWN, 'more trace')}; see --json")
    console.print(
        f"{format_quantity(len(explanation.traces), 'trace')}, "
        f"{format_quantity(explanation.row_count, 'row')}, "
        f"{format_quantity(len(explanation.feedback), 'feedback', 'feedback')}, "
        f"{len(explanation.rejected)} set aside"
    )
    open_feedback = Counter(item.reason for item in explanation.feedback if item.reason)
    for reason, count in sorted(open_feedback.items()):
        console.print(f"  feedback without a trace: {count} ({reason})")
    for line, index, reason in explanation.rejected[:_SHOWN]:
        console.print(f"  line {line}, item {index}: {reason}")
