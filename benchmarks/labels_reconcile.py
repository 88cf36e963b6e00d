"""Measures the batch join: time and memory as the lake grows, in one bucket and in several.

python -m benchmarks.labels_reconcile [--traces 50000 --traces 200000] [--bucket 50000]

Each run is in its own process, to measure its own peak memory. The lake is in a folder that is
removed at the end; one trace in five has feedback, and sessions have four traces.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from batch.labels.reconciler import Reconciler, ReconcileRequest
from tests.batch.kit import SCALES, means, new_lake, open_lake, put
from tests.labels.kit import feedback, trace

CHUNK = 10_000
KILO = 1024


def fill(folder: Path, traces: int) -> None:
    """Make a lake of so many traces."""
    lake = new_lake(folder)
    for start in range(0, traces, CHUNK):
        numbers = range(start, min(start + CHUNK, traces))
        put(
            lake,
            [
                *(trace(f"t{i}", at=i, session_id=f"s{i // 4}", input_tokens=i) for i in numbers),
                *(feedback(f"f{i}", f"t{i}", at=i + 9) for i in numbers if i % 5 == 0),
            ],
        )


def run(folder: Path, bucket: int) -> dict[str, float]:
    """Reconcile twice in this process; return seconds, labels added, and the peak of memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers: dict[str, float] = {}
    for name in ("first", "again"):
        started = time.perf_counter()
        job = Reconciler(open_lake(folder), SCALES, means(), bucket_traces=bucket)
        outcome = job.run(ReconcileRequest())
        numbers[f"{name}, s"] = round(time.perf_counter() - started, 1)
        numbers[f"{name}, labels added"] = sum(outcome.added.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers["memory, MiB"] = round((peak - before) / KILO)
    return numbers


@click.command()
@click.option("--traces", "sizes", multiple=True, type=int, default=(50_000, 200_000))
@click.option("--bucket", default=50_000, show_default=True)
@click.option("--folder", hidden=True, type=click.Path(path_type=Path))
def main(*, sizes: tuple[int, ...], bucket: int, folder: Path | None) -> None:
    """Print a line for each size, in one bucket and in several."""
    if folder is not None:
        click.echo(json.dumps(run(folder, bucket)))
        return
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            fill(Path(place) / "lake", size)
            for each in dict.fromkeys((size, bucket)):
                with tempfile.TemporaryDirectory() as copy:
                    subprocess.run(["cp", "-r", f"{place}/lake", copy], check=True)
                    command = [sys.executable, "-m", "benchmarks.labels_reconcile"]
                    place_of = ["--folder", f"{copy}/lake", "--bucket", str(each)]
                    done = subprocess.run([*command, *place_of], check=True, capture_output=True)
                click.echo(f"{size} traces, {each} a bucket: {done.stdout.decode().strip()}")


if __name__ == "__main__":
    main()
