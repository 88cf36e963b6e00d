"""Reads the data of a release back, with exactly the columns that it was written with."""

import pyarrow as pa
import pyarrow.parquet as pq

from batch.release.files import DATA
from batch.release.rows import SCHEMA
from schemas.errors import FatalError


def read_rows(data: bytes) -> pa.Table:
    """Return the rows of a release from the bytes of its Parquet file.

    Raises FatalError if that is no Parquet file with those columns.
    """
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as error:
        raise FatalError(f"{DATA} cannot be read ({type(error).__name__})") from None
    if table.schema.names != SCHEMA.names:
        raise FatalError(f"{DATA} has other columns than a release of this format")
    try:
        return table.cast(SCHEMA)
    except pa.ArrowException as error:
        raise FatalError(f"{DATA} has other types ({type(error).__name__})") from None
