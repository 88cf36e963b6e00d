"""Command groups that import a command's module only when the command runs.

So ``goldpan --help`` is fast: it does not load the libraries of the commands.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import click

from goldpan.cli.commands import CommandEntry, GroupEntry
from goldpan.collector import paused_collector

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group defined by an entry of `goldpan.cli.commands`."""

    def __init__(self, name: str, entry: GroupEntry, **attributes: Any) -> None:
        super().__init__(name=name, help=entry.summary, context_settings=CONTEXT, **attributes)
        self._entry = entry

    @property
    def default(self) -> str | None:
        """Return the command that runs if only options follow."""
        return self._entry.default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command if the arguments do not name one."""
        helps = self.get_help_option_names(ctx)
        if self.default and self.is_bare(args[:1]) and not set(args[:1]) & set(helps):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def is_bare(self, first: Sequence[str]) -> bool:
        """Return whether the first argument (or its absence) selects the default command."""
        if self._entry.bare:
            return not set(first) & set(self._entry.members)
        return any(argument.startswith("-") for argument in first)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the entry."""
        del ctx
        return list(self._entry.members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is no such name."""
        del ctx
        member = self._entry.members.get(cmd_name)
        if isinstance(member, CommandEntry):
            return load_command(member, cmd_name)
        return None if member is None else LazyGroup(cmd_name, member)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the summaries without loading the commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, m.summary) for name, m in self._entry.members.items()])


def load_command(entry: CommandEntry, name: str) -> click.Command:
    """Import the module of a command and return the command, under its listed name."""
    module, _, attribute = entry.target.partition(":")
    with paused_collector():
        command: click.Command = getattr(importlib.import_module(module), attribute)
    command.name = name
    command.context_settings = CONTEXT
    return command
