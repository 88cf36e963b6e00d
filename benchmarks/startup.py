"""Measures the CPU time of a worker from its start until it has partitions.

    python -m benchmarks.startup [--rounds 5] [--against CHECKOUT]

Each round starts one worker after another over an empty lake and the embedded broker: without
redaction; with the policy `strict`; as in the image, where the expressions were compiled when it
was built; and with GOLDPAN_REDACT__CACHE_DIR, a folder that an earlier worker has filled. With
``--against``, workers of another checkout take turns with them. CPU time is user + system, when the
log says `partitions_assigned`. Then it measures some commands from start to end.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import psutil

from benchmarks.options import CHECKOUT, COUNT
from benchmarks.python_build import describe_python
from benchmarks.worker import KEY
from goldpan.demo.broker import EmbeddedBroker

ROOT = Path(__file__).parents[1]
STRICT = {"GOLDPAN_REDACT__POLICY": "strict"}
OFF = {"GOLDPAN_REDACT__POLICY": "off"}
COMMANDS = ("--version", "--help", "stream run --help", "lake verify --help", "redact --help")
_SOURCES = ("goldpan", "stream", "batch", "assembly", "judges", "labels", "lake", "decode", "otel")
_COPIED = ("redact", "schemas")


class Start(NamedTuple):
    """What is started: goldpan of a folder, with settings."""

    folder: Path
    settings: Mapping[str, str]


def seconds(broker: EmbeddedBroker, folder: Path, start: Start) -> float:
    """Return the CPU seconds of one start."""
    lake = tempfile.mkdtemp(prefix="lake-", dir=folder)
    environment = _environment(start.folder) | {
        "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS": broker.address,
        # A group of its own: else it waits until the session of the one before, killed, has ended.
        "GOLDPAN_KAFKA__GROUP_ID": Path(lake).name,
        "GOLDPAN_LAKE__URI": lake,
        "GOLDPAN_REDACT__KEY": KEY,
        "GOLDPAN_METRICS__PORT": "0",
        "GOLDPAN_LOG__FORMAT": "json",
        **start.settings,
    }
    command = [sys.executable, "-P", "-m", "goldpan", "stream", "run"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        try:
            for line in worker.stderr:
                if '"partitions_assigned"' in line:
                    used = psutil.Process(worker.pid).cpu_times()
                    return float(used.user + used.system)
        finally:
            worker.kill()
    raise RuntimeError("the worker ended before it had partitions")


def command_seconds(folder: Path, arguments: Sequence[str]) -> float:
    """Return the CPU seconds of one command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-P", "-m", "goldpan", *arguments]
    environment = _environment(folder)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    ours = ("GOLDPAN_", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "OPENBLAS_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PYTHONPATH": str(folder)}


def install(folder: Path) -> Path:
    """Lay goldpan out as it is installed in the image, with its prepared expressions."""
    folder.mkdir()
    for room in _SOURCES:
        (folder / room).symlink_to(ROOT / room)
    for room in _COPIED:
        shutil.copytree(ROOT / room, folder / room)
    subprocess.run(
        [sys.executable, "-P", "-m", "redact.prepare_databases"],
        env=_environment(folder),
        check=True,
    )
    return folder


def _show(name: str, values: Sequence[float]) -> None:
    median, least, most = statistics.median(values), min(values), max(values)
    click.echo(f"  {name:<34}{median:5.2f} CPU-s ({least:.2f} to {most:.2f})")


@click.command()
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option("--against", type=CHECKOUT)
def main(rounds: int, against: Path | None) -> None:
    """Compare starts without redaction, with it, as in the image, and with kept expressions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    broker = EmbeddedBroker()
    for topic in ("llm.traces", "llm.feedback"):
        broker.send(topic, "key", b"{}", lambda _partition, _offset: None)
    broker.flush()
    kept = {**STRICT, "GOLDPAN_REDACT__CACHE_DIR": str(folder / "kept")}
    found: dict[str, list[float]] = defaultdict(list)
    try:
        starts = {
            "without redaction": Start(ROOT, OFF),
            "strict": Start(ROOT, STRICT),
            "strict, kept expressions": Start(ROOT, kept),
            "strict, as in the image": Start(install(folder / "installed"), STRICT),
        }
        folders = {"": ROOT}
        if against is not None:
            other = against.resolve()
            starts |= {f"{against.name}, no redaction": Start(other, OFF)}
            starts |= {f"{against.name}, strict": Start(other, STRICT)}
            folders[f" ({against.name})"] = other
        seconds(broker, folder, starts["strict, kept expressions"])  # fills the folder
        for _ in range(rounds):
            for name, start in starts.items():
                found[name].append(seconds(broker, folder, start))
            for name, checkout in folders.items():
                for command in COMMANDS:
                    took = command_seconds(checkout, command.split())
                    found[f"goldpan {command}{name}"].append(took)
        click.echo(describe_python())
        for name, values in found.items():
            _show(name, values)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
