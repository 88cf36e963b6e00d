"""Refuses to start if another package shadows one of goldpan's own.

Checked before any other package of goldpan is loaded. A folder or file of the same name (a lake at
``./lake``, a user's ``labels.py``) would be imported instead, and its code run, where Python
searches its folder first.
"""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Final

ROOMS: Final = (
    "goldpan",
    "stream",
    "batch",
    "assembly",
    "judges",
    "labels",
    "redact",
    "lake",
    "decode",
    "otel",
    "schemas",
)
ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

FindSpec = Callable[[str], ModuleSpec | None]


def refuse_foreign_packages(find: FindSpec = find_spec) -> None:
    """Exit with code 2 and a message if a package of another origin would be imported as ours.

    Only finds the packages; loads none.
    """
    for problem in _problems(find):
        sys.stderr.write(f"goldpan: {problem}\n")
        raise SystemExit(2)


def _problems(find: FindSpec) -> Iterator[str]:
    for room in ROOMS:
        spec = find(room)
        if spec is None:
            yield f"the package `{room}` is missing in {ROOT}: reinstall goldpan"
            continue
        location = _location(spec)
        if os.path.realpath(location) != os.path.realpath(os.path.join(ROOT, room)):  # noqa: PTH118
            yield (
                f"`{room}` would be imported from {location}, which is not part of goldpan: start "
                "goldpan from another folder, and remove that one from PYTHONPATH"
            )


def _location(spec: ModuleSpec) -> str:
    """Return the folder of a package, or the file of a module."""
    if spec.submodule_search_locations:
        return next(iter(spec.submodule_search_locations))
    return spec.origin or spec.name
