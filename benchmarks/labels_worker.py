"""Measures the cost of labels in the worker, and the time to rebuild the join from the lake.

    python -m benchmarks.labels_worker [--records 300000] [--rounds 2]

Each round reads the same topic of traces, without redaction and without feedback, with labels off
and on, on a real Kafka (4 partitions). CPU time is user + system, including start-up. At the end a
worker starts over the existing lake with nothing to read. Its log has the time of the rebuild,
during which it keeps its group membership.
"""

import json
import subprocess
import sys

import click

from benchmarks.processes import Cost, run
from benchmarks.worker import LABELS, Job, own_kafka, prepared

COMMAND = [sys.executable, "-m", "goldpan", "stream", "run", "--until-caught-up"]


def rebuild(job: Job) -> None:
    """Fill a lake, start a worker over it, and print the rebuild that its log reports."""
    environment = dict(job.environment(**LABELS))
    run(COMMAND, environment)
    done = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=True)
    entries = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    for entry in entries:
        if entry["event"] == "join_rebuilt":
            size = entry["bytes"] / max(1, entry["traces"])
            click.echo(
                f"  rebuild    {entry['traces']:>10,} traces in {entry['seconds']:.2f} s, "
                f"{size:.0f} bytes a trace"
            )


def show(name: str, cost: Cost, job: Job) -> None:
    """Print one line of results."""
    click.echo(
        f"  {name:<12}{job.count / cost.wall:>10,.0f} records/s"
        f"{cost.cpu / job.count * 1e6:>8.1f} CPU-s per million"
        f"{cost.peak_bytes / 2**20:>7.0f} MiB"
    )


@click.command()
@click.option("--records", default=300_000, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--size", default=1800, show_default=True)
def main(records: int, rounds: int, size: int) -> None:
    """Compare the worker with labels off and on, then rebuild."""
    with own_kafka() as (kafka, folder):
        job = prepared(kafka, folder, count=records, size=size)
        for number in range(rounds):
            click.echo(f" round {number + 1}")
            off = job.goldpan()
            show("labels off", off, job)
            on = job.goldpan(**LABELS)
            show("labels on", on, job)
            extra = (on.cpu - off.cpu) / records * 1e6
            click.echo(f"  labels add {extra:>10.1f} CPU-s per million traces")
        rebuild(job)


if __name__ == "__main__":
    main()
