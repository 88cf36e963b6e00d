"""Takes the folder that goldpan stands in out of the places where Python looks for packages.

``python -m`` and ``python -c`` put that folder first, so a file of it that is called as a package
would be run. Nothing is imported here but what Python has loaded before it looks there.
"""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


def drop_working_folder() -> None:
    """Look for packages nowhere in the current folder, unless goldpan itself is there."""
    if sys.flags.safe_path or not sys.path:
        return
    if sys.path[0] != _ROOT and sys.path[0] in ("", _here()):
        del sys.path[0]


def runs_from_checkout() -> bool:
    """Tell whether goldpan was found in the current folder only by ``python -m``."""
    return not sys.flags.safe_path and sys.path[:1] == [_ROOT] == [_here()]


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib may not be loaded yet
    except OSError:  # it was removed: nothing can be in it
        return ""
