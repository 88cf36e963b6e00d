"""Reads the rows of a release, with exactly the columns that were written."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from batch.release.format.files import DATA, STARTER
from batch.release.format.rows import GENERATOR, SCHEMA, ReleaseRow, release_schema
from schemas.errors import FatalError


def read_release_rows(data: bytes) -> pa.Table:
    """Return the rows of a release from the bytes of its Parquet file.

    Raises FatalError if it is not a Parquet file with those columns.
    """
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise FatalError(f"{DATA} cannot be read ({type(error).__name__})") from None
    if GENERATOR not in table.schema.names:  # written before there were synthetic rows
        index = SCHEMA.get_field_index(GENERATOR)
        table = table.add_column(index, SCHEMA.field(index), pa.nulls(len(table), pa.string()))
    schema = release_schema(table.schema.names)
    if table.schema.names != schema.names:
        raise FatalError(f"{DATA} has other columns than a release of this format")
    try:
        return table.cast(schema)
    except pa.ArrowException as error:
        raise FatalError(f"{DATA} has other types ({type(error).__name__})") from None


def read_starter_rows(data: bytes) -> list[ReleaseRow]:
    """Return the rows of the starter set as JSON values; FatalError if a line is not a row."""
    try:
        rows = [json.loads(line) for line in data.splitlines()]
    except ValueError:
        raise FatalError(f"{STARTER} cannot be read") from None
    if not all(
        isinstance(row, dict) and row.keys() | {GENERATOR} == set(release_schema([*row]).names)
        for row in rows
    ):
        raise FatalError(f"{STARTER} has other columns than a release of this format")
    return rows
