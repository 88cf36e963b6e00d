"""Help texts: every option and argument of every command has one, and it fits a terminal."""

import re
from collections.abc import Iterator

import click
import pytest

from goldpan.cli.commands import COMMANDS, CommandEntry, GroupEntry
from goldpan.cli.lazy import LazyGroup, load_command

WIDTH = 80
OLD_WORDS = re.compile(r"\b(tell|told|tells|anew|whom|whence|mend|meanwhile)\b", re.IGNORECASE)


def _commands(
    group: GroupEntry, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], CommandEntry]]:
    for name, member in group.members.items():
        if isinstance(member, CommandEntry):
            yield (*path, name), member
        else:
            yield from _commands(member, (*path, name))


def _groups(group: GroupEntry, name: str = "goldpan") -> Iterator[tuple[str, GroupEntry]]:
    yield name, group
    for member_name, member in group.members.items():
        if isinstance(member, GroupEntry):
            yield from _groups(member, f"{name} {member_name}")


ALL = list(_commands(COMMANDS))
IDS = [" ".join(path) for path, _ in ALL]


def _help(command: click.Command, name: str) -> str:
    context = click.Context(command, info_name=name, terminal_width=WIDTH)
    return command.get_help(context)


@pytest.mark.parametrize(("path", "entry"), ALL, ids=IDS)
def test_every_option_and_argument_has_help(path: tuple[str, ...], entry: CommandEntry) -> None:
    """Each has a help text that ends with a full stop."""
    command = load_command(entry, path[-1])
    without = [
        parameter.name for parameter in command.params if not getattr(parameter, "help", None)
    ]
    assert without == []
    for parameter in command.params:
        text = getattr(parameter, "help", "")
        assert text.endswith("."), (parameter.name, text)


@pytest.mark.parametrize(("path", "entry"), ALL, ids=IDS)
def test_help_fits_a_terminal(path: tuple[str, ...], entry: CommandEntry) -> None:
    """At 80 columns the terminal breaks no line of a help text, except in examples."""
    text = _help(load_command(entry, path[-1]), " ".join(("goldpan", *path)))
    before, _, after = text.partition("Example:")
    prose = before + after.partition("Options:")[2]
    assert [line for line in prose.splitlines() if len(line) > WIDTH] == []


@pytest.mark.parametrize(("path", "entry"), ALL, ids=IDS)
def test_help_is_plain_english(path: tuple[str, ...], entry: CommandEntry) -> None:
    """Commands show, print, detect and report; what they do is said by a verb of the field."""
    text = _help(load_command(entry, path[-1]), " ".join(("goldpan", *path)))
    assert OLD_WORDS.findall(text + entry.summary) == []


@pytest.mark.parametrize(
    ("name", "group"), list(_groups(COMMANDS)), ids=lambda value: str(value)[:30]
)
def test_summaries_fit_a_terminal(name: str, group: GroupEntry) -> None:
    """The list of a group has one line for each member, which ends with a full stop."""
    lines = _help(LazyGroup(name, group), name).splitlines()
    assert all(member.summary.endswith(".") for member in group.members.values())
    assert all(
        any(line.split(None, 1) == [member_name, member.summary] for line in lines)
        for member_name, member in group.members.items()
    )
    assert max(map(len, lines)) <= WIDTH
