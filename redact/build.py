"""Decides whether the hot modules of redaction run compiled or as pure Python, and says which.

A wheel of `make wheel` has the modules of `compiled_modules.txt` compiled beside their sources.
They are used together or not at all: never in a source tree, where an edited module would have no
effect, and not if `GOLDPAN_REDACT__COMPILED` is false. Then their sources are loaded instead.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

Build = Literal["compiled", "pure"]

SWITCH: Final = "GOLDPAN_REDACT__COMPILED"
"""The setting; it counts before a module is loaded, so only from the environment."""

_OFF: Final = frozenset({"0", "false", "f", "no", "n", "off"})
_ROOT: Final = Path(__file__).parents[1]
MODULES: Final = tuple(
    Path(__file__).with_name("compiled_modules.txt").read_text(encoding="ascii").split()
)
"""The modules that a compiled build has compiled."""


class SourceFinder(MetaPathFinder):
    """Finds the sources of modules, even if they are compiled beside them."""

    def __init__(self, root: Path, modules: Sequence[str]) -> None:
        self._sources = {name: root / f"{name.replace('.', '/')}.py" for name in modules}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the source of one of the modules, None for any other."""
        del path, target
        source = self._sources.get(fullname)
        if source is None:
            return None
        loader = SourceFileLoader(fullname, str(source))
        return spec_from_file_location(fullname, source, loader=loader)


def installed_build(root: Path, modules: Sequence[str] = MODULES) -> Build:
    """Return which build the package in ``root`` is: compiled if each of the modules is."""
    if (root / "pyproject.toml").exists():
        return "pure"
    return "compiled" if all(_is_compiled(root, name) for name in modules) else "pure"


def chosen_build(root: Path, environment: Mapping[str, str]) -> Build:
    """Return the build to run: the installed one, unless the setting says pure Python."""
    if environment.get(SWITCH, "").strip().lower() in _OFF:
        return "pure"
    return installed_build(root)


def loaded_build() -> Build:
    """Return which build the modules loaded so far are.

    Raises:
        ImportError: some are compiled and some are not.
    """
    files = {name: sys.modules[name].__file__ or "" for name in MODULES if name in sys.modules}
    pure = sorted(name for name, file in files.items() if file.endswith(".py"))
    if pure and len(pure) < len(files):
        raise ImportError(f"compiled and pure modules are mixed; pure are: {', '.join(pure)}")
    return BUILD if not files else "pure" if pure else "compiled"


def _is_compiled(root: Path, module: str) -> bool:
    path = root / module.replace(".", "/")
    return any(path.with_name(path.name + suffix).exists() for suffix in EXTENSION_SUFFIXES)


BUILD: Final = chosen_build(_ROOT, os.environ)
"""The build that this process runs."""

if BUILD == "pure":
    sys.meta_path.insert(0, SourceFinder(_ROOT, MODULES))
