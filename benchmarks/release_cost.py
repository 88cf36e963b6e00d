"""Drafts a release once and prints what it took, as JSON.

    python -P benchmarks/release_cost.py LAKE FIRST_DAY END_DAY [--counting]

It measures the version that PYTHONPATH leads to, which may be an earlier one: so it uses only what
both have. Time and memory are those of this process. Bytes are those that it requested the system
to read and to write (`rchar` and `wchar` in /proc/self/io): what it writes is what DuckDB spills.
"""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from batch.bounded_duckdb import temp_dir, temp_root
from batch.release.format.files import encode_parquet
from batch.release.publish.build import BuildOptions, draft_release
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.spec import ReleaseSpec, parse_spec
from lake.config import LakeSettings
from lake.snapshot import TableSnapshot, open_snapshot
from lake.tables import Lake

SPEC = """
name: bench
window: {{from: {first}, to: {end}}}
size: 1000
strata: [label, segments.plan, status]
allocation: {{by: error_biased, floor: 10}}
redaction_policies: any
labels: {{accept: [pass, fail, unknown, none]}}
near_duplicates: null
holdout: {{share: 0.2}}
"""
_MIB = 2**20


@click.command()
@click.argument("uri")
@click.argument("first")
@click.argument("end")
@click.option("--s3-endpoint-url")
@click.option("--memory-mib", default=1024)
@click.option("--counting", is_flag=True, help="Only count the strata.")
def main(  # noqa: PLR0913 - one argument an option
    *,
    uri: str,
    first: str,
    end: str,
    s3_endpoint_url: str | None,
    memory_mib: int,
    counting: bool,
) -> None:
    """Measure one draft of a release."""
    lake = Lake(LakeSettings(uri=uri, s3_endpoint_url=s3_endpoint_url))
    spec = parse_spec(SPEC.format(first=first, end=end), "spec")
    before, began = _moved_bytes(), time.process_time()
    snapshots = [open_snapshot(lake, name) for name in ("traces", "labels")]
    run = _count if counting else _draft
    rows, hashed = run(spec, snapshots, memory_mib * _MIB)
    cpu, after = time.process_time() - began, _moved_bytes()
    figures = {
        "rows": rows,
        "cpu": cpu,
        "read": after["rchar"] - before["rchar"],
        "spilled": after["wchar"] - before["wchar"],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "version": str(Path(sys.modules["batch"].__path__[0]).parent),
        "hash": hashlib.sha256(b"".join(hashed())).hexdigest(),
    }
    click.echo(json.dumps(figures))


def _draft(spec: ReleaseSpec, snapshots: Sequence[TableSnapshot], memory: int) -> tuple[int, Any]:
    """Return the number of rows, and what gives the facts, the commitments and the rows."""
    draft = draft_release(spec, *snapshots, BuildOptions(b"k" * 32, memory, {}))

    def hashed() -> list[bytes]:
        facts = json.dumps([draft.facts, list(draft.contents)], sort_keys=True, default=str)
        return [facts.encode(), encode_parquet(draft.rows)]

    return draft.facts["row_count"], hashed


def _count(spec: ReleaseSpec, snapshots: Sequence[TableSnapshot], memory: int) -> tuple[int, Any]:
    """Return the number of traces, and what gives the strata."""
    with (
        temp_dir(temp_root()) as place,
        SelectionEngine(spec, *snapshots, folder=place, memory_bytes=memory) as engine,
    ):
        strata = engine.strata()
    return sum(stratum.traces for stratum in strata), lambda: [repr(strata).encode()]


def _moved_bytes() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(number) for name, number in (line.split(": ") for line in lines)}


if __name__ == "__main__":
    main()
