"""Between the folders and modules of one room imports run in one direction."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source import ROOMS, room_files, trees

Edge = tuple[str, str]


def module_of(file: Path) -> str:
    """Return the dotted name of a file's module."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports() -> frozenset[Edge]:
    """Return which module of the rooms imports which other one."""
    modules = {module_of(file) for file in room_files()}
    edges: set[Edge] = set()
    for file, tree in trees():
        for node in ast.walk(tree):
            for target in _targets(node, modules):
                edges.add((module_of(file), target))
    return frozenset(edges)


def _targets(node: ast.AST, modules: set[str]) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in modules else node.module for name in names]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def circles(edges: Iterable[Edge], package: str) -> list[str]:
    """Return the arrows that are part of a circle between what lies directly in a package."""
    arrows: dict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        if source.startswith(f"{package}.") and target.startswith(f"{package}."):
            here, there = (_child(module, package) for module in (source, target))
            if here != there:
                arrows[here].add(there)
    reach = {child: _reachable(child, arrows) for child in arrows}
    return [
        f"{package}: {child} imports {other}"
        for child in sorted(arrows)
        for other in sorted(arrows[child])
        if child in reach.get(other, set())
    ]


def _child(module: str, package: str) -> str:
    return module.removeprefix(f"{package}.").split(".")[0]


def _reachable(child: str, arrows: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [child]
    while waiting:
        for other in arrows.get(waiting.pop(), set()) - reached:
            reached.add(other)
            waiting.append(other)
    return reached


@pytest.mark.parametrize("room", ROOMS)
def test_no_folders_import_each_other(room: str) -> None:
    """A reader can take the folders of a room one after the other, at every depth."""
    packages = {
        module_of(file)
        for file in room_files()
        if file.name == "__init__.py" and file.parts[0] == room
    }
    edges = imports()
    assert [arrow for package in sorted(packages) for arrow in circles(edges, package)] == []


def test_a_circle_is_found() -> None:
    """Of two folders, over a third, and between a folder and a module; nothing else is one."""
    edges = {
        ("room.a.x", "room.b.y"),
        ("room.b.z", "room.c"),
        ("room.c", "room.a.w"),
        ("room.d", "room.a.x"),
        ("room.a.x", "room.a.w"),
        ("other.a", "room.d"),
    }
    assert circles(edges, "room") == [
        "room: a imports b",
        "room: b imports c",
        "room: c imports a",
    ]
    assert circles(edges - {("room.c", "room.a.w")}, "room") == []
    assert circles(edges, "room.a") == []
