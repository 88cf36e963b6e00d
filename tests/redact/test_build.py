"""Which modules are compiled, and which build runs."""

import importlib
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel

from redact.build import MODULES, SWITCH, SourceFinder, chosen_build, installed_build, loaded_build
from tests.architecture.source import ROOT
from tests.architecture.test_packaging import copy_of_the_source

SUFFIX = EXTENSION_SUFFIXES[0]


@pytest.mark.parametrize("name", MODULES)
def test_no_struct_or_model_is_compiled(name: str) -> None:
    """A compiled Struct would lose its keywords without a word: not frozen, not comparable."""
    module = importlib.import_module(name)
    own = [each for each in vars(module).values() if isinstance(each, type)]
    assert [
        each.__name__
        for each in own
        if each.__module__ == name and issubclass(each, msgspec.Struct | BaseModel)
    ] == []


def test_the_list_is_in_order() -> None:
    """Each module is named once, and exists."""
    assert list(MODULES) == sorted(set(MODULES))
    assert [name for name in MODULES if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []


def installed(root: Path, compiled: list[str]) -> Path:
    """Return a folder like that of installed packages, with modules `p.a` and `p.b`."""
    (root / "p").mkdir()
    for name in ("a", "b"):
        (root / "p" / f"{name}.py").write_text("WHERE = 'source'\n")
    for name in compiled:
        (root / "p" / f"{name}{SUFFIX}").write_bytes(b"not a library")
    return root


@pytest.mark.parametrize(
    ("compiled", "build"), [([], "pure"), (["a"], "pure"), (["a", "b"], "compiled")]
)
def test_a_build_is_compiled_as_a_whole_or_not_at_all(
    compiled: list[str], build: str, tmp_path: Path
) -> None:
    """A half of a build is none."""
    assert installed_build(installed(tmp_path, compiled), ["p.a", "p.b"]) == build


def test_a_source_tree_is_never_compiled(tmp_path: Path) -> None:
    """What stands beside `pyproject.toml` is edited there, so a compiled module may be stale."""
    root = installed(tmp_path, ["a", "b"])
    (root / "pyproject.toml").touch()
    assert installed_build(root, ["p.a", "p.b"]) == "pure"
    assert loaded_build() == "pure"


@pytest.mark.parametrize("value", ["false", "0", "No", " off "])
def test_a_setting_switches_to_pure_python(value: str, tmp_path: Path) -> None:
    """The same image runs the sources of the same modules."""
    for name in MODULES:
        path = tmp_path / f"{name.replace('.', '/')}{SUFFIX}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert chosen_build(tmp_path, {}) == "compiled"
    assert chosen_build(tmp_path, {SWITCH: "true"}) == "compiled"
    assert chosen_build(tmp_path, {SWITCH: value}) == "pure"


def test_the_source_is_found_beside_a_compiled_module(tmp_path: Path) -> None:
    """Only for modules of the list; others are left to Python."""
    finder = SourceFinder(installed(tmp_path, ["a"]), ["p.a"])
    spec = finder.find_spec("p.a", None)
    assert spec is not None
    assert spec.origin == str(tmp_path / "p" / "a.py")
    assert finder.find_spec("p.b", None) is None


def test_a_mixture_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process with some modules compiled and some not says so, and names those that are not."""
    importlib.import_module(MODULES[0])
    one = importlib.import_module(MODULES[1])
    monkeypatch.setattr(one, "__file__", f"somewhere/one{SUFFIX}")
    with pytest.raises(ImportError, match=MODULES[0]):
        loaded_build()


def test_an_editable_install_does_not_compile(tmp_path: Path) -> None:
    """The build says what to do instead, and builds nothing."""
    source = copy_of_the_source(tmp_path)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "editable_wheel"],
        cwd=source,
        env={**os.environ, "COMPILE_REDACTION": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "make wheel" in done.stderr
    assert list(source.rglob("*.so")) == []
