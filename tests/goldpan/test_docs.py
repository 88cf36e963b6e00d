"""The pages that a newcomer reads: their commands exist, run, and their links lead somewhere."""

import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from goldpan.cli.commands import COMMANDS, CommandEntry, GroupEntry
from goldpan.cli.lazy import LazyGroup
from goldpan.setting_names import list_settings
from goldpan.settings import Settings
from tests.architecture.source import ROOT, tracked_files

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [file for file in tracked_files() if file.suffix == ".md" and file.parts[0] != "redact"]
CODE = re.compile(r"```(?:sh|console)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def command_summaries(group: GroupEntry, path: str = "goldpan") -> dict[str, str]:
    """Return the summary of each command of a group, by the command."""
    found: dict[str, str] = {}
    for name, member in group.members.items():
        if isinstance(member, CommandEntry):
            found[f"{path} {name}"] = member.summary
        else:
            found |= command_summaries(member, f"{path} {name}")
    return found


def calls(text: str) -> list[list[str]]:
    """Return the arguments of every call of goldpan in the code of a page."""
    code = "\n".join([*CODE.findall(text), *INLINE.findall(text)])
    lines = [line.partition(" #")[0] for line in code.splitlines()]
    parts = [part.strip() for line in lines for part in re.split(r"&&|\||;|>", line)]
    return [shlex.split(part)[1:] for part in parts if re.match(r"goldpan( |$)", part)]


def test_the_table_of_commands_is_complete() -> None:
    """README lists every command there is, and none that is not."""
    rows = re.findall(r"^\| `(goldpan [^`]+)` \| (.+) \|$", README, re.MULTILINE)
    assert dict(rows) == command_summaries(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_on_a_page_exist_with_their_options(page: Path) -> None:
    """Every call of goldpan on a page names a command and options that there are."""
    for arguments in calls((ROOT / page).read_text(encoding="utf-8")):
        command: click.Command | None = LazyGroup("goldpan", COMMANDS)
        context = click.Context(click.Command("goldpan"))
        rest = list(arguments)
        while isinstance(command, LazyGroup) and rest and not command.is_bare(rest[:1]):
            if rest[0].startswith("-"):
                break
            command = command.get_command(context, rest.pop(0))
        if isinstance(command, LazyGroup) and rest and command.default:
            command = command.get_command(context, command.default)
        assert command is not None, arguments
        options = {option for p in command.params for option in p.opts} | {"--help", "--version"}
        assert {word.split("=")[0] for word in rest if word.startswith("--")} <= options, arguments


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_settings_on_a_page_exist(page: Path) -> None:
    """Every GOLDPAN_ variable on a page is a setting."""
    known = {leaf.variable for leaf in list_settings(Settings)} | {"GOLDPAN_CONFIG"}
    named = set(re.findall(r"GOLDPAN_[A-Z0-9_]*[A-Z0-9]", (ROOT / page).read_text("utf-8")))
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_on_a_page_lead_somewhere(page: Path) -> None:
    """Links to other files of the repository name files that are there."""
    for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        parts = urlsplit(target)
        if not parts.scheme and parts.path:
            assert (ROOT / page.parent / parts.path).exists(), target


def test_the_makefile_has_what_the_pages_name() -> None:
    """Every `make target` that README and CONTRIBUTING name is one."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", pages, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_make_tells_its_targets() -> None:
    """A bare `make` explains itself instead of doing something."""
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make demo" in told
    assert "make test" in told
