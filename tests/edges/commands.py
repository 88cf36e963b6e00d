"""goldpan's commands as processes that cost little.

They are forked from a process that has imported goldpan already (and has done nothing with it), so
that a hundred of them do not import it a hundred times.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from goldpan.cli.main import main
from tests.servers.worker import environment

SECONDS = 240.0
"""How long a command may take: it must end by itself, while other tests keep the machine busy."""

_SERVER = get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "goldpan.cli.lake",
        "goldpan.cli.quarantine",
        "goldpan.cli.stream",
        "tests.edges.commands",
    ]
)


@dataclass(frozen=True)
class Ended:
    """A command that has ended, with what it wrote."""

    code: int | None
    out: str
    err: str


def run(env: Mapping[str, str], args: tuple[str, ...], folder: Path) -> Ended:
    """Run a command in a process of its own, with its output in files of a new folder."""
    folder.mkdir()
    out, err = folder / "out", folder / "err"
    process = _SERVER.Process(target=_be_goldpan, args=(environment(env), args, out, err))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    return Ended(process.exitcode, out.read_text(), err.read_text())


def _be_goldpan(env: Mapping[str, str], args: tuple[str, ...], out: Path, err: Path) -> None:
    """What a process does that is to be a command: from here on it is one."""
    os.environ.clear()
    os.environ.update(env)
    for path, number in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
    sys.argv = ["goldpan", *args]
    main()
