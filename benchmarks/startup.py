"""Measures the CPU time of a worker from its start until it has partitions.

    python -m benchmarks.startup [--rounds 5]

Each round starts one worker after another over an empty lake and the embedded broker: without
redaction; with the policy `strict`; and with that and GOLDPAN_REDACT__CACHE_DIR, a folder that an
earlier worker has filled. CPU time is user + system, when the log says `partitions_assigned`.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import click
import psutil

from benchmarks.worker import KEY
from goldpan.demo.broker import EmbeddedBroker

STRICT = {"GOLDPAN_REDACT__POLICY": "strict"}


def seconds(broker: EmbeddedBroker, folder: Path, settings: Mapping[str, str]) -> float:
    """Return the CPU seconds of one start."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("GOLDPAN_")},
        "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS": broker.address,
        "GOLDPAN_LAKE__URI": tempfile.mkdtemp(prefix="lake-", dir=folder),
        "GOLDPAN_REDACT__KEY": KEY,
        "GOLDPAN_METRICS__PORT": "0",
        "GOLDPAN_LOG__FORMAT": "json",
        **settings,
    }
    command = [sys.executable, "-m", "goldpan", "stream", "run"]
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


@click.command()
@click.option("--rounds", default=5, show_default=True)
def main(rounds: int) -> None:
    """Compare starts without redaction, with it, and with kept expressions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    broker = EmbeddedBroker()
    for topic in ("llm.traces", "llm.feedback"):
        broker.send(topic, "key", b"{}", lambda _partition, _offset: None)
    broker.flush()
    ways = {
        "without redaction": {"GOLDPAN_REDACT__POLICY": "off"},
        "strict": STRICT,
        "strict, kept expressions": {**STRICT, "GOLDPAN_REDACT__CACHE_DIR": str(folder / "kept")},
    }
    found: dict[str, list[float]] = defaultdict(list)
    try:
        seconds(broker, folder, ways["strict, kept expressions"])  # fills the folder
        for _ in range(rounds):
            for name, settings in ways.items():
                found[name].append(seconds(broker, folder, settings))
        for name, values in found.items():
            median, least, most = statistics.median(values), min(values), max(values)
            click.echo(f"  {name:<26}{median:5.2f} CPU-s ({least:.2f} to {most:.2f})")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
