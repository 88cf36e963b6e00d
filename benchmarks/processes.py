"""Runs a command as a process and measures it by the system's own accounting."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a command: wall and CPU time (user + system, with children) in seconds, memory.

    ``peak_bytes`` is the resident memory of the largest single process.
    """

    wall: float
    cpu: float
    peak_bytes: int


def run(command: Sequence[str], env: Mapping[str, str]) -> Cost:
    """Run to the end; raise RuntimeError with the end of its output if it fails."""
    began = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        list(command), env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]}…: exit {process.returncode}\n{output[-2000:].decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.monotonic() - began, cpu, usage.ru_maxrss * 1024)
