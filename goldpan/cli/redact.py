"""``goldpan redact run``: redact JSON lines from files or standard input."""

import json
import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from goldpan import wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.main import EXIT_NO
from goldpan.cli.metrics_file import write_atomically
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.progress import STDIN, open_line_file
from goldpan.line_redaction import LINE_SCHEMAS, LineEngine, LineResult, open_line_engine
from goldpan.settings import Settings
from redact.policies.policy import load_policy
from redact.reports.redaction_report import RedactionTally, render_report
from schemas.json_lines import escape_line_ends

BATCH_LINES: Final = 500
AHEAD: Final = 4  # batches queued for each process
_engines: dict[str, LineEngine] = {}  # the engine of this process, in a pool


@click.command()
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="[FILE]...",
    help="Files of JSON lines; - is standard input, and the default.",
)
@click.option(
    "--schema",
    type=click.Choice(LINE_SCHEMAS),
    default=LINE_SCHEMAS[0],
    show_default=True,
    help='Format of the lines; text is {"id", "text"}, and its output includes the findings.',
)
@click.option(
    "--workers",
    type=IntegerParam(1, 256),
    default=1,
    show_default=True,
    help="Number of processes.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE.html",
    help="Also write a page of what was replaced and what was kept, without any value.",
)
@with_cli_context
@click.pass_context
def redact(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    files: tuple[Path, ...],
    schema: str,
    workers: int,
    report: Path | None,
) -> None:
    """Redact JSON lines from files or standard input to standard output.

    A line that is not a valid record is skipped and reported on standard error, without its
    content; the exit code is then 1. With --json, a summary in JSON is printed on standard error.
    The word `run` can be omitted.

    \b
    Example:
      export GOLDPAN_REDACT__KEY=$(openssl rand -base64 32)
      goldpan redact run --schema trace traces.jsonl > redacted.jsonl
      echo '{"id": 1, "text": "mail ann@example.com"}' | goldpan redact --schema text
    """
    task = _Task(cli.settings, schema, report is not None)
    engine = task.open()
    tally, refused, passed = RedactionTally(), [], 0
    watched = sys.stderr.isatty() and not sys.stdout.isatty()  # the output is redirected
    for file in files or (STDIN,):
        with open_line_file(file, watched=watched) as lines:
            for batch in _redact(task, engine, lines, workers):
                for result in batch:
                    tally.add(result.line)
                outputs = [item.line.output for item in batch if item.line.output is not None]
                cli.write_lines(escape_line_ends(output).decode() for output in outputs)
                passed += len(outputs)
                refused += [_refusal_json(file, item) for item in batch if item.line.problem]
    if report is not None:
        policy = load_policy(cli.settings.redact.policy)
        made_at = wiring.utc_now().strftime("%Y-%m-%d %H:%M UTC")
        page = render_report(tally, policy, policy_hash=engine.policy_hash, made_at=made_at)
        write_atomically(report, page.encode(), "--report")
    _report(cli, tally, passed, refused)
    if refused:
        ctx.exit(EXIT_NO)


class _Task(NamedTuple):
    """What a process needs to redact lines."""

    settings: Settings
    schema: str
    report: bool

    def open(self) -> LineEngine:
        """Return the engine."""
        return open_line_engine(self.settings, self.schema, report=self.report)


def _redact(
    task: _Task, engine: LineEngine, lines: Iterable[bytes], workers: int
) -> Iterator[list[LineResult]]:
    """Yield the results in blocks, in the order of the lines."""
    if workers == 1:
        for first, batch in _batches(lines):
            yield engine.run(first, batch)
        return
    # Processes are spawned, never forked: Arrow and hyperscan do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_open_engine, initargs=(task,)
    ) as pool:
        batches = _batches(lines)
        waiting = [pool.submit(_run_engine, *block) for block in islice(batches, AHEAD * workers)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(_run_engine, *block) for block in islice(batches, 1)]


def _open_engine(task: _Task) -> None:
    _engines["lines"] = task.open()


def _run_engine(first: int, lines: list[bytes]) -> list[LineResult]:
    return _engines["lines"].run(first, lines)


def _batches(lines: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield blocks of lines without line ends, each with the number (from 1) of its first line."""
    first, rest = 1, iter(lines)
    while batch := [line.rstrip(b"\r\n") for line in islice(rest, BATCH_LINES)]:
        yield first, batch
        first += len(batch)


def _refusal_json(file: Path, result: LineResult) -> dict[str, Any]:
    return {
        "file": str(file),
        "line": result.number,
        "reason": result.reason,
        "field": result.field,
        "detail": result.line.problem,
    }


def _report(
    cli: CliContext, tally: RedactionTally, passed: int, refused: list[dict[str, Any]]
) -> None:
    if cli.machine:
        summary = {
            "redacted": passed,
            "refused": refused,
            "replaced": dict(tally.replaced),
            "kept": dict(tally.kept),
        }
        click.echo(json.dumps(summary), err=True)
        return
    for line in refused:
        click.echo(f"goldpan: {line['file']}:{line['line']}: {line['detail']}", err=True)
