"""Loads single modules of another package without importing the package.

Presidio's recognisers and spaCy's word lists are small; their packages take a second to import, for
engines that are not used here. Such a module gets what it imports from its package in another way:
from a stand-in, or as another module that is loaded alone. All else it imports as usual. Nothing
of this is visible to other modules: ``sys.modules`` stays as it is.
"""

import builtins
from collections.abc import Mapping, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


class IsolatedModules:
    """Modules of ``package``; ``stand_ins`` are the names that some of its modules provide.

    Raises:
        ImportError: there is no such package or module, or it needs what no stand-in has.
    """

    def __init__(self, package: str, stand_ins: Mapping[str, Mapping[str, object]]) -> None:
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ImportError(f"there is no package {package}")
        self._package = package
        self._folder = Path(spec.submodule_search_locations[0])
        self._loaded: dict[str, Any] = {
            name: SimpleNamespace(**provided) for name, provided in stand_ins.items()
        }

    def load(self, name: str) -> Any:
        """Return a module by its full name; each is loaded once."""
        if name not in self._loaded:
            self._loaded[name] = self._run(name)
        return self._loaded[name]

    def _run(self, name: str) -> ModuleType:
        path = self._folder.joinpath(*name.split(".")[1:]).with_suffix(".py")
        if not path.is_file():
            raise ImportError(f"there is no module {name} to load alone")
        module = ModuleType(name)
        names = vars(module)
        names["__file__"] = str(path)
        names["__package__"] = name.rpartition(".")[0]
        names["__builtins__"] = {**vars(builtins), "__import__": self._import}
        SourceFileLoader(name, str(path)).exec_module(module)
        return module

    def _import(
        self,
        name: str,
        into: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Do what ``import`` does in such a module."""
        inside = (into or {}).get("__package__", "")
        full = resolve_name("." * level + name, inside) if level else name
        if full.partition(".")[0] != self._package:
            return builtins.__import__(name, into, local, wanted or (), level)
        if not wanted:
            raise ImportError(f"a module that is loaded alone imports all of {full}")
        return self.load(full)
