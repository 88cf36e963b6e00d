"""Measures a release of 1,000 traces as the lake grows, and compares compaction with plain pyarrow.

    python -m benchmarks.release [--traces 1000000] [--days 30] [--lake FOLDER]
    python -m benchmarks.release --against CHECKOUT [--rounds 3]
    python -m benchmarks.release --compaction

`benchmarks.release_lake` says what the lake holds, and `benchmarks.release_cost` what is measured.
Each measurement is a process of its own, on one core.

CHECKOUT is a folder with an earlier version (`git worktree add --detach FOLDER COMMIT`). In each
round it and this version draft the same release from the same lake, one after the other; facts,
commitments and rows must be equal. CPU time and ratio are medians of the rounds, peak memory and
spilled bytes the highest.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Final, TypedDict, cast

import click
import pyarrow as pa
import pyarrow.parquet as pq

from batch.compaction import compact_batches, plan_compaction
from benchmarks.options import CHECKOUT, COUNT
from benchmarks.release_lake import START, LakeShape, Origin, make
from lake.config import LakeSettings
from lake.live_files import list_live_files
from lake.tables import Lake
from tests.lake.kit import commit_context

MEBIBYTE: Final = 2**20
FEW_DAYS: Final = 3
_COST: Final = Path(__file__).with_name("release_cost.py")
_THIS_VERSION: Final = Path(__file__).parents[1]


class Figures(TypedDict):
    """The figures of one draft: CPU-seconds, bytes, the folder of the code, a hash of the draft."""

    rows: int
    cpu: float
    read: int
    spilled: int
    peak: int
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is measured on a lake: the first days of it, with so much memory, on so many cores."""

    settings: LakeSettings
    days: int
    memory_mib: int
    cores: int

    def run(self, version: Path) -> Figures:
        """Run it with a version of the code, in a process of its own."""
        end = START.date() + timedelta(days=self.days)
        window = [START.date().isoformat(), end.isoformat()]
        command = [sys.executable, "-P", str(_COST), self.settings.uri, *window]
        command += ["--memory-mib", str(self.memory_mib)]
        if self.settings.s3_endpoint_url:
            command += ["--s3-endpoint-url", self.settings.s3_endpoint_url]
        if shutil.which("taskset"):
            command = ["taskset", "-c", f"0-{self.cores - 1}", *command]
        threads = {"ARROW_IO_THREADS": "1", "OMP_NUM_THREADS": "1"}
        env = {**os.environ, **threads, "PYTHONPATH": str(version)}
        done = subprocess.run(
            command, cwd=version, env=env, stdout=subprocess.PIPE, text=True, check=True
        )
        figures = cast("Figures", json.loads(done.stdout))
        if Path(figures["version"]) != version:
            raise click.UsageError(f"{figures['version']} was measured instead of {version}")
        return figures


class DifferentReleaseError(Exception):
    """Two versions do not draft the same release from one lake."""


def measure(asked: Measurement, versions: Sequence[Path], rounds: int) -> list[list[Figures]]:
    """Return the figures of each version, one for each round; in a round they take turns."""
    measured = [[asked.run(version) for version in versions] for _ in range(rounds)]
    if len({figures["hash"] for row in measured for figures in row}) > 1:
        raise DifferentReleaseError(f"{asked.days} days: facts, commitments or rows differ")
    return [list(own) for own in zip(*measured, strict=True)]


def describe(what: str, figures: Sequence[Figures]) -> str:
    """Return the line on one version."""
    return (
        f"  {what:<36} {figures[0]['rows']:>8} rows  "
        f"{median(f['cpu'] for f in figures):6.1f} CPU-s  "
        f"{max(f['read'] for f in figures) / MEBIBYTE:8.0f} MiB read  "
        f"{max(f['spilled'] for f in figures) / MEBIBYTE:6.0f} MiB spilled  "
        f"peak {max(f['peak'] for f in figures) / MEBIBYTE:6.0f} MiB"
    )


def print_measurement(what: str, asked: Measurement, against: Path | None, rounds: int) -> None:
    """Measure this version, and an earlier one, and print a line for each."""
    versions = [_THIS_VERSION] if against is None else [against, _THIS_VERSION]
    measured = measure(asked, versions, rounds)
    if against is not None:
        click.echo(describe(f"{what}, earlier version", measured[0]))
    click.echo(describe(what, measured[-1]))
    if against is not None:
        ratio = median(now["cpu"] / old["cpu"] for old, now in zip(*measured, strict=True))
        click.echo(f"  {'':<36} {ratio:.2f} times the CPU time; facts, commitments, rows equal")


