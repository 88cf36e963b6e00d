"""Peak memory of the worker against its budget: by partitions, and as the records grow.

python -m benchmarks.memory [--records 200000] [--million]
"""

import shutil
import tempfile
from pathlib import Path

import click

from benchmarks.worker import prepared
from tests.servers.kafka import make_kafka, prepare_kafka

BUDGET = 768 * 2**20


@click.command()
@click.option("--records", default=200_000, show_default=True)
@click.option("--million", is_flag=True, help="Also a million records on 10 partitions.")
def main(*, records: int, million: bool) -> None:
    """Measure with 1, 10 and 64 partitions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    runs = [(records, 1), (records, 10), (records, 64)] + ([(1_000_000, 10)] if million else [])
    try:
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
