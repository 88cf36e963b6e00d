"""A progress bar on standard error, for anything long while a person watches."""

import codecs
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from goldpan.cli.context import CliContext
from goldpan.cli.plain_console import PlainConsole, escape_controls

ProgressReporter = Callable[[str, int, int], None]
"""Told what is done, how much of it is, and of how much (0: nobody knows)."""


STDIN: Final = Path("-")
"""Stands for standard input where a file is named."""


@contextmanager
def open_line_file(file: Path, *, watched: bool) -> Iterator[Iterator[bytes]]:
    """Open a file of lines, with a bar of how far it has been read if a person watches.

    A byte order mark at its beginning is no part of the first line.
    """
    if file == STDIN:
        yield _without_mark(sys.stdin.buffer)
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    with (
        Progress(
            *columns, console=PlainConsole(stderr=True), transient=True, disable=not watched
        ) as bar,
        bar.open(file, "rb", description=escape_controls(file.name)) as lines,
    ):
        yield _without_mark(lines)


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix(codecs.BOM_UTF8)


@contextmanager
def show_progress(call: CliContext) -> Iterator[ProgressReporter]:
    """Yield what a command reports its progress to; shown only if a person watches."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[done]}"),
    )
    console = PlainConsole(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not call.watched) as bar:
        task = bar.add_task("", total=None, done="")

        def report(what: str, done: int, of: int) -> None:
            bar.update(
                task,
                description=what,
                completed=done,
                total=of or None,
                done=f"{done} of {of}" if of else "",
            )

        yield report