def print_size(lake: Lake, shape: LakeShape) -> None:
    """Print the number of files and bytes in a lake."""
    tables = [lake.table(name) for name in ("traces", "labels")]
    for table in tables:
        table.refresh()
    files = [file for table in tables for file in list_live_files(table)]
    few = date.fromordinal(START.toordinal() + FEW_DAYS)
    click.echo(
        f"  {shape.traces} traces that came as {shape.origin}: {len(files)} files, "
        f"{sum(file.bytes for file in files) / MEBIBYTE:.0f} MiB, "
        f"{sum(file.bytes for file in files if file.day < few) / MEBIBYTE:.0f} MiB of them of the "
        f"first {FEW_DAYS} days"
    )


def compaction(folder: Path, traces: int) -> None:
    """Compact a lake, and read and write the same files with pyarrow."""
    lake = Lake(LakeSettings(uri=str(folder / "lake")))
    make(lake, LakeShape(traces, 5))
    table = lake.table("traces")
    batches = plan_compaction(table, before=(START + timedelta(days=365)).date())
    size = sum(batch.bytes for batch in batches)
    raw = 0
    began = time.process_time()
    for batch in batches:
        parts = [pq.read_table(pa.BufferReader(table.files.get(f.path))) for f in batch.files]
        merged = pa.concat_tables(parts)
        raw += merged.nbytes
        pq.write_table(merged, folder / "plain.parquet", compression="zstd", compression_level=1)
    plain = time.process_time() - began
    began = time.process_time()
    tokens = iter(range(1, 10**6))
    done = list(compact_batches(table, batches, commit_context(new_token=lambda: next(tokens))))
    ours = time.process_time() - began
    files = sum(len(one.batch.files) for one in done)
    after = len(list_live_files(table))
    click.echo(
        f"  {files} files of {size / MEBIBYTE:.0f} MiB ({raw / MEBIBYTE:.0f} MiB as Arrow) became "
        f"{after}: {raw / ours / MEBIBYTE:.0f} MiB/s, "
        f"pyarrow {raw / plain / MEBIBYTE:.0f} MiB/s, ratio {plain / ours:.2f}"
    )


@click.command()
@click.option("--traces", type=COUNT, default=1_000_000, show_default=True)
@click.option("--days", default=30, show_default=True, help="Days that the lake holds.")
@click.option("--window", "windows", type=COUNT, multiple=True, help="First days to select from.")
@click.option("--origin", type=click.Choice([o.value for o in Origin]), default="records")
@click.option("--hex-ids", is_flag=True, help="Ids of 32 random hex digits.")
@click.option("--memory-mib", default=1024, show_default=True)
@click.option("--cores", default=1, show_default=True)
@click.option("--lake", "uri", help="A folder or s3://… to make the lake in, or that has it.")
@click.option("--s3-endpoint-url")
@click.option("--against", type=CHECKOUT)
@click.option("--rounds", type=COUNT, default=3, show_default=True, help="Rounds with --against.")
@click.option("--compaction", "is_compaction", is_flag=True)
def main(  # noqa: PLR0913 - one argument an option
    *,
    traces: int,
    days: int,
    windows: Sequence[int],
    origin: str,
    hex_ids: bool,
    memory_mib: int,
    cores: int,
    uri: str | None,
    s3_endpoint_url: str | None,
    against: Path | None,
    rounds: int,
    is_compaction: bool,
) -> None:
    """Measure a release, or compaction."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="goldpan-bench-")))
        if is_compaction:
            compaction(folder, min(traces, 400_000))
            return
        settings = LakeSettings(uri=uri or str(folder / "lake"), s3_endpoint_url=s3_endpoint_url)
        lake, shape = Lake(settings), LakeShape(traces, days, Origin(origin), hex_ids)
        make(lake, shape)
        print_size(lake, shape)
        turns = rounds if against is not None else 1
        for first in windows or (days, FEW_DAYS):
            what = f"out of {'all' if first == days else f'{first} of'} {days} days"
            asked = Measurement(settings, first, memory_mib, cores)
            print_measurement(what, asked, against and against.resolve(), turns)


if __name__ == "__main__":
    main()
