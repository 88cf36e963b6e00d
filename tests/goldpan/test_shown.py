"""Stored text on a person's terminal is text: no markup, no commands."""

import ast
import io
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table

from goldpan.cli.main import run_command
from goldpan.cli.plain_console import PlainConsole, escape_controls, styled

CLI = Path(__file__).parents[2] / "goldpan" / "cli"
ODD = st.text(st.sampled_from(list("[]/\\:#ab\x1b\x07\x9b\u202e\n")) | st.characters(), max_size=12)


def _printed(*things: object) -> str:
    out = io.StringIO()
    console = PlainConsole(file=out, width=200)
    for thing in things:
        console.print(thing, soft_wrap=True)
    return out.getvalue()


def _collapse(text: str) -> str:
    """Replace tabs and spaces by one space: the width of a tab depends on the letters before it."""
    return re.sub(r"[\t ]+", " ", text)


@settings(max_examples=200, derandomize=True)
@given(ODD)
def test_any_text_is_shown_and_commands_nothing(text: str) -> None:
    """Whatever a text holds, it is printed in full and without a character that acts."""
    table = Table("h")
    table.add_row(f"<{text}>")
    for printed in (_printed(f"<{text}>"), _printed(styled("red", "<", f"{text}>"))):
        assert _collapse(printed) == _collapse(f"<{escape_controls(text)}>\n")
    assert not set("\x1b\x07\x9b\u202e") & set(_printed(table))


@pytest.mark.parametrize("text", ["[/]", "[red]x[/red]", "[link=file:x]x[/link]", ":x:"])
def test_markup_is_text(text: str) -> None:
    """Tags and names of emojis are shown as they stand, in lines, tables and titles."""
    table = Table(text)
    table.add_row(text)
    assert _printed(text, table).count(text) == 3


def test_every_console_is_a_plain_one() -> None:
    """No command makes a console, or asks for markup, of its own."""
    for file in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                assert name not in {"Console", "from_markup"}, file.name
                for keyword in node.keywords:
                    on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
                    assert not (keyword.arg == "markup" and on), file.name


def test_a_folder_may_be_called_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of a lake's folder is no markup either; one with brackets is refused by its name."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake[/]"))
    assert run_command(["lake", "init"]) == 2
    assert "lake[/]" in capsys.readouterr().err
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / ":smile: {b}"))
    assert run_command(["lake", "init"]) == 0
    assert ":smile: {b}" in capsys.readouterr().out
