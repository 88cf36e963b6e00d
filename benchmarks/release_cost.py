"""Drafts a release once and prints what it took, as JSON.

    python -P benchmarks/release_cost.py LAKE FIRST_DAY END_DAY

It measures the version that PYTHONPATH leads to, which may be an earlier one: so it uses only what
both have. Time and memory are those of this process. Bytes are those that it requested the system
to read and to write (`rchar` and `wchar` in /proc/self/io): what it writes is what DuckDB spills.
"""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

import click

from batch.release.format.files import encode_parquet
from batch.release.publish.build import BuildOptions, ReleaseDraft, draft_release
from batch.release.sampling.spec import parse_spec
from lake.config import LakeSettings
from lake.snapshot import open_snapshot
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


@click.command()
@click.argument("uri")
@click.argument("first")
@click.argument("end")
@click.option("--s3-endpoint-url")
@click.option("--memory-mib", default=1024)
def main(*, uri: str, first: str, end: str, s3_endpoint_url: str | None, memory_mib: int) -> None:
    """Measure one draft of a release."""
    lake = Lake(LakeSettings(uri=uri, s3_endpoint_url=s3_endpoint_url))
    spec = parse_spec(SPEC.format(first=first, end=end), "spec")
    before, began = _moved_bytes(), time.process_time()
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    options = BuildOptions(b"k" * 32, memory_mib * 2**20, {})
    draft = draft_release(spec, traces, labels, options)
    cpu, after = time.process_time() - began, _moved_bytes()
    figures = {
        "rows": draft.facts["row_count"],
        "cpu": cpu,
        "read": after["rchar"] - before["rchar"],
        "spilled": after["wchar"] - before["wchar"],
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "version": str(Path(sys.modules["batch"].__path__[0]).parent),
        "hash": _hash(draft),
    }
    click.echo(json.dumps(figures))


def _hash(draft: ReleaseDraft) -> str:
    """Return a hash of the facts, the commitments and the rows."""
    facts = json.dumps([draft.facts, list(draft.contents)], sort_keys=True, default=str)
    return hashlib.sha256(facts.encode() + encode_parquet(draft.rows)).hexdigest()


def _moved_bytes() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {name: int(number) for name, number in (line.split(": ") for line in lines)}


if __name__ == "__main__":
    main()
