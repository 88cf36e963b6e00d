"""What the jobs on DuckDB share: queries as its SQL, and its errors as goldpan's."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import duckdb
import ibis

from schemas.errors import FatalError, GoldpanError

_MISSING_FILE: Final = ("FileNotFoundError", "[errno 2]", "No files found", "No such file")
"""How delta-rs, Arrow for a folder, and DuckDB itself report a missing file."""


def as_duckdb_sql(query: Any) -> str:
    """Return an Ibis expression as the SQL of DuckDB."""
    return _sql_of(query.op())


@lru_cache(maxsize=192)
def _sql_of(node: Any) -> str:
    # To write it takes as long as to run it on a small lake, and jobs ask alike again and again.
    return str(ibis.to_sql(node.to_expr(), dialect="duckdb", pretty=False))


@contextmanager
def duckdb_errors(*, too_large: str, missing: GoldpanError) -> Iterator[None]:
    """Turn DuckDB's errors into goldpan's.

    Raises FatalError with the message ``too_large`` if a query needs more memory than allowed, and
    ``missing`` if files of the lake no longer exist.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise FatalError(too_large) from None
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if not any(sign in str(error) for sign in _MISSING_FILE):
            raise
        raise missing from None
