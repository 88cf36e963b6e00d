"""Compares one worker process with two, on one machine.

    python -m benchmarks.scaling [--records 300000] [--rounds 2]

The start-up time (imports, joining the group) is subtracted by running each over an empty topic
first.
"""

import shutil
import tempfile
from pathlib import Path

import click

from benchmarks.worker import Job, prepared
from tests.servers.kafka import make_kafka, prepare_kafka


def seconds(job: Job, empty: Job, workers: int) -> float:
    """Return the wall time of the work alone."""
    args = ("--workers", str(workers)) if workers > 1 else ()
    return job.goldpan(*args).wall - empty.goldpan(*args).wall


@click.command()
@click.option("--records", default=300_000, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(records: int, rounds: int) -> None:
    """Compare one process with two."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    try:
        job = prepared(kafka, folder, count=records, size=1800)
        empty = prepared(kafka, folder, count=1, size=1800)
        for _ in range(rounds):
            one, two = seconds(job, empty, 1), seconds(job, empty, 2)
            click.echo(f"  one process {one:.1f} s, two {two:.1f} s: {one / two:.2f} times")
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
