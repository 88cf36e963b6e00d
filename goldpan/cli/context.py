"""The context of a command: its settings, and its output for people or programs."""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec

import click
from rich.console import Console

from goldpan import logs
from goldpan.cli.plain_console import PlainConsole
from goldpan.setting_names import CONFIG_VARIABLE
from goldpan.settings import Settings, load_settings

P = ParamSpec("P")

DEFAULT_WIDTH: Final = 120
MIN_WIDTH: Final = 20


class _Console(PlainConsole):
    """A console that goes silent, without an error, when its reader exits (such as `head`)."""

    def on_broken_pipe(self) -> None:
        """Discard the remaining output."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _width() -> int:
    """Return the output width: that of the terminal, or the default if there is none."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) >= MIN_WIDTH:
        return int(columns)
    if not sys.stdout.isatty():
        return DEFAULT_WIDTH
    return max(MIN_WIDTH, os.get_terminal_size(sys.stdout.fileno()).columns or DEFAULT_WIDTH)


@dataclass(frozen=True, slots=True)
class CliContext:
    """The context of one command. ``machine``: the result is JSON on standard output."""

    settings: Settings
    machine: bool
    config: Path | None
    console: Console = field(default_factory=lambda: _Console(width=_width()))

    def answer(self, data: Any, show: Callable[[Console], None]) -> None:
        """Print ``data`` as JSON, or call ``show`` to print it for a person."""
        if self.machine:
            self.console.out(json.dumps(data, default=str), highlight=False)
        else:
            show(self.console)

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines of text as UTF-8; exit silently if the reader is gone."""
        try:
            sys.stdout.buffer.writelines(f"{line}\n".encode() for line in lines)
        except BrokenPipeError:
            raise click.exceptions.Exit from None

    @property
    def watched(self) -> bool:
        """Return whether a person is watching, so that progress can be shown."""
        return not self.machine and sys.stdout.isatty() and sys.stderr.isatty()


def with_cli_context(function: Callable[Concatenate[CliContext, P], None]) -> Callable[P, None]:
    """Add the options ``--config`` and ``--json`` to a command, and pass it a `CliContext`."""

    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=CONFIG_VARIABLE,
        metavar="FILE.toml",
        help="Read settings from this file; GOLDPAN_… variables override it.",
    )
    @click.option("--json", "machine", is_flag=True, help="Print the result as JSON.")
    @functools.wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        config = kwargs.pop("config")
        machine = kwargs.pop("machine")
        path = config if isinstance(config, Path) else None
        settings = load_settings(path)
        logs.configure_logging(settings.log)
        function(CliContext(settings, bool(machine), path), *args, **kwargs)

    return command
