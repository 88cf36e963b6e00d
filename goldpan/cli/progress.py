"""Progress bars on standard error, shown only on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from batch.progress import ReportProgress
from goldpan.cli.context import CliContext
from goldpan.cli.plain_console import PlainConsole, escape_controls
from schemas.json_lines import skip_byte_order_mark

STDIN: Final = Path("-")
"""Names standard input where a file is expected."""


@contextmanager
def open_line_file(file: Path, *, watched: bool) -> Iterator[Iterator[bytes]]:
    """Open a file for reading lines, with a progress bar if a person is watching.

    A byte order mark at the beginning is skipped.
    """
    if file == STDIN:
        yield skip_byte_order_mark(sys.stdin.buffer)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with (
        Progress(
            *columns, console=PlainConsole(stderr=True), transient=True, disable=not watched
        ) as bar,
        bar.open(file, "rb", description=escape_controls(file.name)) as lines,
    ):
        yield skip_byte_order_mark(lines)


@contextmanager
def show_progress(cli: CliContext) -> Iterator[ReportProgress]:
    """Yield a progress reporter; it shows a bar only if a person is watching."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
    )
    console = PlainConsole(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not cli.watched) as bar:
        task = bar.add_task("", total=None, done="")

        def report(step: str, done: int, total: int) -> None:
            bar.update(
                task,
                description=step,
                completed=done,
                total=total or None,
                done=f"{done:,} of {total:,}" if total else "",
            )

        yield report
