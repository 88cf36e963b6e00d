"""A fixture's name says what the fixture is, so no two fixtures share one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source import ROOT

OVERRIDDEN: dict[str, str] = {}
"""Fixtures that several modules define with one meaning, each with the reason."""


def fixtures(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the fixtures of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = (ast.unparse(decorator) for decorator in node.decorator_list)
            if any(text.partition("(")[0] == "pytest.fixture" for text in decorators):
                yield node.name


def test_no_two_fixtures_share_a_name() -> None:
    """A reader who searches for a fixture finds one."""
    places: dict[str, list[Path]] = {}
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for name in set(fixtures(ast.parse(file.read_text(encoding="utf-8")))):
            places.setdefault(name, []).append(file.relative_to(ROOT))
    shared = {name: files for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in shared.items() if name not in OVERRIDDEN} == {}
