"""Measures `goldpan drift` over a lake of five weeks: time and memory as the lake grows.

python -m benchmarks.drift [--traces 200000 --traces 1000000] [--memory-mib 256]

Each comparison runs in its own process. Its peak memory includes what Python and its libraries use
before anything is read. The lake is in a folder that is removed at the end.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import click

from benchmarks.options import COUNT
from benchmarks.release_lake import START, LakeShape, make
from lake.config import LakeSettings
from lake.tables import Lake

DAYS = 36
KILO = 1024


def compared(folder: Path, memory_mib: int) -> str:
    """Run the command; return wall time, CPU time and peak memory as text."""
    last = (START + timedelta(days=DAYS - 1)).date()
    command = [
        sys.executable,
        "-m",
        "goldpan",
        "drift",
        "--until",
        str(last),
        "--no-fail",
        "--json",
    ]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [*command, "--memory-mib", str(memory_mib)],
        env={**os.environ, "GOLDPAN_LAKE__URI": str(folder)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = time.perf_counter() - started
    return f"{seconds:.1f} s, {processor:.1f} CPU s, {after.ru_maxrss / KILO:.0f} MiB at most"


@click.command()
@click.option("--traces", "sizes", multiple=True, type=COUNT, default=(200_000, 1_000_000))
@click.option("--memory-mib", default=256, show_default=True)
def main(*, sizes: tuple[int, ...], memory_mib: int) -> None:
    """Print a line for each size."""
    for size in sorted(sizes):  # the peak is that of the largest child so far
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "lake"
            make(Lake(LakeSettings(uri=str(folder))), LakeShape(size, DAYS))
            click.echo(f"{size:,} traces: {compared(folder, memory_mib)}")


if __name__ == "__main__":
    main()
