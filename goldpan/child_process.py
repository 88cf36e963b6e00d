"""Starts further processes of goldpan: the same goldpan, and nothing of the folder they stand in.

The only place that names the Python that runs. It is given ``-P``: without it ``-m`` looks for
packages in the current folder first.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from goldpan.package_guard import ROOT
from goldpan.safe_path import runs_from_checkout

SAFE_PATH_VARIABLE: Final = "PYTHONSAFEPATH"


def child_command(*arguments: str) -> list[str]:
    """Return the command line of a process of goldpan with these arguments."""
    return [*interpreter_command(), *arguments]


def interpreter_command() -> Sequence[str]:
    """Return what stands for ``goldpan`` in a command line, whatever the PATH is."""
    return (sys.executable, "-P", "-m", "goldpan")


def child_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of goldpan, made of another one.

    Where goldpan was found in the current folder (``python -m goldpan`` in a checkout that is not
    installed), the child is told so: it does not look there by itself.
    """
    kept = {**base, SAFE_PATH_VARIABLE: "1"}
    if runs_from_checkout():
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, base.get("PYTHONPATH"))))
    return kept


def set_safe_path() -> None:
    """Let processes that libraries start (those of multiprocessing) be as safe as ours."""
    os.environ[SAFE_PATH_VARIABLE] = "1"
