"""Measures the worker's peak memory against its budget, by partitions and by records.

python -m benchmarks.memory [--records 200000] [--million]
python -m benchmarks.memory --tight    # with the smallest accepted ceiling, by Arrow's pools
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.worker import Job, prepared
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka

BUDGET = 768 * 2**20


def least(job: Job) -> int:
    """Return slightly more than the smallest ceiling that a worker accepts, by its own message."""
    command = [sys.executable, "-m", "goldpan", "stream", "run", "--until-caught-up"]
    env = job.environment(GOLDPAN_STREAM__MEMORY_BYTES="1MiB")
    message = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stderr
    match = re.search(r"the least is (\d+)MiB", message)
    assert match, message
    return (int(match[1]) + 4) * 2**20


def tight(kafka: Kafka, folder: Path, records: int) -> None:
    """Compare Arrow's pools where memory is short."""
    job = prepared(kafka, folder, count=records, size=1800, partitions=10)
    ceiling = least(job)
    for pool in ("", "jemalloc", "mimalloc", "system"):
        chosen = {"ARROW_DEFAULT_MEMORY_POOL": pool} if pool else {}
        cost = job.goldpan(GOLDPAN_STREAM__MEMORY_BYTES=str(ceiling), **chosen)
        click.echo(
            f"  {pool or 'as shipped':<11} peak {cost.peak_bytes / ceiling:.2f} of "
            f"{ceiling / 2**20:.0f} MiB   {cost.wall:6.1f} s   {cost.cpu:6.1f} CPU-s"
        )


@click.command()
@click.option("--records", default=200_000, show_default=True)
@click.option("--million", is_flag=True, help="Also a million records on 10 partitions.")
@click.option("--tight", "is_tight", is_flag=True, help="Only with as little as is accepted.")
def main(*, records: int, million: bool, is_tight: bool) -> None:
    """Measure with 1, 10 and 64 partitions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    runs = [(records, 1), (records, 10), (records, 64)] + ([(1_000_000, 10)] if million else [])
    try:
        if is_tight:
            tight(kafka, folder, records)
            return
        for count, partitions in runs:
            job = prepared(kafka, folder, count=count, size=1800, partitions=partitions)
            cost = job.goldpan(GOLDPAN_STREAM__MEMORY_BYTES=str(BUDGET))
            click.echo(
                f"  peak {cost.peak_bytes / 2**20:.0f} MiB, {cost.peak_bytes / BUDGET:.2f} of the "
                f"budget of {BUDGET / 2**20:.0f} MiB"
            )
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
