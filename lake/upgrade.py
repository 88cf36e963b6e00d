"""Brings the tables of a lake to the columns of this version: what is missing is added, empty.

A change of a Delta table's schema is one commit of metadata; no file is written again, and rows of
before have no value there. Workers of before go on: their next commit meets the change, is refused,
and tried again on top of it. Columns are only ever added, and only such as may be empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake.exceptions import DeltaError
from deltalake.schema import Schema

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.handle import TableHandle, refresh_handle
from lake.retry import Retry
from lake.schema_check import check_schema, missing_columns
from lake.tables import TABLE_LAYOUTS, Lake
from schemas.arrow import TABLES
from schemas.errors import CommitUnknownError, FatalError


@dataclass(frozen=True, slots=True)
class AddedColumns:
    """The columns that a table lacked."""

    table: str
    columns: tuple[str, ...]


def upgrade_lake(lake: Lake, retry: Retry, *, dry_run: bool = False) -> list[AddedColumns]:
    """Add the columns that tables lack, and return them; with ``dry_run`` only that.

    Safe beside workers of any version, if run twice at once, and if killed: run it again. Raises
    FatalError if a table differs in another way (nothing was changed then, of any table), or if the
    lake does not answer in time.
    """
    found = [(name, lake.handle(name)) for name in TABLE_LAYOUTS]
    missing = {name: _addable(name, handle) for name, handle in found}
    if not dry_run:
        for name, handle in found:
            if missing[name]:
                _add(name, handle, retry)
    return [
        AddedColumns(name, tuple(f.name for f in fields))
        for name, fields in missing.items()
        if fields
    ]


def _addable(name: str, handle: TableHandle) -> list[pa.Field]:
    expected = TABLES[name].arrow
    fields = missing_columns(handle, expected)
    needed = [field.name for field in fields if not field.nullable]
    if needed:
        raise FatalError(
            f"table {name} lacks {', '.join(needed)}, of which every row must have a value: that "
            "cannot be added to rows that are there; use the version that made this lake"
        )
    names = {field.name for field in fields}
    check_schema(name, handle, pa.schema([f for f in expected if f.name not in names]))
    return fields


def _add(name: str, handle: TableHandle, retry: Retry) -> None:
    def attempt() -> None:
        refresh_handle(handle, name)
        _send(name, handle, _addable(name, handle))

    retry.call(f"adding columns to table {name}", attempt)


def _send(name: str, handle: TableHandle, fields: Sequence[pa.Field]) -> None:
    """Add columns in one commit; whether a failed one has landed is told by the next attempt."""
    if not fields:
        return
    try:
        handle.alter.add_columns(
            Schema.from_arrow(pa.schema(list(fields))).fields,
            post_commithook_properties=NO_POST_COMMIT_HOOKS,
        )
    except (DeltaError, OSError) as error:
        raise CommitUnknownError(
            f"table {name}: it is unknown whether columns were added ({describe_cause(error)})"
        ) from error
