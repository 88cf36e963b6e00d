"""The files of a table are read by DuckDB as by Arrow, in a folder and in a bucket."""

import threading
from pathlib import Path
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from lake import datasets
from lake.datasets import open_dataset

ROWS = 20


def _table(folder: Path) -> DeltaTable:
    for day in range(ROWS):
        rows = pa.table({"day": [f"2026-11-{day + 1:02}"], "n": [day], "text": [f"t {day}"]})
        write_deltalake(folder, rows, mode="append", partition_by=["day"])
    return DeltaTable(folder)


@pytest.mark.parametrize("far", [False, True])
def test_duckdb_reads_what_arrow_reads(
    far: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns, filters and days; also where delta-rs opens the files, as those of a bucket."""
    handle = _table(tmp_path / "a lake")
    if far:
        monkeypatch.setattr(datasets, "urlsplit", lambda _: _Elsewhere())
    dataset = open_dataset(handle)
    assert dataset.to_table(columns=["n"], filter=pc.field("n") > 9).num_rows == 10
    assert sum(batch.num_rows for batch in dataset.to_batches()) == ROWS
    connection = duckdb.connect()
    connection.register("files", dataset)
    asked = "SELECT n, text FROM files WHERE n >= 3 AND day < '2026-11-11' ORDER BY n"
    assert connection.sql(asked).fetchall() == [(n, f"t {n}") for n in range(3, 10)]


class _Elsewhere:
    scheme = "s3"


def test_a_scan_begins_while_files_are_opened_by_way_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many scans at once end: none holds Python's lock while another needs it to open a file."""
    handle = _table(tmp_path / quote("lake"))
    monkeypatch.setattr(datasets, "urlsplit", lambda _: _Elsewhere())
    dataset = open_dataset(handle)
    counted: list[int] = []

    def read() -> None:
        for _ in range(20):
            reader = dataset.scanner(columns=["n"]).to_reader()
            counted.append(reader.read_all().num_rows)

    threads = [threading.Thread(target=read, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counted == [ROWS] * 80
