"""The rooms keep their shape: what they say, what they import, who may fill a Redacted box."""

import ast
from pathlib import Path

import pytest

from tests.architecture.source import ROOMS, ROOT, room_files, trees

LONGEST_MODULE = 600
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc", "shared", "tools", "base", "core"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_is(room: str) -> None:
    """Its docstring is one paragraph."""
    text = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    assert text
    assert "\n\n" not in text.partition("\n\n")[2]
    assert len(text.split()) >= 10


def test_no_module_is_named_vaguely() -> None:
    """A name says what a module is about; those that could hold anything end up doing so."""
    vague = [f for f in room_files() if VAGUE & {part.removesuffix(".py") for part in f.parts}]
    assert vague == []


def test_no_module_is_too_long() -> None:
    """400 lines are advice: past them look for the second idea. Past these there always is one."""
    lengths = {file: len((ROOT / file).read_text().splitlines()) for file in room_files()}
    assert {file: n for file, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_import_hides_in_a_function() -> None:
    """Imports stand at the top: what a module needs is seen there, and cycles do not hide."""
    hidden = [
        f"{file}:{inner.lineno}"
        for file, tree in trees()
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


def redacted_made_in(tree: ast.AST) -> list[int]:
    """Return the lines that construct a Redacted, under whatever name it was imported."""
    names = {"Redacted"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {a.asname for a in node.names if a.name == "Redacted" and a.asname}
        elif isinstance(node, ast.Assign) and _is_redacted(node.value, names):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            makes = _is_redacted(node.func, names)
            hands_on = _name(node.func) not in {"isinstance", "issubclass"} and any(
                _is_redacted(argument, names) for argument in node.args
            )
            copies = _name(node.func) in {"replace", "copy", "__new__", "__replace__"} and any(
                _is_redacted(part, names) for part in ast.walk(node)
            )
            if makes or hands_on or copies:
                lines.append(node.lineno)
    return lines


def _is_redacted(node: ast.AST, names: set[str]) -> bool:
    """Tell whether an expression is the class itself: Redacted, module.Redacted, Redacted[X]."""
    if isinstance(node, ast.Subscript):
        return _is_redacted(node.value, names)
    return _name(node) in names and isinstance(node, ast.Name | ast.Attribute)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def test_only_redaction_fills_a_redacted_box() -> None:
    """The tables take nothing but Redacted, and only the room redact makes one."""
    made_in = {file: lines for file, tree in trees() if (lines := redacted_made_in(tree))}
    assert {file: made_in[file] for file in made_in if file.parts[0] != "redact"} == {}
    assert Path("redact/pipeline/policy_redactor.py") in made_in


@pytest.mark.parametrize(
    "source",
    [
        "Redacted(x, 'p')",
        "Redacted[int](x, 'p')",
        "schemas.redacted.Redacted(x, 'p')",
        "from schemas.redacted import Redacted as Box\nBox(x, 'p')",
        "Box = Redacted\nBox(x, 'p')",
        "functools.partial(Redacted, policy='p')",
        "map(Redacted, xs)",
    ],
)
def test_the_proof_sees_through_disguises(source: str) -> None:
    """Another name, a type argument or a partial does not hide that a box is made."""
    assert redacted_made_in(ast.parse(source))
