"""Command groups that load a command's module only when that command is called.

So ``goldpan --help`` answers at once, without the libraries behind the commands.
"""

import importlib
from collections.abc import Sequence
from typing import Any

import click

from goldpan.cli.commands import CommandEntry, GroupEntry

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that is described by an entry of `goldpan.cli.commands`."""

    def __init__(self, name: str, entry: GroupEntry, **attributes: Any) -> None:
        super().__init__(name=name, help=entry.summary, context_settings=CONTEXT, **attributes)
        self._entry = entry

    @property
    def default(self) -> str | None:
        """Return the member that is meant where only options follow."""
        return self._entry.default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default in front where a command's name would be, if none stands there."""
        helps = self.get_help_option_names(ctx)
        if self.default and self.is_bare(args[:1]) and not set(args[:1]) & set(helps):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def is_bare(self, first: Sequence[str]) -> bool:
        """Tell whether the first argument (or none) means the default, and not a member."""
        if self._entry.bare:
            return not set(first) & set(self._entry.members)
        return any(one.startswith("-") for one in first)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the list."""
        del ctx
        return list(self._entry.members)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command; None if there is no such name."""
        del ctx
        member = self._entry.members.get(cmd_name)
        if isinstance(member, CommandEntry):
            return load_command(member, cmd_name)
        return None if member is None else LazyGroup(cmd_name, member)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the summaries, without loading what they are about."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, m.summary) for name, m in self._entry.members.items()])


def load_command(entry: CommandEntry, name: str) -> click.Command:
    """Import the module of a command and return the command, under the name of the list."""
    module, _, attribute = entry.target.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    command.name = name
    command.context_settings = CONTEXT
    return command
