"""What the same traces cost as JSON lines and as Parquet in Delta: bytes, scans, an erasure.

python -m benchmarks.formats [--traces N] [--days N]

The traces are those of the demo's conversations. The words of each conversation are shuffled, so
that no two have a text in common; within one, each call repeats the history, as real ones do.
Twenty conversations run at a time. Each form has one file a day. DuckDB runs the queries, on one
thread.
"""

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, Final

import duckdb
import msgspec
from deltalake import DeltaTable

from goldpan.demo.traffic import load_shipped_conversations, make_traces
from lake.ledger import SourcePartition
from schemas.records import Trace
from schemas.redacted import Redacted
from tests.batch.kit import append, open_lake
from tests.labels.kit import rows

DAY_US: Final = 86_400_000_000
BEGIN_US: Final = 1_788_220_800_000_000  # 2026-09-01
PERSONS: Final = 500
ERASED: Final = "person-68"
AT_A_TIME: Final = 20
SOURCE: Final = SourcePartition("llm.traces", 0)
COLUMNS: Final = {
    "trace_id": "VARCHAR",
    "user_id": "VARCHAR",
    "app": "VARCHAR",
    "status": "VARCHAR",
    "latency_ms": "DOUBLE",
    "input_tokens": "BIGINT",
    "response": "VARCHAR",
}
QUERIES: Final = {
    "four columns of all rows": "SELECT app, status, avg(latency_ms), sum(input_tokens) FROM {} "
    "GROUP BY ALL",
    "one trace by its id": "SELECT response FROM {} WHERE trace_id = '{id}'",
    "a word in all answers": "SELECT count(*) FROM {} WHERE response LIKE '%reservation%'",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took: CPU seconds and MiB read and written by this process."""

    cpu: float
    read: float
    written: float


def measured(step: Callable[[], Any]) -> Cost:
    """Do a step, and return what it cost."""
    before, cpu = _transferred(), time.process_time()
    step()
    seconds, after = time.process_time() - cpu, _transferred()
    return Cost(seconds, *((after[key] - before[key]) / 2**20 for key in ("rchar", "wchar")))


def _transferred() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text().splitlines()
    return {key: int(value) for key, value in (line.split(": ") for line in lines)}


def days_of_traces(number: int, days: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the traces of each day, ``number`` of them in all."""
    stream = _traces()
    for day in range(days):
        share = number * (day + 1) // days - number * day // days
        yield [
            trace | {"started_at": BEGIN_US + day * DAY_US + place}
            for place, trace in enumerate(islice(stream, share))
        ]


def _traces() -> Iterator[dict[str, Any]]:
    """Yield traces of conversations that run at the same time, a call of each in turn."""
    begun = _conversations()
    running = list(islice(begun, AT_A_TIME))
    while True:
        for place, conversation in enumerate(running):
            trace = next(conversation, None)
            if trace is None:
                running[place] = next(begun)
                trace = next(running[place])
            yield trace


def _conversations() -> Iterator[Iterator[dict[str, Any]]]:
    persons = Random(1)  # noqa: S311 - a benchmark's
    for seed in count():
        for conversation in load_shipped_conversations():
            person = {"user_id": f"person-{persons.randrange(PERSONS)}"}
            words = f"{seed}/{conversation.conversation_id}"
            made = make_traces(conversation, started_at=BEGIN_US, seed=seed)
            yield (_reworded(t, words) | person for t in made)


def _reworded(value: Any, seed: str) -> Any:
    """Return a record with the words of each text shuffled, the same for the same text and seed."""
    if isinstance(value, dict):
        return {key: _reworded(below, seed) for key, below in value.items()}
    if isinstance(value, list):
        return [_reworded(below, seed) for below in value]
    if isinstance(value, str) and " " in value:
        words = value.split(" ")
        Random(f"{seed}{value}").shuffle(words)  # noqa: S311 - a benchmark's
        return " ".join(words)
    return value


class JsonLines:
    """One file of JSON lines a day, plain or through gzip."""

    def __init__(self, folder: Path, *, compressed: bool) -> None:
        self.name = "JSON lines, gzip" if compressed else "JSON lines"
        self._compressed = compressed
        self._folder = folder
        folder.mkdir()

    def add(self, number: int, traces: list[dict[str, Any]]) -> None:
        """Write one day."""
        suffix = "jsonl.gz" if self._compressed else "jsonl"
        text = b"".join(json.dumps(t, separators=(",", ":")).encode() + b"\n" for t in traces)
        self._write(self._folder / f"day-{number:03}.{suffix}", text)

    def _write(self, path: Path, text: bytes) -> None:
        path.write_bytes(gzip.compress(text, 6) if self._compressed else text)

    def files(self) -> list[str]:
        """Return the paths of all files."""
        return [str(path) for path in sorted(self._folder.iterdir())]

    def relation(self) -> str:
        """Return the table that a query reads, with its columns so that none must be guessed."""
        return f"read_json({self.files()}, format='newline_delimited', columns={COLUMNS})"

    def erase(self) -> int:
        """Take a person's rows out; return how many files were written again."""
        mark = b'"user_id":"%s"' % ERASED.encode()
        written = 0
        for path in map(Path, self.files()):
            text = gzip.decompress(path.read_bytes()) if self._compressed else path.read_bytes()
            lines = text.splitlines(keepends=True)
            kept = [line for line in lines if mark not in line]
            if len(kept) < len(lines):
                beside = path.with_name(f".{path.name}")
                self._write(beside, b"".join(kept))
                beside.rename(path)
                written += 1
        return written


class Delta:
    """The table ``traces`` of a lake, as goldpan writes it."""

    name = "Parquet in Delta"

    def __init__(self, folder: Path) -> None:
        self._lake = open_lake(folder)
        self._lake.init()
        self._folder = folder
        self._next = 0

    def add(self, number: int, traces: list[dict[str, Any]]) -> None:
        """Write one day."""
        del number
        records = [msgspec.convert(trace, Trace) for trace in traces]
        batch = Redacted(rows(records, start=self._next), "p")
        append(self._lake, "traces", batch, SOURCE, self._next)
        self._next += len(traces)

    def files(self) -> list[str]:
        """Return the paths of the files that the table consists of."""
        return list(DeltaTable(str(self._folder / "traces")).file_uris())

    def relation(self) -> str:
        """Return the table that a query reads."""
        return f"read_parquet({self.files()})"

    def erase(self) -> int:
        """Take a person's rows out; return how many files were written again."""
        done = DeltaTable(str(self._folder / "traces")).delete(f"user_id = '{ERASED}'")
        return int(done["num_removed_files"])


Form = JsonLines | Delta


def report(form: Form, trace_id: str) -> Mapping[str, str]:
    """Measure one form; return the cells of its row by their headings."""
    size = sum(Path(file).stat().st_size for file in form.files())
    cells = {"form": form.name, "MiB": f"{size / 2**20:.1f}"}
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"SELECT count(*) FROM {form.relation()}").fetchall()  # noqa: S608
        for what, text in QUERIES.items():
            query = text.replace("{id}", trace_id).format(form.relation())
            cost = measured(lambda query=query: connection.execute(query).fetchall())  # type: ignore[misc]
            cells[what] = f"{cost.cpu:.3f} s, {cost.read:.1f} MiB"
    written: list[int] = []
    cost = measured(lambda: written.append(form.erase()))
    cells["one person erased"] = (
        f"{cost.cpu:.3f} s, {cost.read:.1f} MiB read, {cost.written:.1f} MiB written "
        f"({written[0]} files)"
    )
    return cells


def main() -> None:
    """Write the traces in each form and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=30_000)
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forms: list[Form] = [
            JsonLines(folder / "plain", compressed=False),
            JsonLines(folder / "gzip", compressed=True),
            Delta(folder / "lake"),
        ]
        trace_id = ""
        for number, traces in enumerate(days_of_traces(options.traces, options.days)):
            trace_id = traces[len(traces) // 2]["trace_id"]
            for form in forms:
                form.add(number, traces)
        table = [report(form, trace_id) for form in forms]
    print(f"{options.traces} traces in {options.days} days")
    print(f"| {' | '.join(table[0])} |")
    print("|" + "---|" * len(table[0]))
    for cells in table:
        print(f"| {' | '.join(cells.values())} |")


if __name__ == "__main__":
    main()
