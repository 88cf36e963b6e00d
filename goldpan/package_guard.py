"""Looks where goldpan's own packages come from, before any of them but this one is loaded.

A folder or a file called as one of them (a lake at ``./lake``, somebody's ``labels.py``) would be
taken for it where Python looks there first, and what is in it would be run.
"""

import os
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import Final

ROOMS: Final = ("goldpan", "stream", "batch", "labels", "redact", "lake", "decode", "schemas")
ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

FindSpec = Callable[[str], ModuleSpec | None]


def refuse_foreign_packages(find: FindSpec = find_spec) -> None:
    """End this process with 2, and a sentence, if a package of another origin stands for ours.

    Looks, and loads nothing.
    """
    for said in _strangers(find):
        sys.stderr.write(f"goldpan: {said}\n")
        raise SystemExit(2)


def _strangers(find: FindSpec) -> Iterator[str]:
    for room in ROOMS:
        spec = find(room)
        if spec is None:
            yield f"the package `{room}` is missing beside {ROOT}: install goldpan again"
            continue
        place = _place(spec)
        if os.path.realpath(place) != os.path.realpath(os.path.join(ROOT, room)):  # noqa: PTH118
            yield (
                f"`{room}` would be {place}, which is not goldpan's own package of that name: "
                "start goldpan from another folder, and take that one out of PYTHONPATH"
            )


def _place(spec: ModuleSpec) -> str:
    """Return the folder of a package, or the file of a module."""
    if spec.submodule_search_locations:
        return next(iter(spec.submodule_search_locations))
    return spec.origin or spec.name
