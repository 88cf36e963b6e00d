"""One word for one thing: names of the product say what they name, and no two classes share one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import trees

WORDS = Path(__file__).with_name("empty_words.txt")
SHARED_CLASSES: dict[str, str] = {}
"""Classes that two modules name alike, each with the reason; at most five."""


def empty_words() -> frozenset[str]:
    """Return the words that say nothing as a name."""
    lines = WORDS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def public_classes(tree: ast.Module) -> list[str]:
    """Return the names of the public classes of a module."""
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def public_names(file: Path, tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the public names of a module, each with its place: itself, classes, functions and
    their parameters."""
    if not file.stem.startswith("_"):
        yield file.stem, f"{file}: the module"
    yield from _names(file, tree)


def _names(file: Path, node: ast.AST) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") and child.name != "__init__":
            continue
        place = f"{file}:{child.lineno}: {child.name}"
        yield child.name, place
        if isinstance(child, ast.ClassDef):
            yield from _names(file, child)
        else:
            arguments = child.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                yield argument.arg, f"{place}({argument.arg})"


def test_no_class_name_stands_in_two_modules() -> None:
    """A reader who searches for a class finds one."""
    places: dict[str, list[str]] = {}
    for file, tree in trees():
        for name in public_classes(tree):
            places.setdefault(name, []).append(str(file))
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert len(SHARED_CLASSES) <= 5
    assert {name: files for name, files in shared.items() if name not in SHARED_CLASSES} == {}


def test_no_public_name_is_a_word_that_says_nothing() -> None:
    """`told`, `wanted` or `found` name nothing: what is told, wanted or found?"""
    words = empty_words()
    empty = [place for file, tree in trees() for name, place in public_names(file, tree)
             if name.lower() in words]  # fmt: skip
    assert empty == []


def test_a_parameter_that_says_nothing_is_found() -> None:
    """The rule reaches modules, methods and keyword parameters, and leaves private names alone."""
    tree = ast.parse(
        "class Told:\n def look(self, *, one=1): ...\n def _a(self, wanted): ...\n"
        "def f(x, wanted): ...\n"
    )
    names = {name for name, _ in public_names(Path("lake/anew.py"), tree)} & empty_words()
    assert names == {"anew", "look", "one", "wanted"}
