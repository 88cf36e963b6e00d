"""Measures a release of 1,000 traces as the lake grows, and compares compaction with plain pyarrow.

python -m benchmarks.release [--traces 1000000] [--days 30]
python -m benchmarks.release --compaction

The lake holds calls of about 700 bytes, four to a conversation, over 30 days; every fifth has a
label. Time and memory are those of the process that selects, with one thread. Bytes are those that
it requested the system to read and to write (`rchar` and `wchar` in /proc/self/io): what it writes
is what it spills. Counting the strata reads only the columns of the design.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from batch.bounded_duckdb import temp_dir, temp_root
from batch.compaction import compact_batches, plan_compaction
from batch.release.publish.build import BuildOptions, draft_release
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.spec import parse_spec
from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.live_files import list_live_files
from lake.parquet import encode_files
from lake.snapshot import open_snapshot
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from lake.tables import Lake
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.redacted import Redacted
from tests.lake.kit import commit_context

START = datetime(2026, 11, 1, tzinfo=UTC)
BLOCK = 50_000
SPEC = """
name: bench
window: {{from: 2026-11-01, to: {end}}}
size: 1000
strata: [label, segments.plan, status]
allocation: {{by: error_biased, floor: 10}}
redaction_policies: any
labels: {{accept: [pass, fail, unknown, none]}}
near_duplicates: null
holdout: {{share: 0.2}}
"""
WORDS = (
    "the",
    "flight",
    "to",
    "Boston",
    "was",
    "delayed",
    "and",
    "my",
    "bag",
    "did",
    "not",
    "arrive",
)


def blocks(table: str, traces: int, days: int) -> Iterator[pa.RecordBatch]:
    """Yield rows of a table in blocks, ordered by time."""
    step = 1 if table == "traces" else 5
    for start in range(0, traces, BLOCK * step):
        numbers = pa.array(range(start, min(start + BLOCK * step, traces), step), pa.int64())
        yield _block(table, numbers, traces, days)


def _block(table: str, numbers: pa.Array, traces: int, days: int) -> pa.RecordBatch:
    schema = TABLES[table].arrow
    micros = pc.add(
        int(START.timestamp() * 1e6), pc.multiply(numbers, days * 86_400_000_000 // traces)
    )
    text = numbers.cast(pa.string())
    known: dict[str, Any] = {
        "trace_id": pc.binary_join_element_wise("trace", text, "-"),
        "session_id": _joined("session", pc.divide(numbers, 4)),
        "user_id": _joined("user", pc.divide(numbers, 40)),
        "app": _same("support", numbers),
        "environment": _same("production", numbers),
        "status": _of(["ok"] * 199 + ["error"], numbers),
        "latency_ms": pc.multiply(_remainder(numbers, 4000), 1.0),
        "messages": _of([_messages(i) for i in range(500)], numbers, schema.field("messages").type)
        if table == "traces"
        else None,
        "response": _noise(numbers),
        "segments": _of(
            [[("plan", plan)] for plan in ("free", "silver", "gold")],
            numbers,
            pa.map_(pa.string(), pa.string()),
        ),
        "started_at": micros.cast(TIMESTAMP_US),
        "label_event_id": _joined("event", numbers),
        "revision": None if table == "traces" else _same(1, numbers),  # traces are records
        "label": _of(["pass", "pass", "pass", "fail", "unknown"], numbers),
        "p_fail": _of([0.1, 0.1, 0.1, 0.9, 0.5], numbers),
        "route": _same("auto", numbers),
        "policy_version": _same("agent@1", numbers),
        "decided_at": micros.cast(TIMESTAMP_US),
        "_topic": _same("llm.traces", numbers),
        "_partition": _same(0, numbers),
        "_offset": numbers,
        "_ingested_at": micros.cast(TIMESTAMP_US),
        "_policy": _same("policy", numbers),
        "event_date": micros.cast(TIMESTAMP_US).cast(pa.date32()),
    }
    columns = [_column(field, known.get(field.name), len(numbers)) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(field: pa.Field, values: Any, rows: int) -> pa.Array:
    if values is not None:
        found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return found if found.type == field.type else found.cast(field.type)
    if pa.types.is_list(field.type) or pa.types.is_map(field.type):
        return pa.array([[]] * rows, field.type)
    return pa.nulls(rows, field.type)


def _messages(number: int) -> list[dict[str, Any]]:
    turn = " ".join(WORDS[(number + i) % len(WORDS)] for i in range(40))
    return [
        {"role": role, "content": f"{turn} {number}", "name": None, "tool_call_id": None,
         "tool_calls": []}
        for role in ("system", "user")
    ]  # fmt: skip


def _noise(numbers: pa.Array) -> pa.Array:
    """Return texts of 300 random letters: responses of models compress badly."""
    rng = np.random.default_rng(numbers[0].as_py())
    letters = rng.integers(97, 123, size=300 * len(numbers), dtype=np.uint8)
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * 300
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(letters.tobytes())]
    return pa.StringArray.from_buffers(len(numbers), *buffers[1:])


def _joined(word: str, numbers: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(word, numbers.cast(pa.string()), "-")


def _same(value: Any, numbers: pa.Array) -> pa.Array:
    return pa.repeat(value, len(numbers))


def _remainder(numbers: pa.Array, of: int) -> pa.Array:
    scattered = pc.divide(pc.multiply(numbers, 7919), 13)
    return pc.subtract(scattered, pc.multiply(pc.divide(scattered, of), of))


def _of(values: list[Any], numbers: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, kind).take(_remainder(numbers, len(values)))


def make(folder: Path, traces: int, days: int) -> Lake:
    """Make a lake with so many traces."""
    lake = Lake(LakeSettings(uri=str(folder)))
    lake.init()
    for name in ("traces", "labels"):
        table, at = lake.table(name), 0
        for rows in blocks(name, traces, days):
            item = SourceRange("llm.traces", 0, at, at + len(rows), at, None, len(rows), len(rows))
            files = encode_files([Redacted(rows, "policy")], ranges=[item], layout=table.layout)
            for file in files:
                table.files.put(file.path, file.data)
            commit(
                table,
                TableCommit(
                    entry=LedgerEntry(EntryKind.FLUSH, [item], {}),
                    token=at + 1,
                    moves=[Move(position_app(item.source), at or None, item.end)],
                    adds=files,
                ),
                commit_context(),
            )
            at = item.end
    return lake


def measure(folder: Path, end: str, memory_mib: int, *, counting: bool) -> None:
    """Draft a release, or count its strata, and print the cost as JSON.

    Runs in its own process.
    """
    lake = Lake(LakeSettings(uri=str(folder)))
    spec = parse_spec(SPEC.format(end=end), "spec")
    began, before = time.process_time(), _moved_bytes()
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    if counting:
        memory = memory_mib * 2**20
        with (
            temp_dir(temp_root()) as place,
            DuckDbEngine(spec, traces, labels, folder=place, memory_bytes=memory) as engine,
        ):
            rows = sum(stratum.traces for stratum in engine.strata())
    else:
        release_draft = draft_release(
            spec, traces, labels, BuildOptions(b"k" * 32, memory_mib * 2**20, {})
        )
        rows = release_draft.facts["row_count"]
    after = _moved_bytes()
    figures = {
        "rows": rows,
        "cpu": time.process_time() - began,
        "read": after["rchar"] - before["rchar"],
        "spilled": after["wchar"] - before["wchar"],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    click.echo(json.dumps(figures))


def _moved_bytes() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(number) for name, number in (line.split(": ") for line in lines)}


def print_measurement(folder: Path, what: str, end: str, memory_mib: int, *options: str) -> None:
    """Measure in a separate process, with one thread for each pool, and print a line."""
    command = [sys.executable, "-m", "benchmarks.release", "--measure", str(folder), end]
    env = {**os.environ, "ARROW_IO_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command += ["--memory-mib", str(memory_mib), *options]
    pinned = ["taskset", "-c", "0", *command] if shutil.which("taskset") else command
    done = subprocess.run(pinned, env=env, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    click.echo(
        f"  {what:<34} {figures['rows']:>8} rows  {figures['cpu']:6.1f} CPU-s  "
        f"{figures['read'] / 2**20:8.0f} MiB read  {figures['spilled'] / 2**20:6.0f} MiB spilled  "
        f"peak {figures['peak'] / 2**20:6.0f} MiB"
    )


def compaction(folder: Path, traces: int) -> None:
    """Compact a lake, and read and write the same files with pyarrow."""
    lake = make(folder, traces, 5)
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
        f"  {files} files of {size / 2**20:.0f} MiB ({raw / 2**20:.0f} MiB as Arrow) became "
        f"{after}: {raw / ours / 2**20:.0f} MiB/s, pyarrow {raw / plain / 2**20:.0f} MiB/s, "
        f"ratio {plain / ours:.2f}"
    )


@click.command()
@click.option("--traces", default=1_000_000, show_default=True)
@click.option("--days", default=30, show_default=True)
@click.option("--memory-mib", default=1024, show_default=True)
@click.option("--compaction", "is_compaction", is_flag=True)
@click.option("--measure", "measured", nargs=2, hidden=True)
@click.option("--counting", is_flag=True, hidden=True)
def main(  # noqa: PLR0913 - one argument an option
    *,
    traces: int,
    days: int,
    memory_mib: int,
    is_compaction: bool,
    measured: tuple[str, str] | None,
    counting: bool,
) -> None:
    """Measure a release, or compaction."""
    if measured:
        measure(Path(measured[0]), measured[1], memory_mib, counting=counting)
        return
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    try:
        if is_compaction:
            compaction(folder, min(traces, 400_000))
            return
        lake = make(folder, traces, days)
        tables = [lake.table(name) for name in ("traces", "labels")]
        for table in tables:
            table.refresh()
        files = [file for table in tables for file in list_live_files(table)]
        size = sum(file.bytes for file in files)
        few = sum(file.bytes for file in files if file.day.isoformat() < "2026-11-04")
        click.echo(
            f"  {traces} traces, {size / 2**20:.0f} MiB in the lake, {few / 2**20:.0f} MiB of them "
            "of the first 3 days"
        )
        last = (START + timedelta(days=days)).date().isoformat()
        print_measurement(folder, f"out of all {days} days", last, memory_mib)
        print_measurement(folder, "out of the first 3 days", "2026-11-04", memory_mib)
        print_measurement(
            folder, "strata of the first 3 days, counted", "2026-11-04", memory_mib, "--counting"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
