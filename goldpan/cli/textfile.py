"""Metrics of a command in a file, whole or not at all, for a textfile collector or a web server."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from goldpan.cli.call import Call
from schemas.errors import UsageError

with_textfile: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE.prom",
    help="Write the metrics to a file, whole or not at all, for a textfile collector.",
)
"""Gives a command the option ``--textfile``."""


def told_as_metrics(
    call: Call, make: Callable[[], bytes], *, prometheus: bool, textfile: Path | None
) -> bool:
    """Write metrics to a file, to standard output, or to both; return whether either was asked."""
    if not prometheus and textfile is None:
        return False
    data = make()
    if textfile is not None:
        write_whole(textfile, data)
    if prometheus:
        call.write_lines(data.decode().splitlines())
    return True


def write_whole(file: Path, data: bytes) -> None:
    """Write a file beside its place, then put it there; UsageError if that cannot be done."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"--textfile {file} cannot be written: {error.strerror}.") from None
