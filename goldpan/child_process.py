"""The command line and environment of child processes that run this installation of goldpan.

The only module that names the running Python. It passes ``-P``: without it, ``-m`` looks for
packages in the current folder first.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from goldpan.package_guard import ROOT
from goldpan.safe_path import runs_from_checkout

SAFE_PATH_VARIABLE: Final = "PYTHONSAFEPATH"
NUMPY_THREADS_VARIABLE: Final = "OPENBLAS_NUM_THREADS"


def child_command(*arguments: str) -> list[str]:
    """Return the command line of a goldpan process with these arguments."""
    return [*interpreter_command(), *arguments]


def interpreter_command() -> Sequence[str]:
    """Return the words that run ``goldpan`` on a command line, independent of PATH."""
    return (sys.executable, "-P", "-m", "goldpan")


def child_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a goldpan process, derived from ``base``.

    If goldpan runs from the current folder (``python -m goldpan`` in a checkout that is not
    installed), that folder is added to PYTHONPATH: the child does not search it by default.
    """
    environment = {**base, SAFE_PATH_VARIABLE: "1"}
    if runs_from_checkout():
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, base.get("PYTHONPATH"))))
    return environment


def set_safe_path() -> None:
    """Keep the current folder off the path of processes that libraries start (multiprocessing)."""
    os.environ[SAFE_PATH_VARIABLE] = "1"


def limit_numpy_threads() -> None:
    """Let numpy multiply with one thread, here and in child processes, unless a variable says else.

    Matrices are small here; numpy's pool of threads takes CPU time of every start. The variable
    counts when numpy is imported.
    """
    os.environ.setdefault(NUMPY_THREADS_VARIABLE, "1")
