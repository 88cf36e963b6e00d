"""Tests use the public names of the product; its private names may change without them."""

import ast
from collections.abc import Iterator

from tests.architecture.source import ROOT

ALLOWED = {
    "os._exit": "ends a forked child without the parent's clean-up",
    "session._jsparkSession": "pyspark has no public way to Spark's parser of statements",
    "re._parser": "the standard library has no public parser of regular expressions",
}
"""Private names that tests use, each with the reason."""
NAMED_TUPLE = frozenset({"_asdict", "_fields", "_make", "_replace"})
REFLECTION = frozenset({"setattr", "getattr", "delattr", "hasattr", "patch"})


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_code(name: str) -> bool:
    """Return whether a name is an error code of librdkafka, such as ``_PARTITION_EOF``."""
    return name.isupper()


def _own_names(tree: ast.Module) -> set[str]:
    """Return the names that a module defines itself."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return names


def private_uses(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each use of a private name of another module."""
    own = _own_names(tree) | NAMED_TUPLE
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and node.attr not in own:
            text = ast.unparse(node)
            inherited = text == f"self.{node.attr}"
            code = text == f"KafkaError.{node.attr}" and _is_code(node.attr)
            if not inherited and not code and text not in ALLOWED:
                yield node.lineno, text
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if _is_private(alias.name):
                    yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            for argument in node.args if called in REFLECTION else ():
                value = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(value, str) and _is_private(value.rpartition(".")[2]):
                    yield node.lineno, ast.unparse(node)


def test_no_test_uses_a_private_name_of_the_product() -> None:
    """A test sets limits, clocks and stages by arguments, and reads what anybody may read."""
    uses = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for line, text in private_uses(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert uses == []


def test_each_way_to_a_private_name_is_found() -> None:
    """Attributes, imports and patches; not those of the module itself, nor of named tuples."""
    tree = ast.parse(
        "from lake.tables import _A\n"
        "patch.setattr(module, '_limit', 1)\n"
        "patch.setattr('lake.tables._limit', 1)\n"
        "x._a.b\n"
        "def _mine(): ...\n"
        "kit._mine()\n"
        "row._replace(a=1)\n"
        "KafkaError._FATAL\n"
        "self._inherited\n"
    )
    assert sorted(line for line, _ in private_uses(tree)) == [1, 2, 3, 4]
