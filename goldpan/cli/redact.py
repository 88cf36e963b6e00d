"""``goldpan redact``: the redaction engine alone, JSON lines in, JSON lines out."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
import pyarrow as pa
from rich.console import Console
from rich.progress import Progress

from goldpan import wiring
from goldpan.cli.call import Call, with_call
from goldpan.cli.main import NO
from schemas.arrow import EVENT_DATE, TABLES
from schemas.columns import TABLE_OF
from schemas.provenance import Raw, RecordKind, Rejected
from stream.decode.decoder import Decoder

BATCH_LINES: Final = 500
_STDIN: Final = Path("-")


@click.command()
@click.argument(
    "files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
)
@click.option(
    "--schema",
    type=click.Choice([kind.value for kind in RecordKind]),
    default=RecordKind.TRACE.value,
    show_default=True,
    help="What the lines are.",
)
@with_call
@click.pass_context
def redact(ctx: click.Context, call: Call, *, files: tuple[Path, ...], schema: str) -> None:
    """Redact records in files, or from standard input, to standard output.

    A line that is no valid record is left out and named on standard error, without its content;
    the exit code then is 1. With --json, standard error gets a summary in JSON.

    \b
    Example:
      export GOLDPAN_REDACT__KEY=$(openssl rand -base64 32)
      goldpan redact --schema trace traces.jsonl > redacted.jsonl
    """
    engine = _Engine(call, RecordKind(schema))
    refused: list[dict[str, Any]] = []
    done = 0
    for file in files or (_STDIN,):
        with _lines(file) as lines:
            for first, batch in _batches(lines):
                rows, rejected = engine.run(first, batch)
                call.write_lines(json.dumps(row, ensure_ascii=False) for row in rows)
                done += len(rows)
                refused += [_refusal_json(file, one) for one in rejected]
    _tell(call, done, refused)
    if refused:
        ctx.exit(NO)


class _Engine:
    """Decodes and redacts lines of one kind of record."""

    def __init__(self, call: Call, kind: RecordKind) -> None:
        settings = call.settings
        self._redactor = wiring.redaction(settings.redact).redactor
        self._decoder = Decoder(
            kind,
            wiring.schema_source(settings.kafka),
            max_record_bytes=settings.stream.max_record_bytes,
        )
        provenance = {name for name in TABLES[TABLE_OF[kind]].arrow.names if name.startswith("_")}
        self._hidden = provenance | {EVENT_DATE}

    def run(
        self, first: int, lines: Sequence[bytes]
    ) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Return the redacted records of some lines, and those refused; ``first`` is a number."""
        raws = [Raw(0, first + i, -1, None, line) for i, line in enumerate(lines) if line.strip()]
        decoded, undecoded = self._decoder.decode("", raws)
        outcome = self._redactor.redact(decoded, ingested_at=wiring.now_us())
        rejected = sorted([*undecoded, *outcome.rejected], key=lambda one: one.raw.offset)
        return self._rows(outcome.rows.value), rejected

    def _rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        shown = batch.select([name for name in batch.schema.names if name not in self._hidden])
        maps = [field.name for field in shown.schema if pa.types.is_map(field.type)]
        return [_plain(row, maps) for row in shown.to_pylist()]


def _plain(row: Mapping[str, Any], maps: Sequence[str]) -> dict[str, Any]:
    """Return a row as JSON can hold it: times as RFC 3339, maps as objects."""
    plain: dict[str, Any] = {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return plain | {name: dict(plain[name]) for name in maps}


def _batches(lines: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Yield some lines at a time, without their ends, and the number of the first (from 1)."""
    number = 1
    while batch := [line.rstrip(b"\r\n") for line in islice(lines, BATCH_LINES)]:
        yield number, batch
        number += len(batch)


@contextmanager
def _lines(file: Path) -> Iterator[BinaryIO]:
    """Open a file, with a progress bar if a person watches and the output goes elsewhere."""
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    watched = sys.stderr.isatty() and not sys.stdout.isatty()
    with (
        Progress(console=Console(stderr=True), transient=True, disable=not watched) as progress,
        progress.open(file, "rb", description=file.name) as lines,
    ):
        yield lines


def _refusal_json(file: Path, rejected: Rejected) -> dict[str, Any]:
    return {
        "file": str(file),
        "line": rejected.raw.offset,
        "reason": str(rejected.reason),
        "field": rejected.field,
        "detail": rejected.detail,
    }


def _tell(call: Call, done: int, refused: list[dict[str, Any]]) -> None:
    if call.machine:
        click.echo(json.dumps({"redacted": done, "refused": refused}), err=True)
        return
    for one in refused:
        click.echo(f"goldpan: {one['file']}:{one['line']}: {one['detail']}", err=True)
