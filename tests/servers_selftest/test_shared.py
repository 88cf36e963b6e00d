"""A server that the test processes of a run share runs from the first to the last of them."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests.servers_selftest.test_processes import holds_soon

_USER = """
import pathlib, sys
from tests.servers.process import ChildProcess
from tests.servers.shared import shared_server

folder = pathlib.Path(sys.argv[1])
report = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"

def start(place):
    out = place.path / "out"
    out.unlink(missing_ok=True)
    server = ChildProcess([sys.executable, "-c", report], out=out, keeper=place.keeper)
    server.start()
    while not out.read_text().endswith("\\n"):
        pass
    return out.read_text().split()[-1], server

with shared_server(folder, start) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def user(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a process that uses the server, and give the address that it got: a process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", _USER, str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_it_runs_until_its_last_user_is_gone(tmp_path: Path) -> None:
    """Whoever started it, and though all are killed; the next user starts another."""
    folder = tmp_path / "server"
    first, server = user(folder)
    second, same = user(folder)
    assert same == server
    first.kill()
    first.communicate()
    third, same = user(folder)
    assert same == server
    assert psutil.pid_exists(server)
    for process in (second, third):
        process.kill()
        process.communicate()
    assert holds_soon(lambda: not psutil.pid_exists(server))
    last, other = user(folder)
    assert other != server
    last.communicate()
    assert last.returncode == 0
    assert holds_soon(lambda: not psutil.pid_exists(other))
