"""Writes a command's metrics atomically to a file, for a textfile collector or web server."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from goldpan.cli.context import CliContext
from schemas.errors import UsageError

_MAX_LINKS: Final = 40

with_textfile: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    metavar="FILE.prom",
    help="Write the metrics atomically to this file, for a textfile collector.",
)
"""Adds the option ``--textfile`` to a command."""


def write_metrics(
    cli: CliContext, render: Callable[[], bytes], *, prometheus: bool, textfile: Path | None
) -> bool:
    """Write metrics to a file, standard output or both; return whether either was requested."""
    if not prometheus and textfile is None:
        return False
    data = render()
    if textfile is not None:
        write_atomically(textfile, data)
    if prometheus:
        cli.write_lines(data.decode().splitlines())
    return True


def write_atomically(file: Path, data: bytes, option: str = "--textfile") -> None:
    """Write a temporary file, then move it into place; UsageError if that fails.

    A symbolic link stays: its target is replaced. A device, a pipe or an open file
    (``/dev/stdout``) is written to directly.
    """
    try:
        if _is_stream(file):
            with file.open("ab") as stream:
                stream.write(data)
        else:
            _replace(file.resolve(), data)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its symbolic links form a loop"
        raise UsageError(f"{option} {file} cannot be written: {reason}.") from None


def _is_stream(file: Path) -> bool:
    """Return whether a path names something other than a regular file."""
    if file.exists() and not file.is_file():
        return True
    targets = [file.absolute()]
    while targets[-1].is_symlink() and len(targets) < _MAX_LINKS:
        targets.append(targets[-1].parent / targets[-1].readlink())
    return any(target.parts[1:2] in {("dev",), ("proc",)} for target in targets)


def _replace(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        if file.exists():
            temporary.chmod(file.stat().st_mode & 0o777)
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
