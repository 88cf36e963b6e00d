"""The process of `tests.servers.fork_server`: run it with the number of its listening socket."""

import functools
import gc
import importlib
import os
import runpy
import socket
import sys
from collections.abc import Iterator, Mapping

from goldpan.cli.commands import COMMANDS, CommandEntry, GroupEntry
from goldpan.cli.lazy import load_command
from redact.pipeline.factory import build_redactor
from redact.policies.policy import load_policy
from tests.redact.kit import KEYS
from tests.servers.fork_server import serve
from tests.servers.shared_expressions import share_expressions

LATER = ("stream.worker", "boto3", "scipy.optimize")
"""What commands load only once they know their settings."""


def prepare(env: Mapping[str, str]) -> None:
    """Load what a process needs, unless an earlier one needed it."""
    _load_commands()
    if env.get("GOLDPAN_REDACT__POLICY") != "off":
        _compile_expressions()


@functools.cache
def _load_commands() -> None:
    for name, entry in _entries(COMMANDS):
        load_command(entry, name)
    for module in LATER:
        importlib.import_module(module)
    _share()


@functools.cache
def _compile_expressions() -> None:
    """Fill the cache of compiled expressions of the default policy, which takes seconds."""
    build_redactor(load_policy("strict"), KEYS)
    _share()


def _share() -> None:
    """Keep the collector from writing to the pages that processes share."""
    gc.collect()
    gc.freeze()


def _entries(group: GroupEntry) -> Iterator[tuple[str, CommandEntry]]:
    for name, member in group.members.items():
        if isinstance(member, CommandEntry):
            yield name, member
        else:
            yield from _entries(member)


if __name__ == "__main__":
    share_expressions()
    become = serve(socket.socket(fileno=int(sys.argv[1])), prepare)
    if become is None:
        os._exit(0)
    become()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
