"""DuckDB with a memory limit, and a folder of the caller's to spill to."""

from pathlib import Path

import duckdb


def connect_duckdb(folder: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """Return a connection to an in-memory database; `batch.temp_dirs` makes the folder."""
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_bytes // 2**20}MiB",
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
    )
