"""Measures the time and memory of erasing one person from a lake of many traces.

python -m benchmarks.erasure [--traces N]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from lake.ledger import SourcePartition
from lake.live_files import list_live_files
from lake.tables import Lake
from schemas.records import Message
from schemas.redacted import Redacted
from tests.batch.erase.world import USER, erasure, person
from tests.batch.kit import append, open_lake
from tests.labels.kit import rows, trace

IN_A_FILE = 20_000
PERSONS = 5_000
QUESTION = "Where is my parcel? It was sent on Monday and has not come yet. " * 6
ANSWER = "It is on its way, <PERSON:abcdefghij27>, and will come on Friday. " * 4


def fill(lake: Lake, files: int) -> None:
    """Put traces into a lake; one file in ten has three of the person."""
    others = [person(f"user-{n}") for n in range(PERSONS)]
    text = [Message(role="user", content=QUESTION)]
    one = trace("x", session_id="s", messages=text, response=ANSWER, attributes={"k": "v"})
    batch = rows([one] * IN_A_FILE)
    for number in range(files):
        first = number * IN_A_FILE
        ids = [f"{number:06x}{n:06x}-{n * 2654435761 % 2**32:08x}" for n in range(IN_A_FILE)]
        users = [others[(first + n) % PERSONS] for n in range(IN_A_FILE)]
        if number % 10 == 0:
            users[5] = users[7_000] = users[-1] = USER
        columns = {
            "trace_id": ids,
            "user_id": users,
            "_offset": range(first, first + IN_A_FILE),
            "_topic": ["llm.traces"] * IN_A_FILE,
        }
        append(
            lake,
            "traces",
            Redacted(_with(batch, columns), "p"),
            SourcePartition("llm.traces", 0),
            first,
        )


def _with(batch: pa.RecordBatch, columns: dict[str, Any]) -> pa.RecordBatch:
    for name, values in columns.items():
        at = batch.schema.get_field_index(name)
        field = batch.schema.field(at)
        batch = batch.set_column(at, field, pa.array(values, field.type))
    return batch


def timed(what: str, step: Callable[[], Any]) -> Any:
    """Run a step, and print how long it took."""
    began, cpu = time.monotonic(), time.process_time()
    result = step()
    seconds = time.monotonic() - began
    print(f"{what}: {seconds:.1f} s, {time.process_time() - cpu:.1f} s of CPU", flush=True)
    return result


def main() -> None:
    """Measure a scan, an erasure, and a second run that has nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000)
    files = parser.parse_args().traces // IN_A_FILE
    with tempfile.TemporaryDirectory() as folder:
        uri = Path(folder) / "lake"
        lake = open_lake(uri)
        lake.init()
        fill(lake, files)
        before = {file.path for file in list_live_files(open_lake(uri).table("traces"))}
        timed("dry run", lambda: erasure(open_lake(uri)).scan())
        ended = timed("erasure", lambda: erasure(open_lake(uri)).run())
        timed("again", lambda: erasure(open_lake(uri)).run())
        left = {file.path for file in list_live_files(open_lake(uri).table("traces"))}
        removed = json.loads(ended.receipt)["tables"]["traces"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{files * IN_A_FILE} traces in {len(before)} files: {removed['own']} erased, "
            f"{len(before - left)} files rewritten, peak memory {peak} MiB"
        )


if __name__ == "__main__":
    main()
