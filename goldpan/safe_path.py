"""Removes the current folder from Python's search path.

``python -m`` and ``python -c`` put that folder first, so a file in it with the name of a package
would be run. This module imports only what Python has already loaded before it searches there.
"""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


def drop_working_folder() -> None:
    """Remove the current folder from the search path, unless goldpan itself is in it."""
    if sys.flags.safe_path or not sys.path:
        return
    if sys.path[0] != _ROOT and sys.path[0] in ("", _here()):
        del sys.path[0]


def runs_from_checkout() -> bool:
    """Return whether ``python -m`` found goldpan in the current folder."""
    return not sys.flags.safe_path and sys.path[:1] == [_ROOT] == [_here()]


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib may not be loaded yet
    except OSError:  # it was removed, so nothing can be in it
        return ""
