"""Compares the worker without redaction with bare consuming and with the plain loop.

    python -m benchmarks.worker [--records 200000] [--rounds 2] [--size 1800] [--size 14000]

Each round runs the three in turn over the same topic on a real Kafka (4 partitions, lz4). CPU time
is user + system of all processes, including start-up. The result is the ratio within a round.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.processes import Cost, run
from benchmarks.traffic import produce, traces
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka

KEY = "Z29sZHBhbi1iZW5jaG1hcmsta2V5LW5vdC1zZWNyZXQ="


@dataclass(frozen=True, slots=True)
class Job:
    """A topic to read, and where the results are written."""

    kafka: Kafka
    topic: str
    count: int
    folder: Path

    def environment(self, **more: str) -> Mapping[str, str]:
        """Return the settings of goldpan for this topic; each call reads it from the start."""
        lake = tempfile.mkdtemp(prefix="lake-", dir=self.folder)
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("GOLDPAN_")},
            "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "GOLDPAN_KAFKA__TRACES_TOPIC": self.topic,
            "GOLDPAN_KAFKA__FEEDBACK_TOPIC": f"{self.topic}.feedback",
            "GOLDPAN_KAFKA__GROUP_ID": Path(lake).name,
            "GOLDPAN_LAKE__URI": lake,
            "GOLDPAN_REDACT__POLICY": "off",
            "GOLDPAN_LABELS__POLICY": "off",  # the rivals decide none; see labels_worker
            "GOLDPAN_REDACT__KEY": KEY,
            "GOLDPAN_METRICS__PORT": "0",
            "GOLDPAN_LOG__FORMAT": "json",
            **more,
        }

    def rival(self, name: str, *args: str) -> Cost:
        """Run one of the rivals."""
        module = f"benchmarks.rivals.{name}"
        command = [sys.executable, "-m", module, self.kafka.bootstrap, self.topic, str(self.count)]
        return run([*command, *args], os.environ)

    def goldpan(self, *args: str, **settings: str) -> Cost:
        """Run the worker until it has caught up."""
        command = [sys.executable, "-m", "goldpan", "stream", "run", "--until-caught-up", *args]
        return run(command, self.environment(**settings))


def prepared(kafka: Kafka, folder: Path, *, count: int, size: int, partitions: int = 4) -> Job:
    """Return a job whose topic holds ``count`` traces of about ``size`` bytes."""
    topic = f"traces-{size}-{count}-{partitions}"
    kafka.create_topic(topic, partitions)
    kafka.create_topic(f"{topic}.feedback", partitions)
    sent = produce(kafka.bootstrap, topic, traces(count, size))
    click.echo(f"{count:,} traces of {sent / count:,.0f} bytes on {partitions} partitions")
    return Job(kafka, topic, count, folder)


def show(name: str, cost: Cost, job: Job, *, against: Cost | None = None) -> None:
    """Print one line of results."""
    ratio = "" if against is None else f"   {cost.cpu / against.cpu:5.2f} x the plain loop's CPU"
    click.echo(
        f"  {name:<12}{job.count / cost.wall:>10,.0f} records/s"
        f"{cost.cpu / job.count * 1e6:>8.1f} CPU-s per million"
        f"{cost.peak_bytes / 2**20:>7.0f} MiB{ratio}"
    )


@click.command()
@click.option("--records", default=200_000, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--size", "sizes", multiple=True, type=int, default=(1800, 14000), show_default=True)
def main(records: int, rounds: int, sizes: tuple[int, ...]) -> None:
    """Compare the worker with bare consuming and with the plain loop."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    try:
        for size in sizes:
            job = prepared(kafka, folder, count=records * 1800 // max(size, 1800), size=size)
            for number in range(rounds):
                click.echo(f" round {number + 1}")
                show("consume", job.rival("consume"), job)
                plain = job.rival("plain_loop", str(folder / f"plain-{size}-{number}"))
                show("plain loop", plain, job)
                show("goldpan", job.goldpan(), job, against=plain)
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
