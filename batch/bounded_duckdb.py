"""DuckDB within bounds: so much memory, and a folder of the caller for what does not fit in it."""

from pathlib import Path

import duckdb


def connect_duckdb(folder: Path, memory_bytes: int) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory; see `batch.temp_dirs` for the folder."""
    return duckdb.connect(
        config={
            "memory_limit": f"{memory_bytes // 2**20}MiB",
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
        }
    )
