"""Runs a worker and watches its memory, by the share of the records that it has read."""

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PARTS: Final = 4
_POLL_SECONDS: Final = 0.1
_PEAK: Final = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_READ: Final = re.compile(r"^goldpan_records_read_total\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """The CPU seconds of a worker, and its peak memory: at the end, and after each quarter."""

    cpu: float
    peak_bytes: int
    quarters: tuple[int, ...]


def run_watched(environment: Mapping[str, str], records: int, checkout: Path) -> WatchedRun:
    """Run the worker of a checkout until it has caught up; ``records`` wait for it.

    Raises RuntimeError with the end of its log if it fails.
    """
    port = _free_port()
    settings = {
        **environment,
        "GOLDPAN_METRICS__PORT": str(port),
        "GOLDPAN_METRICS__HOST": "127.0.0.1",
        "PYTHONPATH": str(checkout),
    }
    command = [sys.executable, "-m", "goldpan", "stream", "run", "--until-caught-up"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen(command, env=settings, cwd=checkout, stdout=log, stderr=log)
        quarters = _watch(worker.pid, port, records)
        _, status, usage = os.wait4(worker.pid, 0)
        worker.returncode = os.waitstatus_to_exitcode(status)
        if worker.returncode:
            log.seek(0)
            raise RuntimeError(f"exit {worker.returncode}\n{log.read()[-2000:].decode()}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = usage.ru_maxrss * 1024
    return WatchedRun(
        cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_bytes=peak,
        quarters=(*quarters[: PARTS - 1], peak),
    )


def _watch(pid: int, port: int, records: int) -> list[int]:
    """Return the peak so far at the end of each quarter of the records, until the worker ends."""
    quarters: list[int] = []
    latest = 0
    while (peak := _peak(pid)) is not None:
        latest = peak
        read = _records_read(port)
        while len(quarters) < PARTS and read >= records * (len(quarters) + 1) / PARTS:
            quarters.append(latest)
        time.sleep(_POLL_SECONDS)
    return [*quarters, *[latest] * (PARTS - len(quarters))]


def _peak(pid: int) -> int | None:
    """Return the peak memory of a process; None if it has ended."""
    match = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(match[1]) * 1024 if match else None


def _records_read(port: int) -> float:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (urllib.error.URLError, OSError):
        return 0.0
    return sum(map(float, _READ.findall(text)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
