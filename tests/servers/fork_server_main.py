"""The process of `tests.servers.fork_server`: run it with the number of its socket."""

import gc
import importlib
import os
import runpy
import socket
import sys
from collections.abc import Iterator

from goldpan.cli.commands import COMMANDS, CommandEntry, GroupEntry
from goldpan.cli.lazy import load_command
from tests.servers.fork_server import serve

LATER = ("stream.worker", "redact.pipeline.policy_redactor", "boto3", "scipy.optimize")
"""What commands load only once they know their settings."""


def preload() -> None:
    """Load every command and what these load later."""
    for name, entry in _entries(COMMANDS):
        load_command(entry, name)
    for module in LATER:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # no collection shall write to the pages that processes share


def _entries(group: GroupEntry) -> Iterator[tuple[str, CommandEntry]]:
    for name, member in group.members.items():
        if isinstance(member, CommandEntry):
            yield name, member
        else:
            yield from _entries(member)


if __name__ == "__main__":
    become = serve(socket.socket(fileno=int(sys.argv[1])), preload)
    if become is None:
        os._exit(0)
    become()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
