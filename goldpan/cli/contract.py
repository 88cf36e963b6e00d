"""``goldpan contract``: check records in the tests of a producer, and export the contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from decode.contract_check import ContractViolation, check_avro_schema, check_lines
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.progress import open_line_file
from schemas.contract_export import CONTRACT_FORMATS, find_incompatibilities
from schemas.errors import UsageError
from schemas.record_batches import SENT_KINDS, RecordKind

_SHOWN: Final = 20


@click.command()
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="[FILE]...",
    help="Files of JSON lines, or Avro schemas (.avsc); - is standard input.",
)
@click.option(
    "--record",
    type=click.Choice([kind.value for kind in SENT_KINDS]),
    default=RecordKind.TRACE.value,
    show_default=True,
    help="The record type of the files.",
)
@with_cli_context
@click.pass_context
def check(ctx: click.Context, cli: CliContext, *, files: tuple[Path, ...], record: str) -> None:
    """Show which records the worker would quarantine, and why, without their values.

    A file has one JSON record per line; a file that ends in .avsc is an Avro schema that records
    are written with. Names of unknown fields are shown here only: a worker does not store them,
    since a name can be personal data too. Without files, the command checks that this version of
    the contract reads everything that released versions read. Exit code 1 if anything does not
    fit.

    \b
    Example:
      goldpan contract check --record trace samples.jsonl
      goldpan contract check --record feedback feedback.avsc
    """
    if not files:
        _check_own(ctx, cli)
        return
    kind = RecordKind(record)
    fits, violations = 0, []
    for file in files:
        for fitting, refused in _check_file(cli, file, kind):
            fits += fitting
            violations += [(file, violation) for violation in refused]
    data = {
        "ok": not violations,
        "fit": fits,
        "misfits": [_violation_json(file, violation) for file, violation in violations],
    }
    cli.answer(data, lambda console: _show(console, fits, violations))
    if violations:
        ctx.exit(EXIT_NO)


def _check_file(
    cli: CliContext, file: Path, kind: RecordKind
) -> Iterator[tuple[int, list[ContractViolation]]]:
    if file.suffix == ".avsc":
        try:
            violation = check_avro_schema(kind, file.read_bytes())
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from None
        yield (0, [violation]) if violation else (1, [])
        return
    limit = cli.settings.stream.max_record_bytes
    with open_line_file(file, watched=cli.watched) as lines:
        yield from check_lines(kind, lines, max_record_bytes=limit)


def _check_own(ctx: click.Context, cli: CliContext) -> None:
    problems = find_incompatibilities()

    def show(console: Console) -> None:
        for problem in problems or ["this version reads everything that released versions read"]:
            console.print(problem, markup=False)

    cli.answer({"ok": not problems, "problems": problems}, show)
    if problems:
        ctx.exit(EXIT_NO)


def _violation_json(file: Path, violation: ContractViolation) -> dict[str, Any]:
    return {
        "file": str(file),
        "line": violation.line,
        "reason": violation.reason,
        "field": violation.field,
        "detail": violation.detail,
        "unknown": list(violation.unknown),
    }


def _show(console: Console, fits: int, violations: list[tuple[Path, ContractViolation]]) -> None:
    console.print(
        f"{format_count(fits)} match the contract, {format_count(len(violations))} do not"
    )
    for file, violation in violations[:_SHOWN]:
        where = str(file) if violation.line is None else f"{file}:{violation.line}"
        # One line each at any width: editors can open file:line.
        names = f": {', '.join(violation.unknown)}" if violation.unknown else ""
        console.print(f"{where}: {violation.detail} ({violation.reason}{names})", soft_wrap=True)
    if len(violations) > _SHOWN:
        console.print(f"and {format_count(len(violations) - _SHOWN)} more: --json lists all")


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(list(CONTRACT_FORMATS)),
    default="avro",
    show_default=True,
    help="avro and json-schema are for producers, odcs is for readers of the tables.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to; files of the same name are overwritten.",
)
@with_cli_context
def export(cli: CliContext, *, form: str, out: Path) -> None:
    """Write the contract as Avro schemas, JSON Schema or ODCS.

    \b
    Example:
      goldpan contract export --format json-schema --out ./contract
    """
    files = CONTRACT_FORMATS[form]()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}: name a writable folder") from None
    written = [str(out / name) for name in files]
    cli.answer({"files": written}, lambda console: console.print("\n".join(written), markup=False))
